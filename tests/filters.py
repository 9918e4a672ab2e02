"""Filters of runs and what they mean: one table for Python, the index and the dashboard's page."""

from __future__ import annotations

import math
from typing import Any

from gitml.entities import Dataset, Run, RunData, RunInfo, RunInputs, Source


def _run(number: int, **values: Any) -> Run:
    info = {"run_id": f"{number:032x}", "experiment_id": "price", "user_id": "ada"}
    data = {key: values.pop(key, {}) for key in ("metrics", "params", "tags")}
    source, inputs = values.pop("source", Source()), values.pop("inputs", ())
    return Run(
        info=RunInfo(**info | values),
        data=RunData(**data),
        source=source,
        inputs=RunInputs(dataset_inputs=inputs),
    )


FOX = _run(
    1,
    run_name="Bold Fox",
    status="FINISHED",
    start_time=1_000,
    metrics={"rmse": 2.5, "nan": math.nan, "val loss": 1.0, "val/acc": 0.9},
    params={"alpha": "0.1", "quoted": 'it\'s "it"', "empty": ""},
    tags={"mlflow.runName": "Bold Fox", "team": "Größe 100%"},
    inputs=(
        Dataset(name="cars", digest="aa11", context="train"),
        Dataset(name="weather", digest="bb22"),
    ),
)
OWL = _run(
    2,
    run_name="Grey Owl",
    status="FAILED",
    start_time=2_000,
    end_time=9_500,
    metrics={"rmse": 3.5, "val loss": math.inf},
    params={"alpha": " 2e1 ", "quoted": "v_1"},
    tags={"team": "blue"},
    source=Source(name="train.py", commit="3f9d2c1a" * 5, dirty=True),
    inputs=(Dataset(name="Cars", digest="cc33", context="test"),),
)
ELK = _run(
    3,
    run_name="",
    status="RUNNING",
    start_time=3_000,
    params={"alpha": "auto"},
    source=Source(name="notes/Fit.ipynb", commit="77" * 20),
)
RUNS = {"fox": FOX, "owl": OWL, "elk": ELK}

