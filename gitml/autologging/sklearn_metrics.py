"""Measure a fitted scikit-learn estimator on the data it was trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The arguments of a call of ``fit``.

    Attributes:
        X: Samples, ``(n_samples, n_features)``.
        y: Targets, ``(n_samples,)`` or ``(n_samples, n_outputs)``; None where there are none.
        sample_weight: Weights, ``(n_samples,)``, or None.
    """

    X: Any
    y: Any = None
    sample_weight: Any = None


def training_metrics(
    estimator: Any, data: TrainingData, *, pos_label: Any = None
) -> dict[str, float]:
    """Return MLflow's training metrics of a classifier or regressor, by name.

    Args:
        estimator: The fitted estimator.
        data: What it was trained on.
        pos_label: The positive class; without it, metrics are weighted averages over classes.

    Returns:
        The metrics that are defined for this estimator and data; none without targets.
    """
    from sklearn.base import is_classifier, is_regressor

    if data.y is None or not hasattr(estimator, "predict"):
        return {}
    with warnings.catch_warnings():
        # They are about single classes or samples; such metrics are left out below.
        warnings.simplefilter("ignore")
        if is_classifier(estimator):
            measures = _classifier_measures(estimator, data, pos_label)
        elif is_regressor(estimator):
            measures = _regressor_measures(estimator, data)
        else:
            return {}
        measured = _measured({**measures, "score": partial(_score, estimator, data)})
    return {f"training_{name}": value for name, value in measured.items()}


def _measured(measures: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the values of the measures that are defined."""
    values: dict[str, float] = {}
    for name, measure in measures.items():
        try:
            value = float(measure())
        except (AttributeError, IndexError, TypeError, ValueError):
            continue  # not defined: one class only, several outputs, no probabilities …
        if not math.isnan(value):
            values[name] = value
    return values


def _classifier_measures(
    estimator: Any, data: TrainingData, pos_label: Any
) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    predicted = estimator.predict(data.X)
    average = {"average": "weighted"} if pos_label is None else {"pos_label": pos_label}
    weight = {"sample_weight": data.sample_weight}
    by_class = {
        "precision_score": partial(metrics.precision_score, **average, zero_division=0),
        "recall_score": partial(metrics.recall_score, **average, zero_division=0),
        "f1_score": partial(metrics.f1_score, **average, zero_division=0),
        "accuracy_score": metrics.accuracy_score,
    }
    measures: dict[str, Callable[[], Any]] = {
        n: partial(f, data.y, predicted, **weight) for n, f in by_class.items()
    }
    if not hasattr(estimator, "predict_proba"):
        return measures
    chances = estimator.predict_proba(data.X)
    labels = estimator.classes_
    return {
        **measures,
        "log_loss": partial(metrics.log_loss, data.y, chances, labels=labels, **weight),
        "roc_auc": partial(_roc_auc, data.y, chances, weight),
    }


def _roc_auc(y: Any, chances: Any, weight: Mapping[str, Any]) -> Any:
    from sklearn.metrics import roc_auc_score

    if chances.shape[1] == 2:
        return roc_auc_score(y, chances[:, 1], average="weighted", **weight)
    return roc_auc_score(y, chances, average="weighted", multi_class="ovo", **weight)


def _regressor_measures(estimator: Any, data: TrainingData) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics

    predicted = estimator.predict(data.X)
    weight = {"sample_weight": data.sample_weight}
    squared = partial(metrics.mean_squared_error, data.y, predicted, **weight)
    return {
        "mean_squared_error": squared,
        "mean_absolute_error": partial(metrics.mean_absolute_error, data.y, predicted, **weight),
        "r2_score": partial(metrics.r2_score, data.y, predicted, **weight),
        "root_mean_squared_error": lambda: math.sqrt(squared()),
    }


def _score(estimator: Any, data: TrainingData) -> Any:
    if data.sample_weight is None:
        return estimator.score(data.X, data.y)
    return estimator.score(data.X, data.y, sample_weight=data.sample_weight)


def training_figures(estimator: Any, data: TrainingData) -> dict[str, Any]:
    """Return matplotlib figures about a classifier on its training data, by file name.

    Returns:
        A confusion matrix, and for two classes the ROC and precision-recall curves; nothing for
        other estimators or without matplotlib.
    """
    from sklearn.base import is_classifier

    if data.y is None or not is_classifier(estimator) or not hasattr(estimator, "predict"):
        return {}
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return {}
    return _figures(estimator, data)


def _figures(estimator: Any, data: TrainingData) -> dict[str, Any]:
    from sklearn import metrics

    weight = {"sample_weight": data.sample_weight}
    predicted = estimator.predict(data.X)
    matrix = partial(
        metrics.ConfusionMatrixDisplay.from_predictions,
        data.y, predicted, normalize="true", **weight,
    )  # fmt: skip
    drawings: dict[str, Callable[..., Any]] = {"training_confusion_matrix.png": matrix}
    if hasattr(estimator, "predict_proba") and len(estimator.classes_) == 2:
        curve = {**weight, "pos_label": estimator.classes_[1]}
        chances = estimator.predict_proba(data.X)[:, 1]
        drawings["training_roc_curve.png"] = partial(
            metrics.RocCurveDisplay.from_predictions, data.y, chances, **curve
        )
        drawings["training_precision_recall_curve.png"] = partial(
            metrics.PrecisionRecallDisplay.from_predictions, data.y, chances, **curve
        )
    return {name: _drawn(draw) for name, draw in drawings.items()}


def _drawn(draw: Callable[..., Any]) -> Any:
    from matplotlib.figure import Figure

    # Not through pyplot, which would keep every figure and may open windows.
    figure = Figure(layout="tight")
    draw(ax=figure.subplots())
    return figure
