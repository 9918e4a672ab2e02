"""Sources of sites, a site of it on disk and over HTTP, and one browser for all tests."""

from __future__ import annotations

import hashlib
import math
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gitml.entities import (
    Artifact,
    Dataset,
    Experiment,
    LoggedModelInfo,
    Metric,
    MetricSummary,
    ModelEvent,
    ModelVersion,
    RegisteredModel,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    Source,
)
from gitml.forge import from_remote
from gitml.registry.gates.metric_direction import by_name
from gitml.site import SiteOptions, build
from gitml.site.serve import server
from tests import browsers
from tests.site.memory_source import MemorySource
from tests.site.promotions import SIGNATURE, Story

START = 1_772_000_000_000
COMMIT = "3f9d2c1ab4e5f60718293a4b5c6d7e8f90a1b2c3"
NOTE = """# Shallow trees generalise better

Depth **6** is the sweet spot; see `curve.png`.

| depth | rmse |
|---|---|
| 4 | 3.4 |
| 6 | 3.1 |

<script>alert(3)</script> [bad](javascript:alert(4)) [good](https://example.org/)
![tracker](https://example.org/pixel.png)
"""
PATCH = """diff --git a/train.py b/train.py
index 83db48f..bf269f4 100644
--- a/train.py
+++ b/train.py
@@ -10,3 +10,3 @@ def main():
     data = load()
-    model = Forest(depth=4)
+    model = Forest(depth=6)  # </script><img src=x onerror=alert(5)>
"""


