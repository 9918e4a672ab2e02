"""A project whose every text is an attack or an accident, and whose sizes are absurd."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from gitml.entities import (
    Artifact,
    Dataset,
    Experiment,
    LoggedModelInfo,
    Metric,
    ModelEvent,
    ModelVersion,
    RegisteredModel,
    Run,
    RunInputs,
    RunOutputs,
    Source,
)
from gitml.forge import NO_FORGE, from_remote
from gitml.query.gates import Verdict
from gitml.registry.gates.approvals import NOBODY
from gitml.registry.promotion.decisions import Decision
from gitml.site.source import CodeCommit, Document, RepositoryWarning
from tests.site.conftest import COMMIT, FILES, NOTE, PATCH, START, make_run, make_source, run_id
from tests.site.memory_source import MemorySource
from tests.site.promotions import Story

ATTACK = "</script><img src=x onerror=alert(1)>"
TEXTS = (
    ATTACK,
    "__proto__",
    "a'b\"c`d",
    "constructor",
    "x'] || alert(2) || datum['x",
    "\u202eright to left",
    "🙂 émoji",
    "val.acc[0]",
    "  ",
    "{{ 7 * 7 }}",
    "line\nbreak",
)
LONG = f"{ATTACK} {'x' * 100_000}"
HUGE_NOTE = f"# {ATTACK}\n\n" + "[" * 20_000 + "`<script>alert(10)</script>` " * 700_000
FEW, WIDE, LONGEST, NUMBERLESS = range(100, 104)
_ACT = "document.title = 'acted'; parent.document.title = 'acted'; alert(11)"
_REPORT = """<script>
document.body.dataset.acted = "yes";
try { document.body.dataset.parent = parent.document.title; }
catch { document.body.dataset.parent = "out of reach"; }
</script>"""
_PAGE = f"""<!doctype html><title>t</title><h1>A report</h1><script>{_ACT}</script>
<img src="https://example.org/pixel.png" onerror="{_ACT}">
<a href="javascript:alert(12)" target="_top">link</a>
<form action="https://example.org/"><button>send</button></form>
<script src="https://example.org/x.js"></script>
{_REPORT}<script>top.location = "about:blank"</script><a href="https://example.org/">away</a>
"""
_DRAWING = f"""<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40" onload="{_ACT}">
<script>{_ACT}</script><image href="https://example.org/pixel.png"/><rect width="80" height="40"/>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="{_ACT}"/></body>
</foreignObject></svg>"""
_FILES = FILES | {
    f"{ATTACK}.html": _PAGE.encode(),
    "drawing.svg": _DRAWING.encode(),
    "not utf-8.html": b"\xff\xfe<script>alert(13)</script>\xed\xa0\x80",
    "deep.json": b"[" * 30_000,
    "__proto__": b"",
    "\u202efdp.exe": b"MZ",
    f"{LONG}.txt": LONG.encode(),
    "nul.csv": b"a,b\n\0,<script>\n",
}


def hostile_source() -> MemorySource:
    """Make a project of five experiments and a model, all of them hostile."""
    named = [_named(number) for number in range(len(TEXTS))]
    runs = {run.info.run_id: run for run in (*named, *_absurd())}
    attack = Verdict(gate=LONG, measured=ATTACK, holds=False, note=LONG)
    story = Story(runs=runs, gates=(), says=ATTACK, who=LONG, verdicts=(attack, attack))
    return make_source(
        title=ATTACK,
        experiments=[
            Experiment(experiment_id=ATTACK, name=ATTACK, tags={"mlflow.note.content": NOTE}),
            Experiment(experiment_id="empty", name="../../empty"),
            Experiment(experiment_id="one", name="constructor"),
            Experiment(experiment_id="absurd", name=LONG),
            Experiment(experiment_id="numberless", name="\u202eNaN"),
        ],
        runs=list(runs.values()),
        models=[
            RegisteredModel(
                name=ATTACK,
                creation_timestamp=10**18,
                last_updated_timestamp=START,
                description=ATTACK + NOTE,
                tags=dict.fromkeys(TEXTS, ATTACK),
            ),
            RegisteredModel(name=LONG, creation_timestamp=0, last_updated_timestamp=-(10**17)),
        ],
        forge=from_remote(f"git@git.example:team/{ATTACK}") or NO_FORGE,
        history=lambda key: _history(runs[key]),
        artifacts=lambda key: _manifest(),
        read_artifact=lambda key, path, limit: _FILES[path][:limit],
        patch=lambda key: PATCH,
        requirements=lambda key: f"{ATTACK}==1\n",
        versions=lambda name: _versions() if name == ATTACK else [],
        events=lambda name: _events() if name == ATTACK else [],
        proposals=lambda: [story.proposal(v, _versions()[0], START) for v in _versions()[1:3]],
        decisions=lambda name: _decisions(story) if name == ATTACK else [],
        considered=lambda version: story.comparison(version, _versions()[-1], NOBODY),
        commits=lambda: [
            CodeCommit(commit=commit, timestamp=10**18, author=LONG, subject=ATTACK)
            for commit in (ATTACK, LONG)
        ],
        warnings=lambda: [
            RepositoryWarning(text=text, model=ATTACK, run_id=text) for text in (*TEXTS, LONG)
        ],
        pages=[
            Document(name=text, path=f"docs/{text}.md", text=f"# {text}\n{NOTE}{text}")
            for text in TEXTS[:3]
        ],
        reports=[
            Document(name=text, path=f"reports/{text}.md", text=_report()) for text in TEXTS[:2]
        ],
        views=[
            Document(
                name=ATTACK,
                path=f"views/{ATTACK}.yaml",
                text=json.dumps(_view(), ensure_ascii=False),
            )
        ],
        signature=lambda version: {
            "inputs": json.dumps([{"type": "double", "name": text} for text in TEXTS]),
            "outputs": ATTACK if version.version == 1 else None,
        },
    )


def _report() -> str:
    return f"# {ATTACK}\n{NOTE}\n```gitml\n{json.dumps({'view': ATTACK, 'rows': 50})}\n```\n{LONG}"


def _view() -> dict[str, object]:
    names = [f"params.`{text}`" for text in TEXTS if "`" not in text and text != "\ud800"]
    plane = {"x": names[0], "y": "metrics.rmse", "colour": names[1]}
    return {
        "experiment": ATTACK,
        "title": ATTACK,
        "description": LONG,
        "filter": f"{names[0]} LIKE '%onerror%'",
        "columns": [*names, "metrics.val.acc[0]", "start_time", "__proto__"],
        "charts": [
            {"kind": "parallel", "axes": [*names, "metrics.inf", "metrics.rmse"]},
            *({"kind": kind, **plane} for kind in ("scatter", "line", "bar", "box")),
        ],
    }


def _decisions(story: Story) -> list[Decision]:
    first, second, *_ = _versions()
    return [
        story.decision(second, first, START, f"{ATTACK}#2", forced=True),
        story.decision(first, None, 10**18, f"{ATTACK}#{LONG}", until=-(10**17)),
    ]


def _named(number: int) -> Run:
    keyed = {text: f"{text} value" for text in TEXTS}
    return make_run(
        number,
        ATTACK,
        run_name=TEXTS[number],
        user_id=ATTACK,
        params={**keyed, "long": "x" * 100_000, "n": str(number), "\ud800": "\udfff"},
        metrics={
            **{
                text: math.nan if number % 3 else number + position / 10
                for position, text in enumerate(TEXTS)
            },
            "inf": math.inf,
            "rmse": float(number),
        },
        tags={**keyed, "mlflow.note.content": "\n".join(TEXTS) + NOTE, "gitml.error": ATTACK},
        summaries={},
        source=Source(
            name=ATTACK,
            command=TEXTS,
            commit=(ATTACK, LONG)[number % 2],
            branch=ATTACK,
            remote=ATTACK,
        ),
        inputs=RunInputs(
            dataset_inputs=tuple(
                Dataset(name=text, digest=text, source=text, schema=text, context=text)
                for text in TEXTS
            )
        ),
        outputs=RunOutputs(
            model_outputs=tuple(LoggedModelInfo(path=text, flavors=TEXTS) for text in TEXTS)
        ),
        conflicts=dict.fromkeys(TEXTS, (ATTACK, LONG)),
    )


def _absurd() -> list[Run]:
    values = (math.nan, math.inf, -math.inf)
    wide = {f"layer.{number}.{ATTACK}": str(number) for number in range(5_000)}
    return [
        make_run(FEW, "one", params={}, metrics={}, tags={}, summaries={}),
        make_run(WIDE, "absurd", params=wide),
        make_run(
            LONGEST,
            "absurd",
            run_name=LONG,
            user_id=LONG,
            params={LONG: LONG},
            metrics={LONG: 1e300, "tiny": 5e-324},
            tags={LONG: LONG, "mlflow.note.content": HUGE_NOTE, "mlflow.parentRunId": LONG},
            summaries={},
            source=Source(name=LONG, command=(LONG,), commit=LONG, branch=LONG, python=LONG),
        ),
        *(
            make_run(
                NUMBERLESS + turn,
                "numberless",
                params={"seed": str(value)},
                metrics=dict.fromkeys(("loss", "rmse"), value),
                summaries={},
            )
            for turn, value in enumerate(values)
        ),
    ]


def _history(run: Run) -> list[Metric]:
    if run.info.experiment_id == "numberless":
        keyed = [(key, value) for key, value in run.data.metrics.items() for _ in range(3)]
        return [Metric(key=k, value=v, timestamp=n, step=n) for n, (k, v) in enumerate(keyed)]
    return [
        Metric(key=text, value=float(step), timestamp=step, step=step)
        for text in TEXTS
        for step in range(3)
    ]


def _manifest() -> Sequence[Artifact]:
    return [Artifact(path=path, size=len(data), md5=ATTACK) for path, data in _FILES.items()]


def _versions() -> list[ModelVersion]:
    return [
        ModelVersion(
            name=ATTACK,
            version=number + 1,
            creation_timestamp=START,
            last_updated_timestamp=START,
            current_stage=text,
            description=text,
            user_id=ATTACK,
            source=f"runs:/{run_id(number)}/{text}",
            run_id=run_id(number),
            aliases=TEXTS,
            code_commit=COMMIT,
        )
        for number, text in enumerate(TEXTS)
    ]


def _events() -> list[ModelEvent]:
    kinds = ("registered", "deleted", "stage", "left", "alias", "unalias", "deprecated", ATTACK)
    return [
        ModelEvent(
            model=ATTACK,
            kind=kind,
            version=1,
            value=ATTACK,
            tag=f"{ATTACK}#{ATTACK}",
            commit=COMMIT,
            timestamp=START,
            user=ATTACK,
            detail={"reason": ATTACK, "gates": ATTACK, "from": LONG, ATTACK: ATTACK},
        )
        for kind in kinds
    ]
