"""The options of autologging, with MLflow's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class AutologOptions(TypedDict, total=False):
    """Options of every library's ``autolog``.

    Attributes:
        log_input_examples: Store the first rows of the training data with the model (False).
        log_model_signatures: Infer and store the model's signature (True).
        log_models: Log the fitted model (True).
        log_datasets: Accepted for MLflow's sake; datasets are not recorded.
        log_traces: Accepted for MLflow's sake; gitml has no traces.
        disable: Stop autologging and put the library back as it was (False).
        exclusive: Leave runs alone that the user started (False).
        disable_for_unsupported_versions: Accepted for MLflow's sake; no version is refused.
        silent: Say nothing where something cannot be logged (False).
        extra_tags: Tags to set on each run that autologging starts or logs to.
        exclude_flavors: Libraries not to log, such as ``["sklearn"]``; ``gitml.autolog`` only.
    """

    log_input_examples: bool
    log_model_signatures: bool
    log_models: bool
    log_datasets: bool
    log_traces: bool
    disable: bool
    exclusive: bool
    disable_for_unsupported_versions: bool
    silent: bool
    extra_tags: Mapping[str, Any] | None
    exclude_flavors: Sequence[str] | None


class SklearnAutologOptions(AutologOptions, total=False):
    """Options of scikit-learn's ``autolog``.

    Attributes:
        max_tuning_runs: Child runs of a parameter search, best first; None for all (5).
        log_post_training_metrics: Accepted for MLflow's sake; metrics computed after the
            training are not recorded.
        serialization_format: See ``gitml.sklearn.log_model``.
        registered_model_name: Register each logged model under this name.
        pos_label: The positive class; without it, metrics are averaged over classes.
    """

    max_tuning_runs: int | None
    log_post_training_metrics: bool
    serialization_format: Literal["skops", "cloudpickle", "pickle"] | None
    registered_model_name: str | None
    pos_label: Any
