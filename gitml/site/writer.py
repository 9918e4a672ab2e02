"""Write the pages of a site: take over what did not change, share the rest among processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gitml.site.failures import PageFailure, attempt
from gitml.site.frame import Frame
from gitml.site.output import workers
from gitml.site.output.folder import Output, Rendered, SiteFile
from gitml.site.page import DataFile, HtmlFile, Outputs, Page, Result
from gitml.site.source import SiteSource

Progress = Callable[[int, int], None]
"""(pages done, pages in total)."""

_BATCH_SECONDS = 0.038  # that one task takes at least: about 64 pages of runs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What some pages added to the site."""

    files: Mapping[str, SiteFile]
    rendered: Mapping[str, Rendered]
    contents: Mapping[str, object]
    failures: Sequence[str]
    errors: Sequence[tuple[str, PageFailure]]


@dataclass(slots=True, kw_only=True)
class SiteWriter:
    """Writes pages to a folder.

    Attributes:
        source: What the site shows.
        frame: What all pages have in common.
        out: The folder.
        worker_count: How many processes render pages; None for as many as is worthwhile.
        failures: One sentence for each file of a run that could not be shown.
        errors: Pages that show an error, or are missing, and why.
        contents: What pages have for others, by page; none of pages that were taken over.
    """

    source: SiteSource
    frame: Frame
    out: Output
    progress: Progress
    worker_count: int | None = None
    failures: dict[str, None] = field(default_factory=dict)
    errors: list[tuple[str, PageFailure]] = field(default_factory=list)
    contents: dict[str, object] = field(default_factory=dict)
    _previous: Mapping[str, Rendered] = field(init=False)
    _keys: dict[str, str] = field(default_factory=dict)
    _rendered: dict[str, Rendered] = field(default_factory=dict)
    _total: int = 0

    def write(self, pages: Sequence[Page]) -> None:
        """Write all files of the site."""
        self._previous, self._total = self.out.previous(), len(pages)
        for file in self.frame.files:
            self.out.write(file.address, file.data)
        independent = [page for page in pages if not page.needs]
        stale = [page for page in independent if page.seconds and not self._reuse(page)]
        self._report()
        with workers.run(list(self._tasks(stale)), self.worker_count) as batches:
            for page in independent:
                if not page.seconds:
                    self._write(page)
            for batch in batches():
                self._add(batch)
        for page in pages:
            if page.needs:
                self._write(page)
        self.out.mark(self._rendered)

    def _write(self, page: Page) -> None:
        if self._reuse(page):
            self._report()
        else:
            self._add(self._render([page]))

    def _reuse(self, page: Page) -> bool:
        """Take a page over from the previous site, if it shows the same."""
        value = attempt(page.key)
        key = self._keys[page.name] = "" if isinstance(value, PageFailure) else self._hash(value)
        previous = self._previous.get(page.name) if key else None
        if previous is None or previous.key != key or not page.accepts(_result(previous)):
            return False
        if not self.out.reuse(previous.files):
            return False
        self._rendered[page.name] = previous
        return True

    def _hash(self, key: object) -> str:
        """Return the hash of everything that a page shows; an empty text if it has no key."""
        if key is None:
            return ""
        data = f"{self.frame.fingerprint} {key!r}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(data).hexdigest()[:32]

    def _tasks(self, pages: Sequence[Page]) -> Iterator[workers.Task[_Batch]]:
        """Return tasks of one page or several quick ones, the longest first."""
        batches: list[tuple[float, list[Page]]] = []
        seconds, batch = 0.0, list[Page]()
        for page in pages:
            batch.append(page)
            seconds += page.seconds
            if seconds >= _BATCH_SECONDS or page is pages[-1]:
                batches.append((seconds, batch))
                seconds, batch = 0.0, []
        for seconds, batch in sorted(batches, key=lambda pair: -pair[0]):
            yield workers.Task(seconds=seconds, work=partial(self._render, batch))

    def _render(self, pages: Sequence[Page]) -> _Batch:
        """Write files of pages, and return what has to be added to this object.

        It may be called in a copy of this process.
        """
        rendered, contents, failures = {}, {}, list[str]()
        files: dict[str, SiteFile] = {}
        errors: list[tuple[str, PageFailure]] = []
        for page in pages:
            before = len(errors)
            outputs = self._outputs(page, errors)
            for file in outputs.files:
                self.out.write(file.address, self._data(file, errors))
                files[file.address] = self.out.files[file.address]
            final = outputs.final and len(errors) == before
            rendered[page.name] = Rendered(
                key=self._keys[page.name] if final else "",
                files=self.out.sizes(file.address for file in outputs.files),
                facts=outputs.facts,
            )
            if outputs.content is not None:
                contents[page.name] = outputs.content
            failures += outputs.failures
        return _Batch(
            files=files,
            rendered=rendered,
            contents=contents,
            failures=(*failures, *self.source.unread()),
            errors=errors,
        )

    def _outputs(self, page: Page, errors: list[tuple[str, PageFailure]]) -> Outputs:
        """Make the files of a page, or one that shows why it cannot be made."""
        made = attempt(lambda: page.outputs({name: self._result(name) for name in page.needs}))
        if not isinstance(made, PageFailure):
            return made
        if page.address:
            return Outputs(files=[HtmlFile(address=page.address, template="", failure=made)])
        errors.append((page.name, made))
        return Outputs(files=[])

    def _data(self, file: HtmlFile | DataFile, errors: list[tuple[str, PageFailure]]) -> bytes:
        """Return the bytes of a file; those of a page may tell why it cannot be shown."""
        if isinstance(file, DataFile):
            return file.data
        data = attempt(lambda: self.frame.render(file)) if file.failure is None else file.failure
        if isinstance(data, bytes):
            return data
        errors.append((file.address, data))
        return self.frame.render_failure(file.address, data)

    def _add(self, batch: _Batch) -> None:
        self.out.take(batch.files)
        self._rendered |= batch.rendered
        self.contents |= batch.contents
        self.failures |= dict.fromkeys(batch.failures)
        self.errors += batch.errors
        self._report()

    def _result(self, name: str) -> Result:
        return _result(self._rendered[name], self.contents.get(name))

    def _report(self) -> None:
        if self._rendered:
            self.progress(len(self._rendered), self._total)


def _result(rendered: Rendered, content: object = None) -> Result:
    return Result(addresses=tuple(rendered.files), facts=rendered.facts, content=content)