def run_id(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


def png(width: int = 320, height: int = 200) -> bytes:
    """Draw a gradient as a PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    line = bytes(v for x in range(width) for v in (30, 90 + 120 * x // width, 160))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + line) * height)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


FILES = {
    "plots/curve.png": png(),
    "plots/fake.png": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(6)'/>",
    "predictions.csv": b"car,mpg\n<b>ford</b>,18\nfiat,31\n",
    "config.json": b'{"depth": 6, "note": "</script><img src=x onerror=alert(7)>"}',
    "model/MLmodel": b"flavors:\n  sklearn: {}\n",
    "model/model.skops": b"PK\x03\x04",
    "../../x.txt": b"outside?",
    "report.html": b"<script>alert(8)</script>",
}


def make_run(number: int, experiment_id: str = "fuel", **more: Any) -> Run:
    """Make the run of that number: its figures follow from it."""
    depth, rate = 2 + number % 7, 10 ** -(1 + number % 3)
    rmse = 2.6 + abs(depth - 6) * 0.22 + 0.3 * math.sin(number * 1.7) ** 2
    params = {
        "model": ("forest", "tree", "linear")[number % 3],
        "max_depth": str(depth),
        "learning_rate": str(rate),
        "seed": "7",
    }
    metrics = {"rmse": rmse, "r2": 1 - rmse / 8, "fit_seconds": 0.4 + 0.1 * depth}
    start = START - number * 3_600_000
    tags = {"team": ("blue", "green")[number % 2], "mlflow.user": "ada"}
    values: dict[str, Any] = {
        "params": params,
        "metrics": metrics,
        "tags": tags,
        "summaries": {
            "rmse": MetricSummary(
                last=rmse, step=39, timestamp=start, min=rmse - 0.1, max=9.0, count=40
            )
        },
    }
    info = {
        "run_id": run_id(number),
        "experiment_id": experiment_id,
        "run_name": f"{params['model']}-{number}",
        "user_id": "ada",
        "status": "FAILED" if number % 13 == 5 else "FINISHED",
        "start_time": start,
        "end_time": start + 1500 + 800 * number,
    }
    run = {
        key: more.pop(key) for key in ("source", "inputs", "outputs", "conflicts") if key in more
    }
    values |= {
        key: more.pop(key) for key in ("params", "metrics", "tags", "summaries") if key in more
    }
    run.setdefault(
        "source",
        Source(
            name="train.py",
            command=("python", "train.py", "--note", "it's fine"),
            commit=COMMIT,
            branch="main",
            dirty=number % 4 == 0,
            python="3.11.7",
        ),
    )
    return Run(info=RunInfo(**info | more), data=RunData(**values), **run)


def history(run: Run) -> list[Metric]:
    """Make forty points of rmse that end at the run's value, one of them not a number."""
    if "rmse" not in run.data.metrics:
        return []
    points = []
    for step in range(40):
        value = run.data.metrics["rmse"] + 5 * math.exp(-step / 6) + 0.2 * math.sin(step * 2.1)
        points.append(
            Metric(
                key="rmse",
                value=math.nan if step == 20 else value,
                timestamp=run.info.start_time + step * 500,
                step=step,
            )
        )
        points.append(
            Metric(key="loss", value=value / 9, timestamp=run.info.start_time + step, step=step)
        )
    return points


def make_source(count: int = 60, **more: Any) -> MemorySource:
    """Make a project of two experiments and a model; run 0 has everything a run can have."""
    first = make_run(
        0,
        tags={"team": "blue", "mlflow.note.content": NOTE, "mlflow.user": "ada"},
        inputs=RunInputs(
            dataset_inputs=(Dataset(name="cars", digest="1f2e3d4c", context="train"),)
        ),
        outputs=RunOutputs(
            model_outputs=(LoggedModelInfo(path="model", flavors=("python_function", "sklearn")),)
        ),
        conflicts={"params.seed": ("8",)},
    )
    child = make_run(1, tags={"mlflow.parentRunId": run_id(0)})
    fuel = [first, child, *(make_run(n) for n in range(2, count))][:count]
    weather = [make_run(n, "weather") for n in range(1000, 1000 + min(12, count))]
    everything = sorted([*fuel, *weather], key=lambda run: -run.info.start_time)
    by_id = {run.info.run_id: run for run in everything}
    version = ModelVersion(
        name="FuelModel",
        version=1,
        creation_timestamp=START,
        last_updated_timestamp=START,
        current_stage="Archived",
        user_id="ada",
        source=f"runs:/{run_id(3)}/model",
        run_id=run_id(3),
        code_commit=COMMIT,
    )
    newer = ModelVersion(
        name="FuelModel",
        version=2,
        creation_timestamp=START + 1000,
        last_updated_timestamp=START + 2000,
        current_stage="Production",
        description="Deeper, and checked on the 1982 cars.",
        user_id="ada",
        source=f"runs:/{run_id(0)}/model",
        run_id=run_id(0),
        aliases=("champion",),
        code_commit=COMMIT,
    )
    events = [
        event("registered", 1, "", "FuelModel@v1.0.0", START),
        event("stage", 1, "Production", "FuelModel#Production#1", START + 60_000),
        event("registered", 2, "", "FuelModel@v2.0.0", START + 120_000),
        event("left", 1, "Production", "FuelModel#Production!#2", START + 180_000),
        event("stage", 2, "Production", "FuelModel#Production#3", START + 181_000),
        event("alias", 2, "champion", "FuelModel#alias/champion#1", START + 182_000),
    ]
    story = Story(runs=by_id)
    values: dict[str, Any] = {
        "title": "Fuel & weather",
        "experiments": [
            Experiment(experiment_id="fuel", name="fuel economy", creation_time=START),
            Experiment(experiment_id="weather", name="seattle weather", creation_time=START),
        ],
        "runs": everything,
        "models": [
            RegisteredModel(
                name="FuelModel",
                creation_timestamp=START,
                last_updated_timestamp=START,
                description="Predicts miles per gallon of a car.",
            )
        ],
        "forge": from_remote("https://github.com/example/fuel.git"),
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "history": lambda key: history(by_id[key]),
        "artifacts": lambda key: (
            [
                Artifact(path=p, size=len(d), md5=hashlib.md5(d).hexdigest())
                for p, d in FILES.items()
            ]
            if key == run_id(0)
            else []
        ),
        "read_artifact": lambda key, path, limit: FILES[path][:limit],
        "patch": lambda key: PATCH if key == run_id(0) else "",
        "requirements": lambda key: "numpy==2.1.0\nscikit-learn==1.5.2\n",
        "versions": lambda name: [version, newer],
        "proposals": lambda: [story.proposal(version, newer, START + 240_000)],
        "decisions": lambda name: [
            story.decision(newer, version, START + 181_000, events[4].tag, forced=True),
            story.decision(version, None, START + 60_000, events[1].tag, until=START + 180_000),
        ],
        "signature": lambda version: SIGNATURE,
        "events": lambda name: events,
        "better": lambda metric: by_name(metric) or "",
    }
    return MemorySource(**values | more)


def event(kind: str, version: int, value: str, tag: str, when: int) -> ModelEvent:
    return ModelEvent(
        model="FuelModel",
        kind=kind,
        version=version,
        value=value,
        tag=tag,
        commit=COMMIT,
        timestamp=when,
        user="Ada",
        detail={"reason": "beats the incumbent by 4 %"} if kind == "stage" else {},
    )


@pytest.fixture
def content() -> Callable[..., MemorySource]:
    return make_source


@pytest.fixture
def hostile() -> Callable[[], MemorySource]:
    from tests.site.hostile import hostile_source

    return hostile_source


@pytest.fixture
def example_run() -> Callable[..., Run]:
    return make_run


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> SiteOptions:
    """Options that keep the chart library between builds."""
    return SiteOptions(cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> Path:
    folder = tmp_path_factory.mktemp("example") / "site"
    build(make_source(), folder, options=options)
    return folder


@pytest.fixture(scope="session")
def hostile_site(tmp_path_factory: pytest.TempPathFactory, options: SiteOptions) -> Path:
    from tests.site.hostile import hostile_source

    folder = tmp_path_factory.mktemp("hostile") / "site"
    build(hostile_source(), folder, options=options)
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a site over HTTP and give its address, with a slash at the end."""
    with server(folder) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening.url
        listening.shutdown()
        thread.join(120)


@pytest.fixture(scope="session")
def http(site: Path) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def hostile_http(hostile_site: Path) -> Iterator[str]:
    with served(hostile_site) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page that fails the test on a console error, a dialog or a request elsewhere."""
    context = chromium.new_context(viewport={"width": 1360, "height": 900}, color_scheme="light")
    tab, wrong = context.new_page(), []
    tab.on("pageerror", lambda error: wrong.append(f"{tab.url}: {error.stack or error}"))

    def hear(message: Any) -> None:
        if message.type in ("error", "warning"):
            wrong.append(f"{tab.url}: {message.text} {message.location['url']}")

    def refuse(dialog: Any) -> None:
        wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def check(request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
            wrong.append(f"request {request.url}")

    tab.on("console", hear)
    tab.on("dialog", refuse)
    tab.on("request", check)
    tab.set_default_timeout(10_000)
    yield tab
    context.close()
    assert wrong == []
