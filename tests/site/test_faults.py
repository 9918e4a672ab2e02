"""A wrong page, view, report, template or record: its page says why, and the others are built."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import InvalidInput, StoreError
from gitml.site import BuildReport, SiteOptions, build
from gitml.site.source import Document
from tests.site.memory_source import MemorySource

ATTACK = "<script>alert(1)</script>"


def built(
    source: MemorySource, folder: Path, options: SiteOptions, **changes: Any
) -> tuple[BuildReport, dict[str, str]]:
    """Build a site; returns the report and its pages by address."""
    report = build(source, folder, options=dataclasses.replace(options, **changes))
    pages = sorted(folder.rglob("*.html"))
    return report, {p.relative_to(folder).as_posix(): p.read_text() for p in pages}


def failed(pages: dict[str, str]) -> list[str]:
    return [name for name, text in pages.items() if "This page cannot be shown" in text]


def raising(error: Exception) -> Callable[..., Any]:
    def method(*_: object) -> Any:
        raise error

    return method


def test_a_wrong_view_report_or_page_is_named_and_the_rest_is_built(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path
) -> None:
    source = content()
    fault = InvalidInput(f"pages/bad.md {ATTACK} is not UTF-8 text.", hint="Save it as UTF-8.")
    source = dataclasses.replace(
        source,
        pages=[*source.pages, Document(name="bad", path="docs/bad.md", text="", fault=fault)],
        views=[
            *source.views,
            Document(name="wrong", path="views/wrong.yaml", text="experiment: ["),
        ],
        reports=[
            *source.reports,
            Document(
                name="of-wrong", path="reports/of-wrong.md", text="```gitml\nview: wrong\n```\n"
            ),
            Document(name="of-none", path="reports/of-none.md", text="```gitml\nview: none\n```\n"),
            Document(name="fine", path="reports/fine.md", text="# Fine\n"),
        ],
    )
    good, before = built(content(), tmp_path / "good", options)

    report, pages = built(source, tmp_path / "site", options)

    assert good.failures == ()
    names = {name.rpartition("-")[0]: name for name in pages}
    wrong = [names[name] for name in ("pages/bad", "reports/of-none", "reports/of-wrong")]
    assert failed(pages) == wrong
    assert "&lt;script&gt;alert(1)&lt;/script&gt; is not UTF-8 text." in pages[wrong[0]]
    assert ATTACK not in "".join(pages.values())
    assert "views/wrong.yaml is not valid YAML" in pages["index.html"]
    assert "views/wrong.yaml is not valid YAML" in pages[wrong[2]]
    assert before.keys() | {names["reports/fine"]} < pages.keys()
    assert [sentence.partition(": ")[0] for sentence in report.failures] == [
        "A view is not shown",
        f"{wrong[0]} shows an error",
        f"{wrong[2]} shows an error",
        f"{wrong[1]} shows an error",
    ]
    assert set(report.failures) <= set(report.dropped)


@pytest.mark.parametrize("method", ["history", "artifacts", "patch", "requirements", "run_oid"])
@pytest.mark.parametrize("run_pages", [5000, 0])
def test_a_run_that_cannot_be_read_is_the_only_page_that_fails(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path, method: str,
    run_pages: int,
) -> None:  # fmt: skip
    source = content()
    bad = source.runs[0].info.run_id
    read = getattr(source, method)

    def faulty(run_id: str, *rest: Any) -> Any:
        if run_id == bad:
            raise StoreError(f"This run is {ATTACK}.")
        return read(run_id, *rest)

    changed = dataclasses.replace(source, **{method: faulty})
    report, pages = built(changed, tmp_path / "site", options, run_pages=run_pages)

    others = [name for name in failed(pages) if not name.startswith("models/fuelmodel-")]
    assert others in ([], [f"runs/{bad}.html"])
    assert ATTACK not in "".join(pages.values())
    assert all("This run is" in sentence for sentence in report.failures)
    if method in ("artifacts", "patch"):
        assert report.failures


@pytest.mark.parametrize("method", ["events", "decisions", "signature"])
@pytest.mark.parametrize("error", [StoreError("No."), OverflowError("int too large")])
def test_a_model_that_cannot_be_read_leaves_runs_and_experiments(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path, method: str,
    error: Exception,
) -> None:  # fmt: skip
    source = dataclasses.replace(content(), **{method: raising(error)})
    report, pages = built(source, tmp_path / "site", options)
    assert report.failures
    assert not [name for name in failed(pages) if name.startswith(("runs/", "experiments/"))]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 1 / 0 }}", "Cannot render the template extra.html, line 1: division by zero"),
        ("\n{{ nothing.at_all }}", "Cannot render the template extra.html, line 2: 'nothing'"),
        ("{% if %}", "Cannot render the template extra.html, line 1: Expected an expression"),
        ("{% include 'extra.html' %}", "Cannot render the template extra.html"),
        ("{{ ''.__class__.__mro__ }}", "Cannot render the template extra.html, line 1: "),
        (
            "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
            "Cannot render the template extra.html, line 1: range gave more than 10,000,000 number",
        ),
        (
            "{% set x = 'x' * 1000000 %}{% for a in range(1000) %}{{ x }}{% endfor %}",
            "The template extra.html makes a page of more than 100 MB",
        ),
    ],
)
def test_a_template_that_fails_is_named_on_its_pages_only(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path, template: str,
    message: str,
) -> None:  # fmt: skip
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "extra.html").write_text(template)
    source = dataclasses.replace(
        content(), pages=[Document(name="extra", path="docs/extra.md", text="# A page")]
    )
    report, pages = built(
        source, tmp_path / "site", options, templates=tmp_path / "templates", workers=1
    )
    assert [name for name in failed(pages) if name.startswith("pages/extra")]
    assert {name.partition("/")[0] for name in failed(pages)} <= {"pages", "reports"}
    assert any(message in sentence for sentence in report.failures), report.failures


def test_a_broken_layout_gives_pages_that_say_so(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "layout.html").write_text("{% block main %}{{ nothing }}")
    report, pages = built(content(), tmp_path / "site", options, templates=tmp_path / "templates")
    assert len(failed(pages)) > 10
    assert any("more pages show an error: Cannot render" in s for s in report.failures)
    assert len(report.failures) < 5


def test_the_page_is_made_again_once_its_fault_is_mended(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path
) -> None:
    source = content()
    bad = dataclasses.replace(source, artifacts=raising(StoreError("Not now.")))
    report, pages = built(bad, tmp_path / "site", options)
    assert failed(pages) and report.failures
    report, pages = built(source, tmp_path / "site", options)
    assert (failed(pages), report.failures) == ([], ())


@pytest.mark.parametrize("kind", ["link", "loop", "large", "bytes"])
def test_a_template_folder_publishes_no_other_file(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "project" / "templates"
    (folder / "assets").mkdir(parents=True)
    (tmp_path / "secret").write_text("the builder's secret")
    target = folder / "assets" / "page.css"
    if kind == "large":
        target.write_bytes(b" " * (2**20 + 1))
    elif kind == "bytes":
        target.write_bytes(b"\xff")
    else:
        target.symlink_to(tmp_path / "secret" if kind == "link" else target)
    with pytest.raises(InvalidInput, match=r"leads out of|has more than|is not"):
        built(content(), tmp_path / "site", options, templates=folder)
    assert not (tmp_path / "site").exists()


def test_a_template_may_be_a_link_to_a_file_of_the_repository(
    content: Callable[[], MemorySource], options: SiteOptions, tmp_path: Path
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "shared.html").write_text("SHARED")
    (folder / "extra.html").symlink_to(tmp_path / "shared.html")
    source = dataclasses.replace(
        content(), pages=[Document(name="x", path="docs/x.md", text="# X")]
    )
    _, pages = built(source, tmp_path / "site", options, templates=folder, root=tmp_path)
    assert "SHARED" in pages.values()
    with pytest.raises(InvalidInput, match="leads out of the repository"):
        built(source, tmp_path / "site", options, templates=folder)
