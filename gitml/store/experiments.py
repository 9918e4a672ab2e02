"""Create, read and edit experiments: one file each on the branch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace

from gitml.entities import Experiment, LifecycleStage
from gitml.errors import AlreadyExists, NotFound
from gitml.formats import joins, limits, run_records
from gitml.formats.run_records import ExperimentRecord
from gitml.store.branch import Branch
from gitml.text import short_repr, single_line

Edit = Callable[[ExperimentRecord, int], ExperimentRecord]
"""Given a record and the time of the edit in ms, returns the changed record."""


class ExperimentStore:
    """All experiments of one repository.

    Args:
        branch: Where records are committed.
        clock: ms since the Unix epoch.
    """

    def __init__(self, branch: Branch, *, clock: Callable[[], int]) -> None:
        self._branch = branch
        self._clock = clock
        # Many runs start in one experiment: the record read last, its commit and its id.
        self._last: tuple[str | None, str, ExperimentRecord | None] = (None, "", None)

    def read(self, experiment_id: str) -> ExperimentRecord | None:
        """Read one experiment's file; None if there is none."""
        tip = self._branch.tip()
        if self._last[:2] == (tip, experiment_id):
            return self._last[2]
        path = run_records.experiment_path(experiment_id)
        data = self._branch.read(path, tip) if tip else None
        record = None if data is None else run_records.experiment_from_json(data, path)
        self._last = (tip, experiment_id, record)
        return record

    def created_as(self, name: str) -> Experiment | None:
        """Return the experiment that still has the name it was created with, if there is one."""
        tip = self._branch.tip()
        if tip is None:
            return None
        identifier, exists = self._id_for(name, tip)
        record = self.read(identifier) if exists else None
        return record.experiment if record else None

    def create(self, name: str, tags: Mapping[str, str], *, exist_ok: bool = False) -> str:
        """Create an experiment.

        Args:
            name: Its name.
            tags: Its first tags.
            exist_ok: Return the id of an existing one instead of failing.

        Returns:
            Its id.

        Raises:
            AlreadyExists: An experiment was created under that name before.
            InvalidInput: The name cannot be used.
        """
        run_records.experiment_id(name)
        existing = self.created_as(name) if exist_ok else None
        if existing:  # without the branch's lock, for which other processes may be waiting
            return existing.experiment_id
        now = self._clock()
        written = {"name": now, "lifecycle_stage": now, **{f"tags.{key}": now for key in tags}}
        identifier = ""

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            nonlocal identifier
            identifier, exists = self._id_for(name, tip)
            if exists and not exist_ok:
                raise AlreadyExists(
                    f"Experiment {short_repr(name, 80)} already exists.",
                    hint="Use `set_experiment`, or choose another name.",
                )
            if exists:
                return {}, ""
            experiment = Experiment(
                experiment_id=identifier,
                name=name,
                creation_time=now,
                last_update_time=now,
                tags=dict(tags),
            )
            data = run_records.experiment_to_json(
                ExperimentRecord(experiment=experiment, written=written)
            )
            limits.check_record(f"Experiment {short_repr(name, 80)}", len(data))
            return {
                run_records.experiment_path(identifier): data
            }, f"experiment {single_line(name, 60)}: created\n"

        self._branch.update(make)
        return identifier

    def _id_for(self, name: str, tip: str | None) -> tuple[str, bool]:
        """Return the id for a name, and whether the experiment exists already.

        An id belongs for good to the experiment that was created with it; if that was renamed
        since, the name gets the next free id.
        """
        first = run_records.experiment_id(name)
        for number in itertools.count(1):
            identifier = first if number == 1 else f"{first}-{number}"
            path = run_records.experiment_path(identifier)
            data = self._branch.read(path, tip) if tip else None
            if data is None:
                return identifier, False
            if run_records.experiment_from_json(data, path).experiment.name == name:
                return identifier, True
        raise AssertionError  # the count above has no end

    def edit(self, experiment_id: str, change: Edit, what: str) -> None:
        """Change an experiment's file.

        Args:
            experiment_id: The experiment.
            change: Returns the new record.
            what: What is done, for the commit message.

        Raises:
            NotFound: There is no such experiment.
        """
        path = run_records.experiment_path(experiment_id)

        def make(tip: str | None) -> tuple[Mapping[str, bytes | None], str]:
            data = self._branch.read(path, tip) if tip else None
            if data is None:
                raise NotFound(
                    f"No experiment with id {short_repr(experiment_id, 80)}.",
                    hint="See `gitml experiments list`.",
                )
            record = run_records.experiment_from_json(data, path)
            now = joins.write_time(record.written, self._clock())
            new = change(record, now)
            new = replace(new, experiment=replace(new.experiment, last_update_time=now))
            edited = run_records.experiment_to_json(new)
            name = short_repr(new.experiment.name, 80)
            limits.check_record(f"Experiment {name}", len(edited), before=len(data))
            return {path: edited}, f"experiment {single_line(new.experiment.name, 60)}: {what}\n"

        self._branch.update(make)


def renamed(name: str) -> Edit:
    """Return the edit that renames an experiment; its id stays."""
    run_records.experiment_id(name)  # the same rules as at creation

    def change(record: ExperimentRecord, now: int) -> ExperimentRecord:
        return replace(
            record,
            experiment=replace(record.experiment, name=name),
            written={**record.written, "name": now},
        )

    return change


def moved_to(stage: LifecycleStage) -> Edit:
    """Return the edit that deletes or restores an experiment."""

    def change(record: ExperimentRecord, now: int) -> ExperimentRecord:
        return replace(
            record,
            experiment=replace(record.experiment, lifecycle_stage=stage),
            written={**record.written, "lifecycle_stage": now},
        )

    return change


def tagged(tags: Mapping[str, str | None]) -> Edit:
    """Return the edit that sets tags; a value of None removes one."""

    def change(record: ExperimentRecord, now: int) -> ExperimentRecord:
        merged = {**record.experiment.tags, **tags}
        remaining = {key: value for key, value in merged.items() if value is not None}
        return replace(
            record,
            experiment=replace(record.experiment, tags=remaining),
            written={**record.written, **{f"tags.{key}": now for key in tags}},
        )

    return change
