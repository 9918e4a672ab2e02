"""Which direction of a metric is better, and who says so."""

from __future__ import annotations

import pytest

from gitml.query.gates import read
from gitml.registry.gates.metric_direction import Direction, MetricDirection, by_name, directions

LOWER, HIGHER = Direction.LOWER, Direction.HIGHER


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("rmse", LOWER),
        ("val/RMSE", LOWER),
        ("training_mean_squared_error", LOWER),
        ("brier_score_loss", LOWER),
        ("neg_log_loss", HIGHER),
        ("test.roc_auc_score", HIGHER),
        ("f1_macro", HIGHER),
        ("best_cv_score", HIGHER),
        ("recall_loss", None),
        ("fit_seconds", None),
        ("depth", None),
        ("", None),
    ],
)
def test_common_names_give_the_direction(metric: str, expected: Direction | None) -> None:
    assert by_name(metric) == expected


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("metrics.x < 3", LOWER),
        ("metrics.x <= 0.98 * production.metrics.x", LOWER),
        ("0.9 < metrics.x", HIGHER),
        ("metrics.y > 1 and (metrics.x > 2 or metrics.x >= production.metrics.x)", HIGHER),
        ("metrics.x > 1 and metrics.x < 2", None),
        ("metrics.x = 1", None),
        ("not metrics.x < 1", None),
        ("abs(metrics.x) < 1", None),
        ("production.metrics.x < 1", None),
        ("metrics.x is not null", None),
    ],
)
def test_gates_tell_where_a_metric_stands_alone(gate: str, expected: Direction | None) -> None:
    result = directions(["x"], {}, [read(gate)])
    assert result == ({"x": MetricDirection(better=expected, source="gate")} if expected else {})


def test_what_is_declared_comes_first_then_gates_then_names() -> None:
    gates = [read("metrics.rmse > 1"), read("metrics.mae > 1")]
    assert directions(["rmse", "mae", "r2", "n"], {"rmse": LOWER}, gates) == {
        "rmse": MetricDirection(better=LOWER, source="declared"),
        "mae": MetricDirection(better=HIGHER, source="gate"),
        "r2": MetricDirection(better=HIGHER, source="name"),
    }
