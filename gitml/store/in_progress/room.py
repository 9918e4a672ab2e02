"""Count what a run in progress still has room for, so that nothing is logged that cannot be read.

Other processes may write the same run: what they added is counted every now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any

from gitml.errors import TooLarge
from gitml.formats import canonical, limits, run_records
from gitml.formats.run_records import Record, RunFiles
from gitml.store.in_progress import journal
from gitml.store.in_progress.fold import Op
from gitml.store.in_progress.journal import OpLog
from gitml.text import format_size

_SLICE = 500_000  # bytes of texts after which the other writers of the run are asked again
_POINTS = 8_000_000  # likewise, bytes of metric points
_POINT = 50  # bytes of a metric point besides its key
_EMPTY = 4_000  # bytes of a record without params, metrics and tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What a run holds besides what this process logs; counting it reads files.

    Attributes:
        folder: The run's folder.
        read: Reads the run with what all processes logged so far.
        history: Bytes of its metric points on the branch.
    """

    folder: Path
    read: Callable[[], RunFiles]
    history: int = 0

    def record(self, own: Path) -> int:
        """Return the bytes of the whole ``run.json``; 0 if only one's own journal is there."""
        if all(path == own for path in journal.journals(self.folder)):
            return 0
        return len(run_records.run_to_json(self.read().record))

    def points(self, own: Path) -> int:
        """Return the bytes of metric points on the branch and in the journals of others."""
        return self.history + journal.points_of(self.folder, besides=own)


@dataclass(slots=True, kw_only=True)
class Room:
    """What one process may still log to a run.

    Attributes:
        run_id: The run.
        others: What it holds besides.
        points: Bytes of metric points after which the others are asked again.
        metrics: Keys of the metrics that were logged.
    """

    run_id: str
    others: Others
    points: int = -1
    metrics: set[str] = field(default_factory=set)
    _record: int = _EMPTY
    _manifest: int = 0
    _since: int = 0
    _sizes: dict[tuple[str, str], int] = field(default_factory=dict)  # of what may be written again
    _resumed: bool = False

    @classmethod
    def after(cls, record: Record, manifest: int, others: Others) -> Room:
        """Return the room that a run has left.

        Args:
            record: What it holds, in its journals too.
            manifest: Bytes of its ``artifacts.json``.
            others: See ``Room``.
        """
        run = record.run
        tags: list[Op] = [["tag", key, value] for key, value in run.data.tags.items()]
        inputs: list[Op] = [["input", dict(dataset)] for dataset in run.inputs.dataset_inputs]
        models: list[Op] = [["model", dict(model)] for model in run.outputs.model_outputs]
        return cls(
            run_id=run.info.run_id,
            others=others,
            metrics=set(run.data.metrics),
            _record=len(run_records.run_to_json(record)),
            _manifest=manifest,
            _sizes=dict(map(_field, [*tags, *inputs, *models])),
            _resumed=True,
        )

    def take(self, ops: Iterable[Op], log: OpLog | None = None) -> None:
        """Take the room of operations, of all of them or of none.

        Args:
            ops: The operations.
            log: Where they will be appended.

        Raises:
            TooLarge: There is not enough; the message names the largest.
        """
        sizes: dict[tuple[str, str], int] = {}
        added = points = 0
        for op in ops:
            if op[0] == "metric":
                points += len(op[1]) + _POINT
                if op[1] in self.metrics:
                    continue
            field_, size = _field(op)
            added += size - sizes.get(field_, self._sizes.get(field_, 0))
            sizes[field_] = size
        if log and points and log.points + points > self.points:
            self.look(log, points)
        if log and log.texts > limits.JOURNAL and any(kind != "metric" for kind, _ in sizes):
            raise TooLarge(
                f"Run {self.run_id} has set tags too often: what this process logged takes more "
                f"than {format_size(limits.JOURNAL)}.",
                hint="Log what changes all the time as a metric.",
            )
        self._take(sizes, added, log)

    def _take(self, sizes: Mapping[tuple[str, str], int], added: int, log: OpLog | None) -> None:
        if log and self._since + added > _SLICE:
            self._record = max(self._record, self.others.record(log.path))
            self._since = 0
        if added > 0 and self._record + added > limits.RECORD:
            kind, name = max(sizes, key=lambda field: sizes[field])
            raise TooLarge(
                f"Run {self.run_id} has no room for {kind} {name!r:.60} ({format_size(added)}): "
                "its params, tags, datasets, models and metrics take at most "
                f"{format_size(limits.RECORD)} together.",
                hint="Log large texts as files, with `log_text` or `log_dict`.",
            )
        if added > 0:
            self._since += added
        self._record += added
        for field_, size in sizes.items():
            if field_[0] == "metric":
                self.metrics.add(field_[1])
            elif field_[0] != "param":
                self._sizes[field_] = size

    def look(self, log: OpLog, added: int = 0) -> None:
        """Look again whether there is room for metric points.

        Args:
            log: Where they will be appended.
            added: Their bytes.

        Raises:
            TooLarge: There is none.
        """
        own = log.points + added
        size = self.others.points(log.path) + own
        limits.check_history(f"Run {self.run_id}", size)
        self.points = own + min(limits.HISTORY - size, _POINTS)

    def take_files(self, paths: Collection[str], log: OpLog) -> None:
        """Take the room of artifacts in the run's manifest.

        Args:
            paths: Of new files.
            log: As in ``take``.

        Raises:
            TooLarge: There is not enough.
        """
        added = sum(_bytes(path) + 110 for path in paths)
        if self._manifest + added > limits.MANIFEST:
            raise TooLarge(
                f"Run {self.run_id} has no room for {len(paths):,} more files: the list of its "
                f"artifacts takes at most {format_size(limits.MANIFEST)}.",
                hint="Log them as an archive.",
            )
        if self._resumed:  # their times are recorded
            self.take([["file", path] for path in paths], log)
        self._manifest += added


def _field(op: Op) -> tuple[tuple[str, str], int]:
    """Return the field of ``run.json`` that an operation writes, and the most bytes it takes."""
    kind, name, *rest = op
    if kind in ("tag", "param"):
        return (kind, name), 2 * _bytes(name) + _bytes(rest[0]) + 80
    if kind == "untag":
        return ("tag", name), _bytes(name) + 50
    if kind == "metric":
        return (kind, name), 2 * _bytes(name) + 300
    if kind == "file":
        return (kind, name), _bytes(name) + 60
    content = name if isinstance(name, dict) else {}
    keys = ("path",) if kind == "model" else ("name", "digest", "context")
    return (kind, " ".join(str(content.get(key, "")) for key in keys)), _bytes(content) + 300


def _bytes(value: Any) -> int:
    text = quoted(value) if type(value) is str else canonical.text(value, 3)
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))
