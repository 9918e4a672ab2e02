"""scikit-learn: every ``fit`` the user calls becomes a run, or part of the active one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from gitml import redaction
from gitml.autologging import sklearn_search as searches
from gitml.autologging.nesting import inside_fit, outermost_fit
from gitml.autologging.options import SklearnAutologOptions
from gitml.autologging.patching import (
    Patches,
    subclasses,
    unwatch_subclasses,
    watch_subclasses,
)
from gitml.autologging.safety import safely
from gitml.autologging.sklearn_metrics import TrainingData, training_figures, training_metrics
from gitml.entities import RunStatus
from gitml.models.flavors import sklearn as flavor
from gitml.models.saving import refuse_unknown_options
from gitml.models.signature import ModelSignature, infer_signature

_METHODS = ("fit", "fit_predict", "fit_transform")
_STEPS_OF_A_MODEL = (
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.feature_extraction",
    "sklearn.feature_selection",
    "sklearn.compose._column_transformer",
)
_OWN_FLAVOR = ("xgboost", "lightgbm", "catboost")
_EXAMPLE_ROWS = 5

_patches = Patches()
_options: SklearnAutologOptions | None = None


def autolog(**options: Unpack[SklearnAutologOptions]) -> None:
    """Log every ``fit`` of scikit-learn: parameters, training metrics, plots and the model.

    Args:
        **options: See :class:`~gitml.autologging.options.SklearnAutologOptions`.

    Raises:
        ImportError: scikit-learn is not installed.
        InvalidInput: An option is unknown.
    """
    global _options
    refuse_unknown_options(options, SklearnAutologOptions)
    if options.get("disable"):
        _options = None
        _unpatch()
        return
    _options = options
    _patch()


def _patch() -> None:
    from sklearn.base import BaseEstimator

    for cls in [BaseEstimator, *subclasses(BaseEstimator)]:
        _patch_class(cls)
    # Modules of scikit-learn and of the user that are imported later define their classes later.
    watch_subclasses(BaseEstimator, _patch_class)


def _unpatch() -> None:
    base = sys.modules.get("sklearn.base")
    if base is not None:
        unwatch_subclasses(base.BaseEstimator)
    _patches.undo()


def _patch_class(cls: type) -> None:
    for name in _METHODS:
        _patches.add(cls, name, _around_fit)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """One watched call of ``fit``.

    Attributes:
        estimator: What is fitted.
        options: What to record.
        run_id: The run it is recorded in.
        owned: Whether autologging started that run, and so ends it.
    """

    estimator: Any
    options: SklearnAutologOptions
    run_id: str
    owned: bool

    def safely(self, what: str, action: Callable[[], object]) -> None:
        safely(what, action, silent=self.options.get("silent", False))


def _around_fit(call: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> Any:
    options = _options
    if options is None or inside_fit():
        return call(*args, **kwargs)
    # Transformers are not logged by themselves, nor is what they fit inside.
    with outermost_fit():
        session = _begin(instance, options) if _is_logged(instance) else None
        if session is None:
            return call(*args, **kwargs)
        try:
            result = call(*args, **kwargs)
        except BaseException as error:
            killed = isinstance(error, KeyboardInterrupt)
            _end(session, RunStatus.KILLED if killed else RunStatus.FAILED)
            raise
        _record_fitted(session, _training_data(call, args, kwargs))
        _end(session, RunStatus.FINISHED)
        return result


def _is_logged(estimator: Any) -> bool:
    module = type(estimator).__module__
    if module.startswith((*_STEPS_OF_A_MODEL, *_OWN_FLAVOR)):
        return False
    return module.startswith("sklearn.") or hasattr(estimator, "predict")


def _begin(estimator: Any, options: SklearnAutologOptions) -> _Fit | None:
    silent = options.get("silent", False)
    session = safely("a run", partial(_session, estimator, options), silent=silent)
    if session is not None:
        session.safely("tags", partial(_log_tags, session))
        session.safely("parameters", partial(_log_params, session))
    return session


def _session(estimator: Any, options: SklearnAutologOptions) -> _Fit | None:
    from gitml.fluent import active

    run = active.active_run()
    if run is not None and options.get("exclusive"):
        return None
    owned = run is None
    if run is None:
        run = active.start_run(tags={"mlflow.autologging": "sklearn"})
    return _Fit(estimator=estimator, options=options, run_id=run.info.run_id, owned=owned)


def _log_tags(session: _Fit) -> None:
    from gitml.fluent import tracking

    cls = type(session.estimator)
    tracking.set_tags(
        {
            "estimator_name": cls.__name__,
            "estimator_class": f"{cls.__module__}.{cls.__name__}",
            **(session.options.get("extra_tags") or {}),
        }
    )


def _log_params(session: _Fit) -> None:
    from gitml.fluent import tracking

    # A search's candidates have runs of their own, with the parameters of what is searched.
    deep = not searches.is_search(session.estimator)
    params = session.estimator.get_params(deep=deep)
    tracking.log_params({name: _shareable(name, str(value)) for name, value in params.items()})


def _shareable(name: str, value: str) -> str:
    """Return the value of a param that nobody asked to log, without secrets."""
    return redaction.HIDDEN if redaction.is_secret(name, value) else value


def _training_data(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TrainingData:
    """Return what was trained on, whatever the estimator calls its arguments."""
    given = inspect.signature(call).bind(*args, **kwargs).arguments
    samples = given.get("X", next(iter(given.values()), None))
    return TrainingData(
        X=samples,
        y=given.get("y", given.get("Y")),
        sample_weight=given.get("sample_weight"),
    )


def _record_fitted(session: _Fit, data: TrainingData) -> None:
    session.safely("training metrics", partial(_log_metrics, session, data))
    session.safely("the estimator's diagram", partial(_log_diagram, session))
    session.safely("training plots", partial(_log_figures, session, data))
    if searches.is_search(session.estimator):
        session.safely("the search's results", partial(_log_search, session))
    if session.options.get("log_models", True):
        session.safely("the model", partial(_log_model, session, data))


def _log_metrics(session: _Fit, data: TrainingData) -> None:
    from gitml.fluent import tracking

    pos_label = session.options.get("pos_label")
    tracking.log_metrics(training_metrics(session.estimator, data, pos_label=pos_label))


def _log_diagram(session: _Fit) -> None:
    from sklearn.utils import estimator_html_repr

    from gitml.fluent import tracking

    tracking.log_text(estimator_html_repr(session.estimator), "estimator.html")


def _log_figures(session: _Fit, data: TrainingData) -> None:
    from gitml.fluent import tracking

    for name, figure in training_figures(session.estimator, data).items():
        tracking.log_figure(figure, name)


def _log_search(session: _Fit) -> None:
    from gitml.fluent import active, tracking

    search = session.estimator
    tracking.log_params(searches.best_params(search))
    tracking.log_metrics(searches.best_metrics(search))
    tracking.log_text(searches.results_csv(search), "cv_results.csv")
    extra_tags = session.options.get("extra_tags") or {}
    for candidate in searches.best_candidates(search, session.options.get("max_tuning_runs", 5)):
        names = {
            "estimator_name": candidate.estimator_name,
            "estimator_class": candidate.estimator_class,
        }
        with active.start_run(nested=True, tags={**names, **extra_tags}):
            tracking.log_params(candidate.params)
            tracking.log_metrics(candidate.metrics)


def _log_model(session: _Fit, data: TrainingData) -> None:
    from gitml.fluent import models

    options = session.options
    rows = _first_rows(data.X)
    signed = options.get("log_model_signatures", True)
    save_options: flavor.SklearnOptions = {
        "serialization_format": options.get("serialization_format"),
        "signature": _signature(session, rows) if signed else False,
        "input_example": rows if options.get("log_input_examples") else None,
    }
    best = getattr(session.estimator, "best_estimator_", None)
    if best is not None:
        models.log_model(partial(flavor.save, best, **save_options), "best_estimator")
    models.log_model(
        partial(flavor.save, session.estimator, **save_options),
        "model",
        registered_model_name=options.get("registered_model_name"),
    )


def _signature(session: _Fit, rows: Any) -> ModelSignature:
    estimator = session.estimator
    output = estimator.predict(rows) if hasattr(estimator, "predict") else None
    return infer_signature(rows, output)


def _first_rows(samples: Any) -> Any:
    """Return the first rows of a table or matrix; lists become an array."""
    import numpy as np

    if hasattr(samples, "iloc"):
        return samples.iloc[:_EXAMPLE_ROWS]
    if hasattr(samples, "shape"):
        return samples[:_EXAMPLE_ROWS]
    return np.asarray(list(samples)[:_EXAMPLE_ROWS])


def _end(session: _Fit, status: RunStatus) -> None:
    from gitml.fluent import active

    def end() -> None:
        run = active.active_run()
        if session.owned and run is not None and run.info.run_id == session.run_id:
            active.end_run(status)

    session.safely("the end of the run", end)
