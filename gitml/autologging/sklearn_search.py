"""Read the results of a parameter search: grid and randomized search alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One set of parameters that was tried.

    Attributes:
        params: All parameters of the estimator with this set applied, as text.
        metrics: Mean and standard deviation of scores and times (s), and rank.
        estimator_name: Name of the estimator's class.
        estimator_class: Its full name.
    """

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    estimator_name: str
    estimator_class: str


def is_search(estimator: Any) -> bool:
    """Return True if an estimator searches parameters by cross-validation."""
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    return isinstance(estimator, GridSearchCV | RandomizedSearchCV)


def best_params(search: Any) -> dict[str, str]:
    """Return ``best_<name>`` per searched parameter, as text; nothing without a best one."""
    best = getattr(search, "best_params_", None) or {}
    return {f"best_{name}": str(value) for name, value in best.items()}


def best_metrics(search: Any) -> dict[str, float]:
    """Return ``best_cv_score``; nothing where several scores had no single best."""
    score = getattr(search, "best_score_", None)
    return {} if score is None else {"best_cv_score": float(score)}


def results_csv(search: Any) -> str:
    """Return the table of everything that was tried, as CSV."""
    import pandas as pd

    text: str = pd.DataFrame(search.cv_results_).to_csv(index=False)
    return text


def best_candidates(search: Any, limit: int | None) -> list[Candidate]:
    """Return what was tried, best first.

    Args:
        search: The fitted search.
        limit: The most that are returned; None for all.
    """
    results = search.cv_results_
    ranks = results.get(_rank_key(search, results), range(len(results["params"])))
    order = sorted(range(len(results["params"])), key=lambda i: int(ranks[i]))
    return [_candidate(search, results, i) for i in order[:limit]]


def _rank_key(search: Any, results: Mapping[str, Any]) -> str:
    keys = [key for key in results if key.startswith("rank_test_")]
    chosen = f"rank_test_{search.refit}"
    return chosen if chosen in keys else next(iter(keys), "")


def _candidate(search: Any, results: Mapping[str, Any], i: int) -> Candidate:
    from sklearn.base import clone

    estimator = clone(search.estimator).set_params(**clone(results["params"][i], safe=False))
    numbers = {k: float(v[i]) for k, v in results.items() if not k.startswith(("param", "split"))}
    return Candidate(
        params={k: str(v) for k, v in estimator.get_params(deep=True).items()},
        metrics={k: v for k, v in numbers.items() if not math.isnan(v)},
        estimator_name=type(estimator).__name__,
        estimator_class=f"{type(estimator).__module__}.{type(estimator).__name__}",
    )
