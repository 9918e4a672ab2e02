"""Register new versions: a commit, its tag, then the record of what people may edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitml.formats.model_records import VersionFile, VersionRecord
from gitml.git import GitRepo
from gitml.registry.model_snapshot import ModelSnapshot
from gitml.registry.record_book import RecordBook
from gitml.registry.tag_journal import TagChange, TagJournal
from gitml.registry.tags import plan
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.version_commit import ModelSource, VersionCommits, about


class NewVersions:
    """Registers versions under the registry's lock.

    Args:
        repo: The repository.
        commits: Writes version commits.
        journal: Writes tags.
        records: Writes records.
        clock: ms since the Unix epoch.
    """

    def __init__(
        self,
        repo: GitRepo,
        commits: VersionCommits,
        journal: TagJournal,
        records: RecordBook,
        clock: Callable[[], int],
    ) -> None:
        self._repo = repo
        self._commits = commits
        self._journal = journal
        self._records = records
        self._clock = clock

    def register(
        self,
        read: Callable[[], ModelSnapshot],
        source: ModelSource,
        description: str,
        tags: Mapping[str, str],
    ) -> int:
        """Register a version; if its tag cannot be written, nothing is left behind.

        Args:
            read: Reads the model as of now.
            source: What to register.
            description: Of the version, Markdown.
            tags: Tags on the version.

        Returns:
            Its number.
        """
        records: list[VersionRecord] = []

        def change(model: ModelSnapshot) -> TagChange:
            file = self._describe(model, source)
            records.append(self._records.version(file, description, tags))
            return self._change(model, file, source, description)

        model = self._journal.append(read, change)
        self._records.add_version(model, records[-1])
        return records[-1].version

    def _describe(self, model: ModelSnapshot, source: ModelSource) -> VersionFile:
        user = self._repo.identity.name
        return source.version_file(model.name, model.next_number, created=self._clock(), user=user)

    def _change(
        self, model: ModelSnapshot, file: VersionFile, source: ModelSource, description: str
    ) -> TagChange:
        new = self._commits.write(model.slug, file, source, about(file, description))
        origin = TagDetail.of(run_id=file.run_id, source=file.source, digest=file.digest)
        steps = plan.registration(file.version, new.commit, origin)
        return TagChange(steps=steps, releases=(new.release,))
