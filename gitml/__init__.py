"""MLflow without the server: a git repository is the tracking server, registry and website.

``import gitml as mlflow`` runs existing scripts. Every name is loaded when it is first used, so
that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gitml.version import __version__

if TYPE_CHECKING:
    from gitml import (
        models as models,
        pyfunc as pyfunc,
        sklearn as sklearn,
    )
    from gitml.autologging import (
        autolog as autolog,
    )
    from gitml.client import (
        MlflowClient as MlflowClient,
    )
    from gitml.entities import (
        Dataset as Dataset,
        Experiment as Experiment,
        Metric as Metric,
        ModelVersion as ModelVersion,
        Param as Param,
        RegisteredModel as RegisteredModel,
        Run as Run,
        RunStatus as RunStatus,
        RunTag as RunTag,
        ViewType as ViewType,
    )
    from gitml.errors import (
        GitmlError as GitmlError,
        MlflowException as MlflowException,
    )
    from gitml.fluent.active import (
        ActiveRun as ActiveRun,
        active_run as active_run,
        batch as batch,
        end_run as end_run,
        get_tracking_uri as get_tracking_uri,
        is_tracking_uri_set as is_tracking_uri_set,
        last_active_run as last_active_run,
        set_experiment as set_experiment,
        set_tracking_uri as set_tracking_uri,
        start_run as start_run,
    )
    from gitml.fluent.registry import (
        get_registry_uri as get_registry_uri,
        register_model as register_model,
        search_model_versions as search_model_versions,
        search_registered_models as search_registered_models,
        set_model_version_tag as set_model_version_tag,
        set_registry_uri as set_registry_uri,
    )
    from gitml.fluent.tracking import (
        create_experiment as create_experiment,
        delete_experiment as delete_experiment,
        delete_experiment_tag as delete_experiment_tag,
        delete_run as delete_run,
        delete_tag as delete_tag,
        get_artifact_uri as get_artifact_uri,
        get_experiment as get_experiment,
        get_experiment_by_name as get_experiment_by_name,
        get_parent_run as get_parent_run,
        get_run as get_run,
        log_artifact as log_artifact,
        log_artifacts as log_artifacts,
        log_dict as log_dict,
        log_figure as log_figure,
        log_image as log_image,
        log_input as log_input,
        log_metric as log_metric,
        log_metrics as log_metrics,
        log_param as log_param,
        log_params as log_params,
        log_table as log_table,
        log_text as log_text,
        restore_experiment as restore_experiment,
        restore_run as restore_run,
        search_experiments as search_experiments,
        search_runs as search_runs,
        set_experiment_tag as set_experiment_tag,
        set_experiment_tags as set_experiment_tags,
        set_tag as set_tag,
        set_tags as set_tags,
    )

_ENTITIES = (
    "Dataset Experiment Metric ModelVersion Param RegisteredModel Run RunStatus RunTag ViewType"
)
_ACTIVE = (
    "ActiveRun active_run batch end_run get_tracking_uri is_tracking_uri_set last_active_run "
    "set_experiment set_tracking_uri start_run"
)
_FLUENT = (
    "create_experiment delete_experiment delete_experiment_tag delete_run delete_tag "
    "get_artifact_uri get_experiment get_experiment_by_name get_parent_run get_run log_artifact "
    "log_artifacts log_dict log_figure log_image log_input log_metric log_metrics log_param "
    "log_params log_table log_text restore_experiment restore_run search_experiments search_runs "
    "set_experiment_tag set_experiment_tags set_tag set_tags"
)
_REGISTRY = (
    "get_registry_uri register_model search_model_versions search_registered_models "
    "set_model_version_tag set_registry_uri"
)
_HOMES = {
    **dict.fromkeys(_ENTITIES.split(), "gitml.entities"),
    **dict.fromkeys(_ACTIVE.split(), "gitml.fluent.active"),
    **dict.fromkeys(_FLUENT.split(), "gitml.fluent.tracking"),
    **dict.fromkeys(_REGISTRY.split(), "gitml.fluent.registry"),
    **dict.fromkeys(("GitmlError", "MlflowException"), "gitml.errors"),
    "MlflowClient": "gitml.client",
    "autolog": "gitml.autologging",
}
_SUBMODULES = frozenset(
    "artifacts client entities exceptions models pyfunc sklearn tracking".split()
)

if not TYPE_CHECKING:  # type checkers take the imports above instead
    __all__ = ["__version__", *sorted(_HOMES), "models", "pyfunc", "sklearn"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        globals()[name] = value = getattr(importlib.import_module(_HOMES[name]), name)
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"gitml.{name}")
    raise AttributeError(f"module 'gitml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(["__version__", *_HOMES, *_SUBMODULES])
