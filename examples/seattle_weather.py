"""Sun, rain, fog, drizzle or snow in Seattle? Logs a learning curve per epoch of training.

    python seattle_weather.py
    python seattle_weather.py --model logistic network --learning-rate 0.003 0.01

Trains on the days of 2012 to 2014 and tests on those of 2015, one run for every combination of
model and learning rate. The data comes with vega-datasets.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, f1_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from vega_datasets import local_data

import gitml as mlflow

SEED = 7
FEATURES = ["precipitation", "temp_max", "temp_min", "wind", "season"]
TARGET = "weather"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", nargs="+", choices=MODELS, default=["network"])
    parser.add_argument("--learning-rate", nargs="+", type=float, default=[0.01])
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()

    days = load()
    mlflow.set_experiment("seattle weather")
    for model, learning_rate in itertools.product(args.model, args.learning_rate):
        train(days, model, learning_rate, args.epochs)


def load() -> pd.DataFrame:
    days = local_data.seattle_weather()
    season = np.cos(
        2 * np.pi * days["date"].dt.day_of_year / 365
    )  # 1 in midwinter, -1 in midsummer
    return days.assign(season=season)


def logistic(learning_rate: float) -> SGDClassifier:
    return SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=learning_rate, random_state=SEED
    )


def network(learning_rate: float) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=(16,), learning_rate_init=learning_rate, random_state=SEED
    )


MODELS = {"logistic": logistic, "network": network}


def train(days: pd.DataFrame, model: str, learning_rate: float, epochs: int) -> None:
    """Train one classifier as one run."""
    past, future = days[days["date"].dt.year < 2015], days[days["date"].dt.year == 2015]
    scale = StandardScaler()
    x, y = scale.fit_transform(past[FEATURES]), past[TARGET]
    x_test, y_test = scale.transform(future[FEATURES]), future[TARGET]
    kinds = np.unique(days[TARGET])

    with mlflow.start_run(run_name=f"{model} {learning_rate:g}", tags={"data": "seattle-weather"}):
        mlflow.log_params(
            {"model": model, "learning_rate": learning_rate, "epochs": epochs, "seed": SEED}
        )
        classifier = MODELS[model](learning_rate)
        for epoch in range(1, epochs + 1):
            classifier.partial_fit(x, y, classes=kinds)
            guesses = classifier.predict(x_test)
            scores = {
                "accuracy": accuracy_score(y_test, guesses),
                "f1": f1_score(y_test, guesses, average="macro"),
                "log_loss": log_loss(y_test, classifier.predict_proba(x_test), labels=kinds),
                "train_log_loss": log_loss(y, classifier.predict_proba(x), labels=kinds),
            }
            mlflow.log_metrics(scores, step=epoch)

        mlflow.log_figure(confusion(y_test, guesses), "confusion_matrix.png")
        pipeline = make_pipeline(scale, classifier)
        mlflow.sklearn.log_model(pipeline, name="model", input_example=past[FEATURES].head(3))
    print(f"{model} {learning_rate:g}: {scores['accuracy']:.1%} of the days of 2015 right")


def confusion(actual: pd.Series, guesses: np.ndarray) -> Figure:
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        actual, guesses, ax=figure.subplots(), cmap="cividis", colorbar=False
    )
    return figure


if __name__ == "__main__":
    main()