MATCHES = (
    ("metrics.rmse = 2.5", "fox"),
    ("metrics.rmse != 2", "fox owl"),
    ("metrics.rmse <> 2", "fox owl"),
    ("metrics.rmse > -1e3 and metric.rmse<=2.5", "fox"),
    ("metrics.rmse >= 2.5 AND metrics.rmse < inf AND", "fox owl"),
    ("metrics.rmse BETWEEN 2 AND 3", "fox"),
    ("metrics.rmse NOT BETWEEN 3 AND 4", "fox"),
    ("metrics.rmse IN (1, 2.5)", "fox"),
    ("metrics.rmse NOT IN (1)", "fox owl"),
    ("metrics.`val loss` = 1", "fox"),
    ('metrics."val loss" = 1', "fox"),
    ("metrics.val/acc > .8", "fox"),
    ("metrics.nan IS NOT NULL", "fox"),
    ("metrics.nope IS NULL", "fox owl elk"),
    ("params.alpha = '0.1'", "fox"),
    ('param.alpha = "0.1"', "fox"),
    ("parameters.alpha LIKE '0._'", "fox"),
    ("parameter.alpha NOT LIKE '1%'", "fox owl elk"),
    ("params.empty = ''", "fox"),
    ("params.quoted = 'it''s \"it\"'", "fox"),
    ('params.quoted = "it\'s ""it"""', "fox"),
    ("params.nope is null", "fox owl elk"),
    ("params.alpha Is Not Null", "fox owl elk"),
    ("tags.mlflow.runName = 'Bold Fox'", "fox"),
    ("tag.team ILIKE 'grÖSSE%' OR tag.team ILIKE 'GRÖßE%'", "fox"),
    ("tags.team LIKE '%100%'", "fox"),
    ("tags.team NOT ILIKE 'x'", "fox owl"),
    ("run_id = '00000000000000000000000000000001'", "fox"),
    ("attributes.run_id IN ('x', '00000000000000000000000000000001')", "fox"),
    ("attr.status = 'FINISHED' AND attribute.status != 'finished'", "fox"),
    ("run.experiment_id = 'price'", "fox owl elk"),
    ("`Run name` = 'Bold Fox' AND attributes.`run name` LIKE '%Fox'", "fox"),
    ("Created = 1000 AND created < 1001", "fox"),
    ("end_time IS NULL", "fox elk"),
    ("user_id NOT IN ('bob')", "fox owl elk"),
    ("artifact_uri = 'runs:/00000000000000000000000000000001'", "fox"),
    ("datasets.name = 'cars' AND dataset.name = 'weather'", "fox"),
    ("datasets.name != 'cars'", "fox owl"),
    ("datasets.digest IN ('aa11') AND datasets.context = 'train'", "fox"),
    ("NOT params.nope = 'x'", "fox owl elk"),
    ("NOT (metrics.rmse > 3 OR params.alpha = '1') AND (status = 'FINISHED')", "fox"),
    ("params.alpha = 'x' AND params.alpha = 'y' OR status = 'FINISHED'", "fox"),
    ("params.nope != 'x'", ""),
    ("params.nope NOT LIKE 'x'", ""),
    ("params.nope NOT IN ('x')", ""),
    ("params.nope IS NOT NULL", ""),
    ("metrics.nope < 1", ""),
    ("metrics.nan != 1", ""),
    ("metrics.nan < inf", ""),
    ("metrics.nan NOT BETWEEN 1 AND 2", ""),
    ("metrics.nan NOT IN (1)", ""),
    ("metrics.nan IS NULL", "owl elk"),
    ("end_time != 4", "owl"),
    ("datasets.context != 'train'", "owl"),
    ("status = 'finished'", ""),
    ("tags.team LIKE 'größe%'", ""),
    ("params.alpha LIKE '0.'", ""),
    ("NOT status = 'FINISHED'", "owl elk"),
    ("run_name = ''", "elk"),
    ("duration > 7000", "owl"),
    ("duration IS NULL", "fox elk"),
    ("attributes.duration BETWEEN 7500 AND 7500", "owl"),
    ("source = 'train.py'", "owl"),
    ("run.source LIKE '%.ipynb'", "elk"),
    ("source IS NULL", "fox"),
    ("commit LIKE '3f9d%'", "owl"),
    ("commit IS NULL", "fox"),
    ("dirty = 'yes'", "owl"),
    ("dirty IN ('no')", "fox elk"),
    ("params.alpha > 1", "owl"),
    ("params.alpha <= .1", "fox"),
    ("params.alpha != 3", "fox owl"),
    ("params.alpha BETWEEN 0 AND 1", "fox"),
    ("params.alpha IN (20, 1)", "owl"),
    ("params.alpha NOT IN (20)", "fox"),
    ("NOT params.alpha = 20", "fox elk"),
    ("params.alpha = '20'", ""),
    ("params.alpha = 'auto' OR params.alpha < inf", "fox owl elk"),
    ("params.quoted LIKE 'v__' AND params.quoted NOT LIKE 'v!_'", "owl"),
    ("datasets.name ILIKE 'cars'", "fox owl"),
    ("NOT datasets.name = 'cars'", "owl elk"),
    ("datasets.name IS NULL", "elk"),
    ("datasets.context IS NULL", "elk"),
    ("datasets.context IS NOT NULL", "fox owl"),
    ("datasets.name NOT IN ('cars', 'weather')", "owl"),
    ("dataset.digest LIKE '_b__'", "fox"),
    ("datasets.`name` NOT LIKE 'c%'", "fox owl"),
    ("NOT (status = 'FAILED' OR datasets.name IS NULL)", "fox"),
    ("datasets.name = 'weather' AND datasets.context = 'train'", "fox"),
    ("metrics.rmse BETWEEN 3 AND 4 OR metrics.rmse BETWEEN 2 AND 2.5 AND status = 'FAILED'", "owl"),
    ("metrics.`val loss` = inf", "owl"),
    (" \n metrics.rmse\n<\n3 ", "fox"),
)
"""Filters, and the runs that each keeps."""

