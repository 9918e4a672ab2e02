"""A site on disk: the same bytes each time, moved in when whole, over nobody else's folder."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gitml.errors import InvalidInput
from gitml.site import SiteOptions, build
from gitml.site.data import columns as data
from gitml.site.options import ShardSizes
from gitml.site.output import bundle, folder as output
from gitml.site.output.bundle import INTERPRETER
from tests.conftest import ended


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_content_gives_the_same_bytes(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    build(content(), tmp_path / "one", options=options)
    build(content(), tmp_path / "two", options=options)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_rebuild_takes_over_what_did_not_change(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    read = []
    full = content(run_oid=lambda key: key, artifacts=lambda key: read.append(key) or [])
    first = build(full, tmp_path / "site", options=options)
    before, pages = snapshot(tmp_path / "site"), len(read)
    second = build(full, tmp_path / "site", options=options)
    assert (pages, len(read)) == (74, 74)  # of 72 runs and 2 versions
    assert (first.unchanged, second.written) == (0, 0)
    assert (second.unchanged, second.bytes) == (first.written, first.bytes)
    assert snapshot(tmp_path / "site") == before


def test_next_build_previews_a_file_that_arrived_later(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    full = content(run_oid=lambda key: key)
    absent = dataclasses.replace(full, read_artifact=lambda key, path, limit: None)
    build(absent, tmp_path / "site", options=options)
    assert not (tmp_path / "site" / "media").exists()
    build(full, tmp_path / "site", options=options)
    assert len(list((tmp_path / "site" / "media").iterdir())) == 1


def test_incremental_build_equals_a_fresh_build(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    full = content(run_oid=lambda key: key)
    fewer = dataclasses.replace(full, runs=full.runs[3:], models=[], commit="")
    build(fewer, tmp_path / "grown", options=options)
    build(full, tmp_path / "grown", options=options)
    build(full, tmp_path / "fresh", options=options)
    assert snapshot(tmp_path / "grown") == snapshot(tmp_path / "fresh")


def test_foreign_folder_is_not_replaced(content: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidInput, match="is not empty and was not made by gitml"):
        build(content(2), tmp_path)
    assert snapshot(tmp_path) == {"thesis.txt": b"years of work"}


def test_a_build_that_is_stopped_leaves_the_old_site(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    build(content(3), tmp_path / "site", options=options)
    before = snapshot(tmp_path / "site")

    def broken(key: str) -> Any:
        raise KeyboardInterrupt(key)

    with pytest.raises(KeyboardInterrupt):
        build(content(3, history=broken), tmp_path / "site", options=options)
    assert snapshot(tmp_path / "site") == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("when", [*range(0, 30, 4), 29])
def test_a_build_that_is_cut_off_leaves_pages_that_fit_and_trusts_nothing(
    content: Any, options: SiteOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    few = content(8, run_oid=lambda key: key)
    more = content(12, run_oid=lambda key: key)
    build(few, tmp_path / "site", options=options)
    moved, real = [], os.replace

    def move(source: str, target: str) -> None:
        if len(moved) == when:
            raise KeyboardInterrupt
        moved.append(real(source, target))

    monkeypatch.setattr(os, "replace", move)
    with contextlib.suppress(KeyboardInterrupt):
        build(more, tmp_path / "site", options=options)
    assert len(moved) == when
    monkeypatch.undo()
    named = [
        page.parent / name
        for page in {*(tmp_path / "site").rglob("*.html")} - {tmp_path / "site" / "404.html"}
        for name in re.findall(r'\s(?:src|href)="([./]*(?:static|data)/[^"]+)"', page.read_text())
    ]
    assert len(named) > 50
    assert [path for path in named if not path.is_file()] == []
    read = []
    seen = dataclasses.replace(more, artifacts=lambda key: read.append(key) or more.artifacts(key))
    build(seen, tmp_path / "site", options=options)
    assert (len(read) >= 12) == (when > 0)  # all of them, once the marker was withdrawn
    build(more, tmp_path / "fresh", options=options)
    assert snapshot(tmp_path / "site") == snapshot(tmp_path / "fresh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "site"]


def test_a_link_in_the_old_site_leads_nothing_out_of_it(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    build(content(3), tmp_path / "site", options=options)
    shutil.rmtree(tmp_path / "site" / "runs")
    (tmp_path / "site" / "runs").symlink_to(tmp_path / "home")
    (tmp_path / "site" / "404.html").unlink()
    (tmp_path / "site" / "404.html").symlink_to(tmp_path / "home" / "thesis.txt")
    build(content(3), tmp_path / "site", options=options)
    assert snapshot(tmp_path / "home") == {"thesis.txt": b"years of work"}
    build(content(3), tmp_path / "fresh", options=options)
    assert snapshot(tmp_path / "site") == snapshot(tmp_path / "fresh")


def test_files_of_a_worker_are_moved_in(
    content: Any, options: SiteOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(content(1), tmp_path / "site", options=options)

    def refuse(source: str, target: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "replace", refuse)  # as between volumes
    with output.Output(folder=tmp_path / "site") as out:
        twin = copy.copy(out)
        twin.files, twin._folders = {}, set()
        twin.write("media/deep/new.txt", b"new")
        out.take(twin.files)
        out.mark({})
    files = snapshot(tmp_path / "site")
    assert files.keys() == {"media/deep/new.txt", output.MARKER}
    assert files["media/deep/new.txt"] == b"new"


def test_leftovers_of_a_killed_build_are_removed(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gitml.site.output.folder import Output\n"
        "with Output(folder=Path(sys.argv[1])) as out:\n"
        "    out.write('runs/half.html', b'half')\n"
        "    print('begun', flush=True)\n"
        "    signal.pause()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    with ended(subprocess.Popen(command, stdout=subprocess.PIPE)) as killed:
        assert killed.stdout and killed.stdout.readline() == b"begun\n"
        build(content(2), tmp_path / "other", options=options)
        build(content(2), tmp_path / "site", options=options)  # does not disturb it
        assert len(list(tmp_path.glob(".site.*.new"))) == 1
        killed.kill()
    build(content(2), tmp_path / "site", options=options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "site"]


def test_concurrent_builds_wait_for_each_other(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    both = [content(count, run_oid=lambda key: key) for count in (5, 9)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            list(pool.map(lambda source: build(source, tmp_path / "site", options=options), both))
    for source, name in zip(both, ("few", "many"), strict=True):
        build(source, tmp_path / name, options=options)
    files = snapshot(tmp_path / "site")
    assert files in (snapshot(tmp_path / "few"), snapshot(tmp_path / "many"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "many", "site"]


@pytest.mark.parametrize("late", [False, True])
def test_build_survives_another_that_sweeps_its_folder_before_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    swept, lock = [], output.files.lock_folder

    def sweep_first(folder: Path, *, wait: bool = True) -> int:
        if swept or not folder.name.endswith(".new"):
            return lock(folder, wait=wait)
        swept.append(folder)
        if late:
            descriptor = lock(folder, wait=wait)
            folder.rmdir()
            return descriptor
        folder.rmdir()
        return lock(folder, wait=wait)

    monkeypatch.setattr(output.files, "lock_folder", sweep_first)
    with output.Output(folder=tmp_path / "site") as out:
        out.write("a.txt", b"a")
        out.mark({})
    assert (len(swept), snapshot(tmp_path / "site")["a.txt"]) == (1, b"a")


def test_full_blocks_of_a_table_are_not_made_again(
    content: Any, options: SiteOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ShardSizes(newest=10, block=20, small_block=5)
    options = dataclasses.replace(options, sizes=sizes)
    full, rows = content(run_oid=lambda key: key), []
    fewer = dataclasses.replace(full, runs=full.runs[1:])
    build(fewer, tmp_path / "site", options=options)
    columns = data.columns
    monkeypatch.setattr(data, "columns", lambda runs: rows.append(len(runs)) or columns(runs))
    build(full, tmp_path / "site", options=options)
    assert sorted(rows) == [5, 10, 10]  # the newest of both tables and the block that grew
    build(full, tmp_path / "fresh", options=options)
    assert snapshot(tmp_path / "site") == snapshot(tmp_path / "fresh")


def test_folder_that_cannot_be_written_is_an_error(content: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="Give"):
        build(content(1), tmp_path / "file")
    with pytest.raises(InvalidInput, match="cannot be written"):
        build(content(1), tmp_path / "file" / "site")


def test_an_empty_repository_says_what_to_type(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    build(content(0, experiments=[], models=[]), tmp_path / "site", options=options)
    home = (tmp_path / "site" / "index.html").read_text()
    assert "No runs yet" in home and "gitml.start_run()" in home and "gitml ui" in home


def test_pages_are_readable_without_scripts(site: Path) -> None:
    table = next((site / "experiments").glob("fuel-*")).read_text()
    assert len(re.findall(r"<tr><th scope=\"row\">", table)) == 60
    assert "forest-12" in table and "max_depth" in table


@pytest.mark.slow
def test_every_page_has_the_policy_and_no_inline_script(site: Path, hostile_site: Path) -> None:
    pages = [*site.rglob("*.html"), *hostile_site.rglob("*.html")]
    assert len(pages) > 80
    for page in pages:
        text = page.read_text()
        if page.name == "sandbox.html":  # a frame without an origin, for pages that runs logged
            assert "default-src 'none'; script-src 'unsafe-inline'" in text
            continue
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in text
        assert re.findall(r"<script(?! src=| defer src=)", text) == []
        tags = re.sub(r'"[^"]*"', '""', re.sub(r">[^<]*<", "><", text))
        assert re.findall(r"\s(?:style|on\w+)=", tags) == []


def test_hostile_names_stay_text_and_inside_the_site(hostile_site: Path) -> None:
    names = {path.relative_to(hostile_site).as_posix() for path in hostile_site.rglob("*.*")}
    assert all(re.fullmatch(r"[\w./-]+", name) and ".." not in name for name in names)
    assert not any(name.endswith((".skops", ".csv")) for name in names)
    drawings = [name for name in names if name.endswith(".svg")]
    assert len(drawings) == 5  # of the reports; a drawing of a run is none of them
    for name in drawings:
        nodes = list(ElementTree.parse(hostile_site / name).iter())
        tags = {node.tag.removeprefix("{http://www.w3.org/2000/svg}") for node in nodes}
        assert tags <= {"svg", "g", "rect", "path", "line", "text", "title", "defs", "clipPath"}
        assert not {
            key for node in nodes for key in node.attrib if key[:2] == "on" or "href" in key
        }
    for page in hostile_site.rglob("*.html"):
        text = page.read_text()
        links = re.findall(r'href="([^"]*)', text)
        assert "<img src=x" not in text and "<script>alert" not in text
        assert not any(link.startswith("javascript:") for link in links)


def test_a_template_of_the_user_comes_first(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "404.html").write_text("{{ title }} has moved")
    changed = dataclasses.replace(options, templates=own)
    build(content(1), tmp_path / "site", options=changed)
    assert (tmp_path / "site" / "404.html").read_text() == "Fuel &amp; weather has moved"
    with pytest.raises(InvalidInput, match="does not exist"):
        build(content(1), tmp_path / "site", options=SiteOptions(templates=tmp_path / "none"))


@pytest.mark.parametrize(("name", "text"), [("run.js", "const = ;"), ("table.css", "a{b:url(")])
def test_broken_asset_of_the_user_is_an_error(
    content: Any, options: SiteOptions, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / "own" / "assets").mkdir(parents=True)
    (tmp_path / "own" / "assets" / name).write_text(text)
    changed = dataclasses.replace(options, templates=tmp_path / "own")
    with pytest.raises(InvalidInput, match=f"Cannot minify assets/{name}: "):
        build(content(1), tmp_path / "site", options=changed)
    assert not (tmp_path / "site").exists()


def test_assets_are_minified_if_the_minifier_is_installed(
    monkeypatch: pytest.MonkeyPatch, options: SiteOptions
) -> None:
    scripts = {"one.js": b"// first\n(() => { const long = 1; f(long); })();", "two.js": b"g( 2 );"}
    styles = {"one.css": b"/* first */\na > b { color: red; }\n", "two.css": b"a:hover { top: 0 }"}
    minified = bundle.scripts(scripts, options.cache)
    assert minified == {"one.js": b"(()=>{const e=1;f(e)})()\n", "two.js": b"g(2)\n"}
    assert bundle.styles(styles) == {
        "one.css": b"a>b{color:red}\n",
        "two.css": b"a:hover{top:0}\n",
    }
    monkeypatch.setitem(sys.modules, "minify", None)
    stripped = bundle.scripts(scripts, options.cache)
    assert stripped == {"one.js": b"(()=>{f(1);})();\n", "two.js": b"g(2);\n"}
    assert bundle.styles(styles) == styles


def test_report_names_what_was_dropped_and_progress_completes(
    content: Any, options: SiteOptions, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    few = dataclasses.replace(options, run_pages=10)
    report = build(
        content(), tmp_path / "site", options=few, progress=lambda *step: steps.append(step)
    )
    assert report.dropped == (
        "62 older runs are shown without previews of their files (site.run_pages).",
    )
    assert len(list((tmp_path / "site" / "runs").iterdir())) == 10
    assert [total for _, total in steps] == [25] * len(steps)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert steps[-1] == (25, 25)
    assert report.bytes == sum(map(len, snapshot(tmp_path / "site").values()))


def test_scripts_that_a_page_starts_with_fit_40_kb(site: Path) -> None:
    heaviest = 0
    fixed = ("index.html", "compare.html", "run.html", "404.html")
    for page in (*(site / name for name in fixed), *site.glob("*s/*.html")):
        names = re.findall(r'(?:src|href)="(?:\.\./)?(static/[^"]+)"', page.read_text())
        own = [name for name in names if "/specs." not in name]
        heaviest = max(heaviest, sum((site / name).stat().st_size for name in own))
    assert 20_000 < heaviest <= 40_000


def test_own_scripts_and_styles_fit_100_kb(site: Path) -> None:
    files = [
        path for path in (site / "static").iterdir() if path.name[:5] not in ("vega.", "specs")
    ]
    assert 40_000 < sum(path.stat().st_size for path in files) <= 100_000
    assert next((site / "static").glob("vega.*")).stat().st_size <= 620_000


def test_the_marker_lists_every_run(site: Path) -> None:
    marker = json.loads((site / ".gitml.json").read_text())
    runs = [name for name in marker["parts"] if re.fullmatch("[0-9a-f]{32}", name)]
    assert (marker["generator"], len(runs)) == ("gitml", 72)


def test_the_notices_name_the_vega_that_is_bundled(site: Path) -> None:
    import vl_convert

    notices = (site / "THIRD_PARTY.txt").read_text()
    assert f"vega {vl_convert.get_vega_version()}, vega-interpreter {INTERPRETER}" in notices
    for words in ("University of Washington", "Mike Bostock", "Mapbox", "Cynthia Brewer"):
        assert words in notices
