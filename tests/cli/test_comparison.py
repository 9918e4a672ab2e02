"""Long values of a comparison are cut to what tells them apart."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, strategies as st

import gitml
from gitml.cli.comparison import excerpts
from tests.cli.conftest import Cli, loaded, log_run


def test_long_texts_are_cut_around_their_first_difference() -> None:
    common = "python train.py --data warehouse/prices.parquet --depth "
    assert excerpts([f"{common}3", f"{common}12 --rate 0.1", None], 20) == (
        "…--depth 3", "…--depth 12 --rate …", None,
    )  # fmt: skip
    assert excerpts(["short", 3.5, None], 20) == ("short", 3.5, None)
    assert excerpts(["x" * 30, "x" * 30], 20) == ("x" * 19 + "…",) * 2
    assert excerpts(["x" * 30, None], 20) == ("x" * 19 + "…", None)


@given(st.lists(st.text(max_size=40) | st.none(), min_size=2, max_size=4), st.integers(12, 30))
def test_excerpts_fit_and_keep_the_first_difference(values: list[str | None], room: int) -> None:
    short = excerpts(values, room)
    assert all(value is None or len(value) <= room for value in short)
    assert (len(set(values)) > 1) == (len(set(short)) > 1)


def test_a_comparison_of_long_notes_stays_readable(cli: Cli, repository: Path) -> None:
    ids = [log_run(repository, name) for name in ("one", "two")]
    note = "Some words about what was tried. " * 20
    for run_id, end in zip(ids, ("It worked.", "It failed."), strict=True):
        gitml.MlflowClient(repository).set_tag(run_id, "mlflow.note.content", note + end)

    lines = cli("runs", "compare", *ids).stdout.splitlines()
    assert max(map(len, lines)) <= 150
    (row,) = (line for line in lines if "mlflow.note.content" in line)
    assert "worked." in row and "failed." in row
    rows = loaded(cli("runs", "compare", *ids, "--json"))["rows"]
    assert note + "It worked." in next(r for r in rows if "note" in r["name"])["values"]
