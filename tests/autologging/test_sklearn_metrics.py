from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from gitml.autologging.sklearn_metrics import TrainingData, training_figures, training_metrics

X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
TWO = np.array(["no", "no", "yes", "no", "yes", "yes"])
THREE = np.array([0, 0, 1, 1, 2, 2])
NUMBERS = np.array([0.0, 1.1, 1.9, 3.2, 3.9, 5.1])


def test_a_classifier_of_two_classes_has_seven_metrics() -> None:
    model = LogisticRegression().fit(X, TWO)
    predicted, chances = model.predict(X), model.predict_proba(X)
    average = {"average": "weighted"}
    assert training_metrics(model, TrainingData(X=X, y=TWO)) == {
        "training_precision_score": metrics.precision_score(TWO, predicted, **average),
        "training_recall_score": metrics.recall_score(TWO, predicted, **average),
        "training_f1_score": metrics.f1_score(TWO, predicted, **average),
        "training_accuracy_score": metrics.accuracy_score(TWO, predicted),
        "training_log_loss": metrics.log_loss(TWO, chances),
        "training_roc_auc": metrics.roc_auc_score(TWO, chances[:, 1]),
        "training_score": model.score(X, TWO),
    }


def test_the_positive_class_can_be_named() -> None:
    model = LogisticRegression().fit(X, TWO)
    measured = training_metrics(model, TrainingData(X=X, y=TWO), pos_label="no")
    expected = metrics.precision_score(TWO, model.predict(X), pos_label="no")
    assert measured["training_precision_score"] == expected


def test_more_classes_average_pairs_for_the_roc_auc() -> None:
    model = LogisticRegression().fit(X, THREE)
    expected = metrics.roc_auc_score(
        THREE, model.predict_proba(X), multi_class="ovo", average="weighted"
    )
    assert training_metrics(model, TrainingData(X=X, y=THREE))["training_roc_auc"] == expected


def test_a_classifier_without_probabilities_lacks_what_needs_them() -> None:
    model = RidgeClassifier().fit(X, TWO)
    assert training_metrics(model, TrainingData(X=X, y=TWO)).keys() == {
        "training_precision_score",
        "training_recall_score",
        "training_f1_score",
        "training_accuracy_score",
        "training_score",
    }


def test_a_regressor_has_five_metrics_and_heeds_weights() -> None:
    weight = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    model = LinearRegression().fit(X, NUMBERS, sample_weight=weight)
    predicted = model.predict(X)
    squared = metrics.mean_squared_error(NUMBERS, predicted, sample_weight=weight)
    data = TrainingData(X=X, y=NUMBERS, sample_weight=weight)
    assert training_metrics(model, data) == {
        "training_mean_squared_error": squared,
        "training_mean_absolute_error": metrics.mean_absolute_error(
            NUMBERS, predicted, sample_weight=weight
        ),
        "training_r2_score": metrics.r2_score(NUMBERS, predicted, sample_weight=weight),
        "training_root_mean_squared_error": math.sqrt(squared),
        "training_score": model.score(X, NUMBERS, sample_weight=weight),
    }


def test_metrics_that_are_not_defined_are_left_out() -> None:
    several = np.column_stack([TWO == "yes", THREE == 1]).astype(int)
    model = KNeighborsClassifier(1).fit(X, several)
    assert training_metrics(model, TrainingData(X=X, y=several)) == {
        "training_precision_score": 1.0,
        "training_recall_score": 1.0,
        "training_f1_score": 1.0,
        "training_accuracy_score": 1.0,
        "training_score": 1.0,
    }


@pytest.mark.parametrize("y", [None, TWO])
def test_clusters_have_no_training_metrics(y: object) -> None:
    model = KMeans(2, n_init=1, random_state=0).fit(X)
    data = TrainingData(X=X, y=y)
    assert (training_metrics(model, data), training_figures(model, data)) == ({}, {})


@pytest.mark.slow
def test_plots_of_a_classifier() -> None:
    two = LogisticRegression().fit(X, TWO)
    assert list(training_figures(two, TrainingData(X=X, y=TWO))) == [
        "training_confusion_matrix.png",
        "training_roc_curve.png",
        "training_precision_recall_curve.png",
    ]
    three = LogisticRegression().fit(X, THREE)
    figures = training_figures(three, TrainingData(X=X, y=THREE))
    assert list(figures) == ["training_confusion_matrix.png"]
    drawn = figures["training_confusion_matrix.png"].axes[0].images[0].get_array()
    expected = metrics.confusion_matrix(THREE, three.predict(X), normalize="true")
    np.testing.assert_array_equal(drawn, expected)
