from __future__ import annotations

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gitml.autologging import sklearn_search as searches

X = np.arange(12.0).reshape(6, 2) ** 1.5
Y = np.array([0.0, 1.1, 1.9, 3.2, 3.9, 5.1])


def test_the_best_candidates_come_first_with_all_their_parameters() -> None:
    search = GridSearchCV(Ridge(), {"alpha": [1000.0, 0.001, 1.0]}, cv=3).fit(X, Y)
    candidates = searches.best_candidates(search, 2)
    scores = search.cv_results_["mean_test_score"]
    best = int(np.argmax(scores))
    assert [candidate.metrics["rank_test_score"] for candidate in candidates] == [1.0, 2.0]
    assert candidates[0].params == {
        name: str(value) for name, value in search.best_estimator_.get_params().items()
    }
    assert candidates[0].metrics.keys() == {
        "mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time",
        "mean_test_score", "std_test_score", "rank_test_score",
    }  # fmt: skip
    assert candidates[0].metrics["mean_test_score"] == scores[best]
    assert candidates[0].estimator_class == "sklearn.linear_model._ridge.Ridge"
    assert searches.best_params(search) == {"best_alpha": str(search.best_params_["alpha"])}
    assert searches.best_metrics(search) == {"best_cv_score": scores[best]}
    assert len(searches.best_candidates(search, None)) == 3
    assert searches.results_csv(search).count("\n") == 4


def test_several_scores_without_a_best_rank_by_the_first() -> None:
    scoring = ["r2", "neg_mean_squared_error"]
    search = GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=3, scoring=scoring, refit=False)
    search.fit(X, Y)
    candidates = searches.best_candidates(search, 5)
    assert [candidate.metrics["rank_test_r2"] for candidate in candidates] == [1.0, 2.0]
    assert (searches.best_params(search), searches.best_metrics(search)) == ({}, {})


def test_a_searched_step_of_a_pipeline_is_not_changed_by_asking() -> None:
    pipeline = make_pipeline(StandardScaler(), Ridge())
    search = GridSearchCV(pipeline, {"ridge": [Ridge(2.0), LinearRegression()]}, cv=3).fit(X, Y)
    texts = {candidate.params["ridge"] for candidate in searches.best_candidates(search, None)}
    assert texts == {"Ridge(alpha=2.0)", "LinearRegression()"}
    assert not hasattr(search.cv_results_["params"][0]["ridge"], "coef_")
    assert repr(search.estimator["ridge"]) == "Ridge()"


def test_only_searches_are_searches() -> None:
    assert searches.is_search(GridSearchCV(Ridge(), {}))
    assert not searches.is_search(Ridge())
