"""Build the DataFrame that ``search_runs`` returns, with MLflow's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitml.entities import Run

if TYPE_CHECKING:
    import pandas as pd


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Lay runs out as a table.

    Args:
        runs: One per row, in this order.

    Returns:
        Shape (n_runs, 6 + metrics + params + tags): ``run_id``, ``experiment_id``, ``status``,
        ``artifact_uri``, ``start_time`` and ``end_time`` (UTC), then ``metrics.*``, ``params.*``
        and ``tags.*`` in order of name. A metric that a run lacks is NaN, a param or tag None.
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "run_id": [run.info.run_id for run in runs],
        "experiment_id": [run.info.experiment_id for run in runs],
        "status": [run.info.status for run in runs],
        "artifact_uri": [run.info.artifact_uri for run in runs],
        "start_time": _times([run.info.start_time for run in runs]),
        "end_time": _times([run.info.end_time for run in runs]),
    }
    missing = float("nan")
    for kind, absent in (("metrics", missing), ("params", None), ("tags", None)):
        rows = [getattr(run.data, kind) for run in runs]
        for key in sorted({key for row in rows for key in row}):
            columns[f"{kind}.{key}"] = [row.get(key, absent) for row in rows]
    return pd.DataFrame(columns)


def _times(moments: Sequence[int | None]) -> pd.DatetimeIndex:
    """Turn ms since the Unix epoch into UTC times; None into NaT."""
    import pandas as pd

    return pd.to_datetime(pd.array(list(moments), dtype="Int64"), unit="ms", utc=True)
