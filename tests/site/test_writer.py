"""Pages as the writer sees them: names, keys, needs and what is taken over from an earlier site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gitml.site import SiteOptions, previews
from gitml.site.catalogue import Catalogue
from gitml.site.data import views
from gitml.site.frame import Frame
from gitml.site.gather import gather
from gitml.site.output import templates
from gitml.site.output.folder import Output
from gitml.site.page import DataFile, Outputs, Page, Result, SiteContext
from gitml.site.writer import SiteWriter
from tests.site.memory_source import MemorySource


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePage(Page):
    """A page that counts how often it is rendered."""

    name: str
    text: str = "text"
    shows: object = None
    needs: Sequence[str] = ()
    final: bool = True
    rendered: list[str] = field(default_factory=list)

    def key(self) -> object:
        return self.shows

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        self.rendered.append(self.name)
        parts = [self.text, *(f"{name}: {results[name]}" for name in self.needs)]
        file = DataFile(address=f"{self.name}.txt", data=" ".join(parts).encode())
        return Outputs(
            files=[file], facts={"about": self.text}, content=self.text, final=self.final
        )


@pytest.fixture
def write(tmp_path: Path, options: SiteOptions) -> Callable[..., list[str]]:
    """Write pages over the earlier site and return the names of those that were rendered."""
    source = MemorySource()
    frame = Frame.of(source, templates.load(None, options.cache), options)

    def write(*pages: NotePage) -> list[str]:
        rendered: list[str] = []
        with Output(folder=tmp_path / "site") as out:
            writer = SiteWriter(source=source, frame=frame, out=out, progress=lambda *step: None)
            writer.write([NotePage(**_fields(page), rendered=rendered) for page in pages])
        return rendered

    return write


def _fields(page: NotePage) -> dict[str, Any]:
    names = ("name", "text", "shows", "needs", "final")
    return {name: getattr(page, name) for name in names}


def test_page_with_the_same_key_is_taken_over(write: Any, tmp_path: Path) -> None:
    assert write(NotePage(name="a", shows="1"), NotePage(name="b")) == ["a", "b"]
    assert write(NotePage(name="a", shows="1"), NotePage(name="b")) == ["b"]  # b has no key
    assert write(NotePage(name="a", shows="2", text="new")) == ["a"]
    assert (tmp_path / "site" / "a.txt").read_text() == "new"
    assert not (tmp_path / "site" / "b.txt").exists()


def test_page_that_is_not_final_is_rendered_again(write: Any) -> None:
    page = NotePage(name="a", shows="1", final=False)
    assert (write(page), write(page)) == (["a"], ["a"])


def test_page_with_needs_comes_last_and_gets_saved_facts(write: Any, tmp_path: Path) -> None:
    pages = (NotePage(name="list", needs=("a",)), NotePage(name="a", shows="1"))
    assert write(*pages) == ["a", "list"]
    text = (tmp_path / "site" / "list.txt").read_text()
    assert "addresses=('a.txt',), facts={'about': 'text'}, content='text'" in text
    assert write(*pages) == ["list"]
    text = (tmp_path / "site" / "list.txt").read_text()
    assert "addresses=('a.txt',), facts={'about': 'text'}, content=None" in text


@pytest.mark.parametrize("run_pages", [0, 3, 5_000])
@pytest.mark.parametrize("fixture", ["content", "hostile"])
def test_pages_have_names_of_their_own_and_needs_that_exist(
    request: pytest.FixtureRequest, options: SiteOptions, fixture: str, run_pages: int
) -> None:
    source = request.getfixturevalue(fixture)()
    catalogue = Catalogue.of(source, run_pages)
    with previews.parquet_reader() as table_reader:
        site = SiteContext(
            catalogue=catalogue,
            options=options,
            templates=templates.load(None, options.cache),
            table_reader=table_reader,
            views=[views.parse(view.name, view.text, view.path) for view in source.views],
            newest_runs=run_pages,
            curve_runs=len(catalogue.runs),
            omissions=(),
        )
        pages = gather(site)
    names = [page.name for page in pages]
    assert len(set(names)) == len(names)
    assert {need for page in pages for need in page.needs} <= set(names)
