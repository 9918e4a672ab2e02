"""Relative pictures and links of notes and documents, and what is left of dead ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import Artifact, RegisteredModel
from gitml.publishing import documents
from gitml.repository import Repository
from gitml.site import build
from gitml.site.charts import static_charts
from gitml.site.data import views
from gitml.site.data.views import Chart, Key
from gitml.site.pages.relative_links import normal_path
from gitml.site.previews import File
from gitml.site.source import Document
from gitml.site.text import markdown, urls
from tests.site.conftest import FILES, make_run, png, run_id

NOTE = """![curve](plots/curve.png) ![curve](./plots/../plots/curve.png) ![none](gone.png)
[table](predictions.csv) [gone](gone.csv) [up](../../etc/passwd) [host](//evil.example/x) [top](#x)
[web](https://example.org/) ![remote](https://example.org/pixel.png)
"""


def test_pictures_and_links_of_a_note_lead_to_its_artifacts(
    page: Any, content: Any, options: Any, tmp_path: Path
) -> None:
    runs = [make_run(0, tags={"mlflow.note.content": NOTE})]
    build(content(runs=runs), tmp_path / "site", options=options)
    page.goto((tmp_path / "site" / "runs" / f"{run_id(0)}.html").as_uri())
    pictures = page.locator(".note img")
    assert pictures.count() == 2
    assert pictures.evaluate_all("all => all.map(i => i.naturalWidth)") == [320, 320]
    links = page.locator(".note a").evaluate_all("all => all.map(a => [a.textContent, a.href])")
    assert [text for text, _ in links] == ["table", "web"]
    text = page.locator(".note").inner_text()
    for dead in ("[picture: none]", "gone (gone.csv)", "up (../../etc/passwd)", "host", "top"):
        assert dead in text
    assert not page.locator(f"#{links[0][1].partition('#')[2]}").is_visible()
    page.locator(".note a").first.click()
    summary = page.locator("details:has-text('predictions.csv')").last
    assert summary.evaluate("node => node.open") or "#file-" in page.url


def test_a_report_shows_pictures_of_the_repository_and_links_its_files(
    page: Any, content: Any, options: Any, tmp_path: Path
) -> None:
    files = {"docs/arch.png": png(80, 40), "src/train.py": b"print()"}
    text = (
        "# Report\n![arch](../docs/arch.png) ![gone](../docs/gone.png) "
        "[code](../src/train.py) [other](other.md) [out](../../x.md) [no](nothing.md)\n"
    )
    source = content(
        reports=[
            Document(name="first", text=text, path="reports/first.md"),
            Document(name="other", text="# Other\n", path="reports/other.md"),
        ],
        code_file=lambda path, limit: files.get(path),
        code_link=lambda path: f"https://github.com/example/fuel/blob/0123456/{path}",
    )
    build(source, tmp_path / "site", options=options)
    page.goto((tmp_path / "site" / urls.report_page("first")).as_uri())
    assert page.locator(".note img").evaluate_all("all => all.map(i => i.naturalWidth)") == [80]
    links = page.locator(".note a").evaluate_all("all => all.map(a => a.textContent)")
    assert links == ["code", "other"]
    assert "out (../../x.md)" in page.locator(".note").inner_text()
    page.get_by_role("link", name="other", exact=True).click()
    assert page.locator("h1").inner_text() == "Other"


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("a/../b.png", "", "b.png"),
        ("../x.png", "", ""),
        ("../x.png", "reports", "x.png"),
        ("../../x.png", "reports", ""),
        ("/docs/x.png", "reports", "docs/x.png"),
        ("", "reports", ""),
    ],
)
def test_a_path_never_leads_out_of_its_root(path: str, folder: str, expected: str) -> None:
    assert normal_path(path, folder) == expected


def test_files_of_documents_are_read_inside_the_work_tree_only(repository: Path) -> None:
    (repository.parent / "secret.png").write_bytes(png())
    (repository / "link.png").symlink_to(repository.parent / "secret.png")
    (repository / "own.png").write_bytes(png())
    opened = Repository.open(repository)
    assert documents.code_file(opened, "own.png", 10**6) == png()
    assert documents.code_file(opened, "own.png", 10) is None
    for path in ("link.png", "../secret.png", "/etc/passwd", ".git/config", "gone.png", "a\0b"):
        assert documents.code_file(opened, path, 10**6) is None


def test_pictures_of_a_key_and_step_stand_side_by_side(
    page: Any, content: Any, options: Any, tmp_path: Path
) -> None:
    names = {
        number: [
            f"images/map+step+{step}+timestamp+179586933594{number}+{number}f65114.png"
            for step in (2, 10)
        ]
        for number in (0, 1)
    }
    by_run = {run_id(number): paths for number, paths in names.items()}
    source = content(
        runs=[make_run(0), make_run(1)],
        artifacts=lambda key: [Artifact(path=p, size=9, md5="0" * 32) for p in by_run[key]],
        read_artifact=lambda key, path, limit: png(40 + 10 * (key == run_id(1)), 30),
    )
    build(source, tmp_path / "site", options=options)
    page.goto(f"{(tmp_path / 'site').as_uri()}/compare.html#{run_id(0)},{run_id(1)}")
    page.locator("#pictures figure").nth(3).wait_for()
    assert page.locator("#pictures h3").all_inner_texts() == ["map, step 2", "map, step 10"]
    rows = page.locator("#pictures .pictures")
    for row in (0, 1):
        left, right = (rows.nth(row).locator("figure").nth(k).bounding_box() for k in (0, 1))
        assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    page.goto(f"{(tmp_path / 'site').as_uri()}/runs/{run_id(0)}.html")
    captions = page.locator(".pictures figcaption bdi").all_inner_texts()
    assert captions == ["map, step 2", "map, step 10"]


def test_a_picture_is_titled_by_key_and_step_as_mlflow_names_it() -> None:
    path = "images/a b%step%-3%timestamp%17%0f-1e.webp"
    assert File(path=path, size="", md5="").title == "a b, step -3"
    assert File(path="images/x.png", size="", md5="").title == "images/x.png"


def test_model_cards_render_markdown(page: Any, content: Any, options: Any, tmp_path: Path) -> None:
    model = RegisteredModel(
        name="FuelModel",
        creation_timestamp=0,
        last_updated_timestamp=0,
        description="**maximises margin** by `price` <b>x</b>\n\nMore.",
    )
    build(content(models=[model]), tmp_path / "site", options=options)
    page.goto((tmp_path / "site" / "index.html").as_uri())
    card = page.locator(".cards p", has_text="maximises")
    assert card.inner_text() == "maximises margin by price <b>x</b>"
    assert card.locator("strong").inner_text() == "maximises margin"


def test_a_line_of_markdown_has_no_blocks_and_is_cut_as_text() -> None:
    assert markdown.line("# Title\ntext", 80) == "Title text"
    assert markdown.line("**bold** " + "x" * 100, 20) == "bold xxxxxxxxxxxxxx…"
    assert re.fullmatch(r"a <em>b</em>.*", markdown.line("a *b*\n\nrest", 80))


def test_odd_values_do_not_make_a_column_of_a_report_texts() -> None:
    depth, mode = Key(kind="params", name="depth"), Key(kind="params", name="mode")
    texts = ["None", "4", "8", "inf", "1_0", "16", "32", "2"]
    assert views.numbers(depth, texts) == [None, 4, 8, None, None, 16, 32, 2]
    assert views.odd(depth, texts) == ["1_0", "None", "inf"]
    assert views.numbers(mode, ["sqrt", "0.5", None]) is None
    assert views.numbers(Key(kind="metrics", name="m"), [float("nan"), 1.0, None]) == [
        None,
        1,
        None,
    ]
    runs = [make_run(k, params={"depth": text}) for k, text in enumerate(texts)]
    chart = Chart(kind="scatter", x=depth, y=Key(kind="metrics", name="rmse"))
    specification = static_charts.spec(chart, runs)
    assert specification is not None
    assert specification["encoding"]["x"]["type"] == "quantitative"
    assert len(specification["data"]["values"]) == 5
    assert static_charts.left_out(chart, runs) == "depth 1_0, None, inf"
    assert set(FILES)  # the artifacts that notes above name
