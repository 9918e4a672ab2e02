"""View models and the small things pages are made of."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import Artifact, Dataset, Experiment, LifecycleStage, RunInputs
from gitml.errors import InvalidInput
from gitml.site import previews
from gitml.site.catalogue import Catalogue, PageLink
from gitml.site.charts import specs
from gitml.site.output import templates
from gitml.site.pages import home
from gitml.site.pages.model import model_view
from gitml.site.pages.run_view import RunMetricRow, run_view
from gitml.site.source import RepositoryWarning
from gitml.site.text import formats, markdown, urls
from gitml.tracking.failure import RunFailure
from tests.site.conftest import START, event

COMMIT = "3f9d2c1ab4e5f60718293a4b5c6d7e8f90a1b2c3"


def test_importing_the_site_loads_no_heavy_library() -> None:
    code = (
        "import sys, gitml.site; heavy = {'jinja2', 'markdown_it', 'vl_convert', 'dvc', 'git',"
        " 'pandas', 'sqlite3', 'yaml'}; print(sorted(heavy & set(sys.modules)))"
    )
    folder = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_home_shows_newest_runs_what_is_live_and_what_failed(content: Any) -> None:
    catalogue = Catalogue.of(content(), 5000)
    first = home.home_view(catalogue)
    assert (first.runs, len(first.newest), first.newest[0].run.text) == (
        72,
        home.NEWEST,
        "forest-0",
    )
    assert [row.run.text for row in first.failed] == [
        "linear-5", "forest-18", "tree-31", "linear-44", "forest-57",
    ]  # fmt: skip
    assert [(live.label, live.version) for live in first.models[0].live] == [
        ("Production", 2),
        ("@champion", 2),
    ]
    card = first.experiments[0]
    assert (card.link.text, card.runs, card.failed) == ("fuel economy", 60, 5)
    best = min(catalogue.by_experiment["fuel"], key=lambda run: run.data.metrics["rmse"])
    assert card.metrics[1] == home.MetricRange(
        name="rmse",
        newest="3.48",
        best="2.6067",
        run=catalogue.links[best.info.run_id],
        extreme="lowest",
        lowest="2.6067",
        highest="3.7793",
    )
    assert [(c.event.what, c.model.text) for c in first.changes][:2] == [
        ("Alias champion on version 2", "FuelModel"),
        ("Version 2 to Production", "FuelModel"),
    ]


def test_home_lists_a_move_between_stages_once(content: Any) -> None:
    first = home.home_view(Catalogue.of(content(), 5000))
    assert [change.event.what for change in first.changes] == [
        "Alias champion on version 2",
        "Version 2 to Production",
        "Version 1 left Production",  # it went nowhere else
        "Version 2 registered",
        "Version 1 to Production",
        "Version 1 registered",
    ]
    moved = [
        event("stage", 1, "Staging", "FuelModel#Staging#1", START),
        event("left", 1, "Staging", "FuelModel#Staging!#2", START + 1000),
        event("stage", 1, "Production", "FuelModel#Production#3", START + 2000),
    ]
    moved[1] = dataclasses.replace(moved[1], detail=moved[2].detail)
    first = home.home_view(Catalogue.of(content(events=lambda name: moved), 5000))
    assert [change.event.what for change in first.changes] == [
        "Version 1 to Production",
        "Version 1 to Staging",
    ]


def test_home_lists_experiments_with_the_newest_runs_first(content: Any) -> None:
    empty = Experiment(experiment_id="new", name="new", creation_time=START)
    catalogue = Catalogue.of(content(experiments=[empty, *content().experiments]), 5000)
    names = [card.link.text for card in home.home_view(catalogue).experiments]
    assert names == ["fuel economy", "seattle weather", "new"]


def test_home_lists_warnings_with_links(content: Any) -> None:
    run = content().runs[3]
    warnings = [
        RepositoryWarning(text="Production is declared to hold version 1.", model="FuelModel"),
        RepositoryWarning(text="model.pkl is nowhere.", run_id=run.info.run_id, model="FuelModel"),
        *(RepositoryWarning(text=f"Tag {n} is odd.", model="Gone") for n in range(12)),
    ]
    catalogue = Catalogue.of(content(warnings=lambda: warnings), 5000)
    first = home.home_view(catalogue)
    assert first.warnings[:3] == (
        (warnings[0].text, PageLink(text="FuelModel", address=urls.model_page("FuelModel"))),
        (warnings[1].text, catalogue.links[run.info.run_id]),
        ("Tag 0 is odd.", None),
    )
    assert (len(first.warnings), first.more_warnings) == (home.WARNINGS, 4)


def test_deleted_runs_and_experiments_are_left_out(content: Any) -> None:
    full = content()
    deleted = dataclasses.replace(full.experiments[1], lifecycle_stage=LifecycleStage.DELETED)
    info = dataclasses.replace(full.runs[0].info, lifecycle_stage=LifecycleStage.DELETED)
    runs = [dataclasses.replace(full.runs[0], info=info), *full.runs[1:]]
    changed = dataclasses.replace(full, experiments=[full.experiments[0], deleted], runs=runs)
    catalogue = Catalogue.of(changed, 5000)
    assert list(catalogue.experiments) == ["fuel"]
    assert len(catalogue.runs) == 59


def test_only_the_newest_and_the_registered_runs_get_a_page(content: Any) -> None:
    catalogue = Catalogue.of(content(), 2)
    assert [catalogue.links[key].text for key in catalogue.links if key in catalogue.paged] == [
        "forest-0", "tree-1", "forest-3",
    ]  # fmt: skip
    other = catalogue.runs[2].info.run_id
    assert catalogue.links[other].address == f"run.html#{other}"


def test_run_page_shows_params_metrics_tags_models_and_code(content: Any) -> None:
    catalogue = Catalogue.of(content(better={"rmse": "lower", "r2": ""}.get), 5000)
    page = run_view(catalogue, catalogue.runs[0], [], True)
    assert page.params == (
        ("learning_rate", "0.1"), ("max_depth", "2"), ("model", "forest"), ("seed", "7"),
    )  # fmt: skip
    assert page.metrics[2] == RunMetricRow(
        name="rmse", last="3.48", best="3.38", min="3.38", max="9", step=39, count=40
    )
    assert page.children == (catalogue.links[catalogue.runs[1].info.run_id],)
    assert page.models[0].versions[0].text == "FuelModel version 2"
    assert page.code.commit_link == f"https://github.com/example/fuel/commit/{COMMIT}"
    assert page.code.command == """python train.py --note 'it'"'"'s fine'"""
    assert [line.kind for line in page.code.patch] == [
        "file", "file", "file", "file", "hunk", "same", "del", "add",
    ]  # fmt: skip
    assert page.conflicts == (("params.seed", "8"),)
    assert (page.tags, page.system_tags) == ((("team", "blue"),), (("mlflow.user", "ada"),))


def test_metrics_of_single_points_have_no_columns_for_extremes(content: Any) -> None:
    catalogue, look = Catalogue.of(content(), 5000), templates.load(None)
    curved = catalogue.runs[0]
    single = dataclasses.replace(curved, data=dataclasses.replace(curved.data, summaries={}))
    heads = [
        re.findall(r"<th scope=\"col\"[^>]*>(\w+)<", text[text.index('id="metrics"') :])
        for run in (curved, single)
        for text in [look.run(run_view(catalogue, run, [], False))]
    ]
    assert heads[0][:6] == ["metric", "last", "best", "min", "max", "step"]
    assert heads[1][:3] == ["metric", "value", "parameter"]


def test_model_page_shows_its_history_and_how_to_fetch_it(content: Any) -> None:
    full = content()
    decisions = full.decisions("FuelModel")
    page = model_view(Catalogue.of(full, 5000), full.models[0], decisions)
    assert [row.version for row in page.versions] == [2, 1]
    assert page.versions[0].run.text == "forest-0"
    assert [event.what for event in page.events][:3] == [
        "Alias champion on version 2",
        "Version 2 to Production",
        "Version 1 left Production",
    ]
    assert page.events[1].why == "beats the incumbent by 4 %"
    assert dict(page.usage)["With DVC alone"] == (
        "dvc artifacts get https://github.com/example/fuel FuelModel --rev v2.0.0"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.1 + 0.2, "0.3"), (1e-9, "1e-9"), (math.nan, "NaN"), (-math.inf, "-Infinity")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert formats.number(value) == text


def test_times_durations_and_sizes_read_well() -> None:
    assert formats.moment(1_772_000_000_000) == "2026-02-25 06:13"
    assert formats.moment(10**18) == f"{10**18} ms"
    spans = (None, 12, 1_500, 83_000, 3_660_000, 200_000_000)
    assert [formats.duration(ms) for ms in spans] == [
        "", "12 ms", "1.5 s", "1 min 23 s", "1 h 1 min", "2 d 7 h",
    ]  # fmt: skip
    assert [formats.size(n) for n in (0, 999, 1_000, 1_234_567)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1.23 MB",
    ]


def test_file_names_come_from_ids_and_never_from_names() -> None:
    assert urls.slug("Fuel Économy/../x", "1").startswith("fuel-economy-x-")
    assert urls.slug("🙂", "1") == urls.slug("", "1")
    assert urls.slug("a", "1") != urls.slug("a", "2")
    with pytest.raises(InvalidInput):
        urls.run_page("../../etc/passwd")


@pytest.mark.parametrize(
    "note",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://example.org/pixel.png)",
        '<img src=x onerror="alert(1)">',
        "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    ],
)
def test_notes_carry_no_script_and_no_remote_picture(note: str) -> None:
    html = markdown.render(note)
    assert "<script" not in html and "<img" not in html and "href" not in html


def test_notes_are_markdown_with_headings_below_the_pages_own() -> None:
    assert markdown.render("# Title\n\n**bold** [link](https://example.org)") == (
        "<h3>Title</h3>\n<p><strong>bold</strong> "
        '<a href="https://example.org" rel="noopener nofollow ugc">link</a></p>\n'
    )


def test_long_notes_are_cut_and_say_so() -> None:
    html = markdown.render("ab " * 40_000)
    assert len(html) < 65_000 and html.endswith('<p class="quiet">Cut after 64 kB.</p>\n')


def test_code_in_a_note_can_be_scrolled_by_keys_and_is_only_text() -> None:
    code = '<pre tabindex="0"><code>&lt;b&gt;\n</code></pre>\n'
    assert markdown.render("```html\n<b>\n```") == markdown.render("    <b>") == code
    assert markdown.render("```gitml\n<b>\n```", block=str.upper) == "<B>\n"
    assert markdown.render("```gitml\n<b>\n```") == code


def test_a_piece_of_a_note_is_read_without_its_marks() -> None:
    note = "# Why *this*\n\n- `x[0]` of [ours](https://example.org).\n\n```gitml\nview: x\n```\n"
    assert markdown.words(f"{note}\n| a |\n|---|\n| -1 > 2 |") == "Why this x[0] of ours. a -1 > 2"
    assert markdown.words("[" * 2_000) == "[" * 2_000


def test_preview_trusts_the_first_bytes_of_a_file() -> None:
    files = {
        "a.png": b"\x89PNG\r\n\x1a\n...",
        "b.png": b"<svg onload='alert(1)'/>",
        "c.csv": b"x,y\n1,2\n",
        "d.json": b'{"columns": ["x"], "data": [[1], [2]]}',
        "e.txt": b"text",
        "f.txt": b"\0binary",
        "g.bin": b"?",
    }
    artifacts = [Artifact(path=path, size=len(data)) for path, data in files.items()]
    with previews.parquet_reader() as reader:
        listed = previews.preview(artifacts, lambda path, limit: files[path][:limit], reader)
    by_path = {file.path: file for file in listed}
    assert [path for path, file in by_path.items() if file.picture] == ["a.png"]
    assert by_path["c.csv"].table == previews.Table(header=("x", "y"), rows=(("1", "2"),))
    assert by_path["d.json"].table == previews.Table(header=("x",), rows=(("1",), ("2",)))
    assert [path for path, file in by_path.items() if file.text is not None] == ["e.txt"]


def test_preview_marks_missing_files_and_skips_large_ones() -> None:
    reads = []

    def read(path: str, limit: int) -> None:
        reads.append(path)

    artifacts = [Artifact(path="a.txt", size=3), Artifact(path="b.png", size=10**9)]
    with previews.parquet_reader() as reader:
        files = previews.preview(artifacts, read, reader)
    assert [(file.path, file.missing) for file in files] == [("a.txt", True), ("b.png", False)]
    assert reads == ["a.txt"]


@pytest.mark.parametrize("name", ["parallel", "plane"])
def test_charts_are_valid_vega(name: str) -> None:
    import vl_convert

    svg = vl_convert.vega_to_svg(specs.specs()[name], allowed_base_urls=[])
    assert svg.startswith("<svg")


def test_reason_of_a_failed_run_is_on_the_home_page_and_on_its_own(content: Any) -> None:
    full = content()
    failed = full.runs[5]
    tags = {**failed.data.tags, "gitml.error": "ValueError: no data"}
    run = dataclasses.replace(failed, data=dataclasses.replace(failed.data, tags=tags))
    changed = dataclasses.replace(full, runs=[*full.runs[:5], run, *full.runs[6:]])
    catalogue = Catalogue.of(changed, 5000)

    assert home.home_view(catalogue).failed[0].error == "ValueError: no data"
    assert run_view(catalogue, run, [], False).failure == RunFailure(error="ValueError: no data")


MLMODEL = b"""flavors: {sklearn: {}}
signature:
  inputs: '[{"type": "double", "name": "weight", "required": true},
    {"type": "string", "name": "it''s", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
"""


def described(mlmodel: bytes | None, *files: str) -> Any:
    from gitml.entities import LoggedModelInfo
    from gitml.site.pages.logged_model import describe

    logged = LoggedModelInfo(path="best/model", flavors=("sklearn",))
    names = {"best/model/MLmodel", *files}
    return describe("ab" * 16, logged, names, lambda path, limit: mlmodel, ())


def test_a_model_shows_its_signature_and_how_to_ask_it() -> None:
    model = described(MLMODEL)
    assert model.signature == (
        ("input", "'weight': double (required)"),
        ("input", '"it\'s": string (optional)'),
        ("output", "Tensor('float64', (-1,))"),
    )
    assert model.ask.splitlines() == [
        f"gitml artifacts download {'ab' * 16} best/model -o .",
        "mlflow models serve -m model -p 5001 --env-manager local &",
        "curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' -d "
        + shlex.quote('{"dataframe_split": {"columns": ["weight", "it\'s"], "data": [[0.0, ""]]}}'),
    ]
    request = described(None, "best/model/serving_input_example.json").ask
    assert request.endswith("-d @model/serving_input_example.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    "mlmodel",
    [
        None,
        b"\xff\0",
        b"[" * 5_000,
        b"- a\n- b",
        b"signature: {inputs: 7}",
        b"signature: {inputs: '[{}]'}",
        b"flavors: 3\nsignature: {inputs: '[]'}",
        b"x" * 70_000,
    ],
)
def test_a_model_that_cannot_be_read_has_no_signature(mlmodel: bytes | None) -> None:
    assert (described(mlmodel).signature, described(mlmodel).ask) == ((), "")


def test_a_run_says_how_to_make_it_again(content: Any) -> None:
    catalogue = Catalogue.of(content(run_oid=lambda key: "77" * 20), 5000)
    page = run_view(catalogue, catalogue.runs[0], [], False)
    tree = "77" * 20
    assert page.reproduce.splitlines() == [
        "git worktree add ../run-cfcd2084 3f9d2c1ab4e5f60718293a4b5c6d7e8f90a1b2c3",
        "cd ../run-cfcd2084",
        f"git show {tree}:source.patch | git apply",
        f"git show {tree}:requirements.txt | pip install -r /dev/stdin",
        "python train.py --note 'it'\"'\"'s fine'",
    ]


@pytest.mark.parametrize(
    ("profile", "size"),
    [
        ('{"num_rows": 1392, "num_elements": 3528}', "1,392 rows"),
        ('{"num_elements": 3528}', "3,528 elements"),
        ('{"num_rows": "many"}', '{"num_rows": "many"}'),
        ("not JSON", "not JSON"),
        ("", ""),
    ],
)
def test_a_data_set_says_how_large_it_is(content: Any, profile: str, size: str) -> None:
    data = Dataset(name="cars", digest="1f2e3d4c", profile=profile)
    everything = content(
        runs=[dataclasses.replace(content(1).runs[-1], inputs=RunInputs(dataset_inputs=(data,)))]
    )
    catalogue = Catalogue.of(everything, 5000)
    assert run_view(catalogue, catalogue.runs[0], [], False).datasets[0].size == size


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ('{"uri": "s3://team/cars.csv"}', "http s3://team/cars.csv"),
        ('{"package": "vega-datasets", "file": "cars"}', "http vega-datasets, cars"),
        ('{"tags": {"mlflow.user": "ada"}}', "http"),
        ("[1]", "http [1]"),
        ("cars.csv", "http cars.csv"),
        ("", "http"),
    ],
)
def test_a_data_set_says_where_it_came_from(content: Any, source: str, origin: str) -> None:
    data = Dataset(name="cars", digest="1f2e3d4c", source_type="http", source=source)
    everything = content(
        runs=[dataclasses.replace(content(1).runs[-1], inputs=RunInputs(dataset_inputs=(data,)))]
    )
    catalogue = Catalogue.of(everything, 5000)
    assert run_view(catalogue, catalogue.runs[0], [], False).datasets[0].source == origin