REFUSED = (
    (
        "metrics.rmse == 3",
        "Invalid filter at character 14: expected a comparison such as =, !=, >, >=, <, <=, "
        "BETWEEN, IN or IS NULL, found '== 3'. Write = for equality.",
    ),
    (
        "params.alpha = fast",
        "Invalid filter at character 16: expected a string in quotes, because params.alpha is a"
        " string, found 'fast'. Write 'fast' with the quotes.",
    ),
    (
        "metrics.rmse < '3'",
        "Invalid filter at character 16: expected a number without quotes, because metrics.rmse"
        " is a number, found \"'3'\".",
    ),
    (
        "metrics.rmse LIKE '3%'",
        "Invalid filter at character 14: expected =, !=, >, >=, <, <=, BETWEEN, IN or IS NULL, "
        "because metrics.rmse is a number, found \"LIKE '3%'\".",
    ),
    (
        "rmse < 3",
        "Unknown field 'rmse' at character 1. Did you mean metrics.rmse, params.rmse or tags.rmse?",
    ),
    (
        "metrcs.rmse < 3",
        "Unknown field 'metrcs.rmse' at character 1. Did you mean metrics.rmse?",
    ),
    (
        "metrics.rmse < 3 metrics.mae < 2",
        "Invalid filter at character 18: expected AND, OR or the end, found 'metrics.mae < 2'.",
    ),
    (
        "metrics.rmse < 3;",
        "Invalid filter at character 17: expected AND, OR or the end, found ';'. A filter is "
        "one expression without a semicolon.",
    ),
    (
        "(metrics.rmse < 3",
        "Invalid filter at character 18: expected AND, OR or ), but it ends there.",
    ),
    (
        "metrics.rmse <",
        "Invalid filter at character 15: expected a number without quotes, because metrics.rmse"
        " is a number, but it ends there.",
    ),
    (
        "metrics.rmse < nan",
        "Invalid filter at character 16: expected a number without quotes, because metrics.rmse"
        " is a number, found 'nan'.",
    ),
    (
        "params.a = 'x",
        "Invalid filter at character 12: expected a string in quotes, because params.a is a "
        'string, found "\'x".',
    ),
    (
        "params.a IN ()",
        "Invalid filter at character 14: expected a string in quotes, because params.a is a "
        "string, found ')'.",
    ),
    (
        "metrics. < 3",
        "Invalid filter at character 9: expected a key after metrics. (in backticks if it has "
        "spaces), found ' < 3'.",
    ),
    (
        "datasets.source = 'x'",
        "Invalid filter at character 10: expected one of name, digest, context after datasets.,"
        " found \"source = 'x'\".",
    ),
    (
        "params.a IS 3",
        "Invalid filter at character 13: expected NULL or NOT NULL, found '3'.",
    ),
    (
        "metrics.a BETWEEN 1, 2",
        "Invalid filter at character 20: expected AND and the upper bound of BETWEEN, found ', 2'.",
    ),
    (
        "params.alpha > '3'",
        "Invalid filter at character 14: expected =, !=, LIKE, ILIKE, IN or IS NULL, because "
        "params.alpha is a string, found \"> '3'\". Compare it with a number without quotes.",
    ),
    (
        "params.alpha NOT BETWEEN 'a' AND 'b'",
        "Invalid filter at character 14: expected =, !=, LIKE, ILIKE, IN or IS NULL, because "
        "params.alpha is a string, found \"NOT BETWEEN 'a' AND 'b'\". Compare it with a number "
        "without quotes.",
    ),
    (
        "params.alpha LIKE 3",
        "Invalid filter at character 19: expected a string in quotes, because params.alpha is a"
        " string, found '3'. Write '3' with the quotes.",
    ),
    (
        "params.alpha > fast",
        "Invalid filter at character 14: expected =, !=, LIKE, ILIKE, IN or IS NULL, because "
        "params.alpha is a string, found '> fast'. Compare it with a number without quotes.",
    ),
    (
        "datasets.name > 3",
        "Invalid filter at character 15: expected =, !=, LIKE, ILIKE, IN or IS NULL, because "
        "datasets.name is a string, found '> 3'.",
    ),
    (
        "datasets.name = cars",
        "Invalid filter at character 17: expected a string in quotes, because datasets.name is "
        "a string, found 'cars'. Write 'cars' with the quotes.",
    ),
    (
        "datasets.Name = 'x'",
        "Invalid filter at character 10: expected one of name, digest, context after datasets.,"
        " found \"Name = 'x'\".",
    ),
    (
        "duration = '3'",
        "Invalid filter at character 12: expected a number without quotes, because "
        "attributes.duration is a number, found \"'3'\".",
    ),
    (
        "datasets = 'x'",
        "Invalid filter at character 9: expected a dot and a key after datasets, found \" = 'x'\".",
    ),
    (
        "statsu = 'x'",
        "Unknown field 'statsu' at character 1. Did you mean status or start_time?",
    ),
    (
        "metrics = 3",
        "Invalid filter at character 8: expected a dot and a key after metrics, found ' = 3'.",
    ),
    (
        "params.`my param`.x = 1",
        "Invalid filter at character 18: expected a comparison such as =, !=, LIKE, ILIKE, IN "
        "or IS NULL, found '.x = 1'.",
    ),
    (
        "'a b' = 1",
        "Invalid filter at character 1: expected a field such as metrics.rmse, params.alpha or "
        "tags.team, found \"'a b' = 1\".",
    ),
    (
        '"val loss" < 1',
        "Unknown field 'val loss' at character 1. Did you mean metrics.`val loss`, params.`val "
        "loss` or tags.`val loss`?",
    ),
    (
        "run.nope = 'x'",
        "Unknown field 'nope' at character 5. Did you mean metrics.nope, params.nope or tags.nope?",
    ),
    (
        "x.y = 1",
        "Unknown field 'x.y' at character 1. Fields start with metrics., params., tags., "
        "datasets. or attributes.",
    ),
)
"""Texts that are not filters, and the error messages for them."""
