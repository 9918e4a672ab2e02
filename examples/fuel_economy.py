"""How many miles does a car drive on a gallon? Every training becomes a run.

    python fuel_economy.py
    python fuel_economy.py --model linear forest boosting
    python fuel_economy.py --model boosting --max-depth 2 3 --learning-rate 0.1 0.2 --sweep "depth"

Several values for an option train one model per combination. With --sweep NAME these runs are the
children of one parent run. The data, 392 cars of 1970 to 1982, comes with vega-datasets.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from vega_datasets import local_data

import gitml as mlflow

SEED = 7
TARGET = "Miles_per_Gallon"
NUMBERS = ["Displacement", "Horsepower", "Weight_in_lbs", "Acceleration", "Cylinders", "Year"]
CATEGORIES = ["Origin"]

# What can be set for each kind of model; these become the params of its runs.
OPTIONS = {
    "linear": ["rounds", "learning_rate"],
    "forest": ["rounds", "max_depth"],
    "boosting": ["rounds", "learning_rate", "max_depth"],
}


def main() -> None:
    args = arguments()
    cars = load()
    mlflow.set_experiment("fuel economy")
    with mlflow.start_run(run_name=args.sweep) if args.sweep else nullcontext():
        errors = [train(cars, args.note, params) for params in combinations(args)]
        if args.sweep:
            mlflow.log_metric("rmse", min(errors))  # a sweep is as good as its best run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", nargs="+", choices=OPTIONS, default=["boosting"])
    parser.add_argument("--rounds", nargs="+", type=int, default=[60], help="epochs or trees")
    parser.add_argument("--learning-rate", nargs="+", type=float, default=[0.1])
    parser.add_argument("--max-depth", nargs="+", type=int, default=[3])
    parser.add_argument("--sweep", metavar="NAME", help="name of a parent run for all these runs")
    parser.add_argument("--note", default="", help="why these runs are made, in Markdown")
    return parser.parse_args()


def combinations(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The params of each run: every combination of the values of its model's options."""
    for model in args.model:
        names = OPTIONS[model]
        for values in itertools.product(*(getattr(args, name) for name in names)):
            yield {"model": model, **dict(zip(names, values, strict=True))}


def load() -> pd.DataFrame:
    cars = local_data.cars().dropna(subset=[TARGET, *NUMBERS])
    return cars.assign(Year=cars["Year"].dt.year)


def train(cars: pd.DataFrame, note: str, params: dict[str, Any]) -> float:
    """Train one model as one run; returns its error on unseen cars, in miles per gallon."""
    train_set, test_set = train_test_split(cars, test_size=0.25, random_state=SEED)
    encode = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), CATEGORIES))
    x, y = encode.fit_transform(train_set), train_set[TARGET]
    x_test, y_test = encode.transform(test_set), test_set[TARGET]
    name = " ".join(str(value) for key, value in params.items() if key != "rounds")

    with mlflow.start_run(run_name=name, nested=True, description=describe(note)):
        mlflow.log_params({**params, "seed": SEED})
        mlflow.set_tags({"task": "regression", "columns": len(NUMBERS + CATEGORIES)})
        mlflow.log_input(dataset(cars), context="training")

        for step, model in enumerate(rounds_of_training(x, y, **params), start=1):
            error = root_mean_squared_error(y_test, model.predict(x_test))
            if error > 1000:
                raise ArithmeticError(f"{name} diverged in round {step}: rmse {error:.3g}")
            mlflow.log_metric("rmse", error, step=step)
            mlflow.log_metric("train_rmse", root_mean_squared_error(y, model.predict(x)), step=step)

        predicted = model.predict(x_test)
        mlflow.log_metric("mae", mean_absolute_error(y_test, predicted))
        mlflow.log_metric("r2", r2_score(y_test, predicted))
        mlflow.log_figure(scatter(y_test, predicted), "predictions.png")
        log_model(make_pipeline(encode, model), train_set)
    print(f"{name}: rmse {error:.2f} miles per gallon")
    return error


def rounds_of_training(
    x: Any, y: Any, model: str, rounds: int, learning_rate: float = 0.1, **options: Any
) -> Iterator[Any]:
    """Yield the model after each round: one more epoch of gradient descent, or one more tree."""
    if model == "linear":
        line = SGDRegressor(eta0=learning_rate, random_state=SEED)
        for _ in range(rounds):
            yield line.partial_fit(x, y)
    else:
        if model == "boosting":
            trees = GradientBoostingRegressor(learning_rate=learning_rate)
        else:
            trees = RandomForestRegressor()
        trees.set_params(warm_start=True, random_state=SEED, **options)
        for count in range(1, rounds + 1):
            yield trees.set_params(n_estimators=count).fit(x, y)


def describe(note: str) -> str:
    columns = ", ".join(f"`{name}`" for name in NUMBERS + CATEGORIES)
    return f"{note}\n\nPredicts `{TARGET}` from {columns}.".strip()


def dataset(cars: pd.DataFrame) -> mlflow.Dataset:
    """Names what was read; the digest changes with the data."""
    return mlflow.Dataset(
        name="cars",
        digest=f"{pd.util.hash_pandas_object(cars, index=False).sum():016x}",
        source_type="package",
        source=json.dumps({"package": "vega-datasets", "file": "cars.json"}),
        profile=json.dumps({"num_rows": len(cars), "num_elements": cars.size}),
    )


def scatter(actual: pd.Series, predicted: Any) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.scatter(actual, predicted, alpha=0.6)
    axes.axline((10, 10), slope=1, color="black", linewidth=1)
    axes.set(xlabel="Actual miles per gallon", ylabel="Predicted miles per gallon")
    return figure


def log_model(pipeline: Any, cars: pd.DataFrame) -> None:
    example = cars[NUMBERS + CATEGORIES].head(3)
    signature = mlflow.models.infer_signature(example, pipeline.predict(example))
    mlflow.sklearn.log_model(pipeline, name="model", signature=signature, input_example=example)


if __name__ == "__main__":
    main()
