"""Build the dashboard of a repository, and notice when a build would change it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from gitml import site
from gitml.publishing import documents
from gitml.publishing.repository_source import RepositorySource
from gitml.repository import Repository
from gitml.site import BuildReport, SiteOptions
from gitml.site.output import bundle
from gitml.site.output.no_gc import without_collector
from gitml.site.writer import Progress
from gitml.store.in_progress import journal


@without_collector()
def build_site(
    repository: Repository,
    output: Path,
    *,
    title: str | None = None,
    progress: Progress | None = None,
    live: int = 0,
) -> BuildReport:
    """Build the dashboard of a repository.

    Args:
        repository: The clone to show.
        output: Folder of the site; an earlier site in it is replaced.
        title: Heading; None for that of ``gitml.yaml``, else the name of the folder.
        progress: Called with (pages done, pages in total).
        live: How often pages ask whether the site changed, in ms; 0 for never.

    Raises:
        InvalidInput: The folder contains something else, or is not writable.
    """
    options = _options(repository, live)
    with bundle.begun(options.cache), TemporaryDirectory() as notes:
        source = RepositorySource(repository, title, notes=Path(notes))
        return site.build(source, output, options=options, progress=progress)


def _options(repository: Repository, live: int) -> SiteOptions:
    settings = repository.settings.site
    root = documents.root(repository)
    return SiteOptions(
        run_pages=settings.run_pages,
        max_bytes=settings.max_bytes,
        templates=(
            documents.inside(root, settings.templates, "site.templates")
            if settings.templates
            else None
        ),
        root=root,
        base_url=f"{settings.url.rstrip('/')}/" if settings.url else "",
        accent=settings.accent,
        logo=documents.inside(root, settings.logo, "site.logo") if settings.logo else None,
        cache=repository.state / "site-cache",
        live=live,
    )


def fingerprint(repository: Repository) -> tuple[object, ...]:
    """Return a value that changes whenever a build would change the site.

    It covers records, tags, branches, runs in progress and the files that people write for the
    site. A run whose process died counts as changed, for the next reader commits it.
    """
    in_progress = repository.runs.in_progress()
    return (
        repository.branch.tip(),
        repository.git.run(
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            "refs/tags",
            "refs/heads/promote",
            "refs/remotes",
        ),
        repository.git.head(),
        sorted((run_id, _journal_state(folder)) for run_id, folder in in_progress.items()),
        documents.fingerprint(repository),
    )


def _journal_state(folder: Path) -> tuple[str, bool]:
    try:
        return journal.fingerprint(folder), journal.is_alive(folder)
    except OSError:  # the run ended meanwhile
        return "", False
