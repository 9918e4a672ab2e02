"""Every registry call of MLflow's client, on MLflow or on gitml, noted as facts.

In an environment with MLflow (``pip install 'gitml[bench]'``) its own are noted by
``python -m tests.registry.mlflow_contract > tests/registry/mlflow_facts.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]


def facts(mlflow: Any, client: Any, run_id: str) -> Facts:
    """Call everything once, in order.

    Args:
        mlflow: The module.
        client: Its ``MlflowClient``.
        run_id: A finished run with a model at ``model``.

    Returns:
        What each call returned; the error code where it raised.
    """
    noted: Facts = {}

    def note(label: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        assert label not in noted, label
        try:
            result = call(*args, **options)
        except mlflow.MlflowException as error:
            noted[label] = f"raises {error.error_code}"
            return None
        noted[label] = _plain(result, run_id)
        return result

    uri = f"runs:/{run_id}/model"
    _create(note, mlflow, client, uri, run_id)
    _move(note, client)
    _name(note, client)
    _edit(note, mlflow, client)
    _search(note, mlflow, client, run_id)
    _delete(note, client, uri, run_id)
    return noted


def _create(note: Any, mlflow: Any, client: Any, uri: str, run_id: str) -> None:
    note("create", client.create_registered_model, "Price", {"team": "ml"}, "first")
    note("create again", client.create_registered_model, "Price")
    note("create without a name", client.create_registered_model, "")
    note("create with a slash", client.create_registered_model, "a/b")
    note("register", mlflow.register_model, uri, "Price", tags={"a": 1})
    note("register and wait", mlflow.register_model, uri, "New", await_registration_for=10)
    more = {"run_link": "https://ci.example.org/7", "description": "second"}
    note("create version", client.create_model_version, "Price", uri, run_id, {"k": "v"}, **more,
         await_creation_for=0)  # fmt: skip
    note("create version of no model", client.create_model_version, "Nope", uri, run_id)
    note("get model", client.get_registered_model, "Price")
    note("get no model", client.get_registered_model, "Nope")
    for version in ("1", 1, "9", "x"):
        note(f"get version {version!r}", client.get_model_version, "Price", version)
    note("get version of no model", client.get_model_version, "Nope", "1")
    note("stages", client.get_model_version_stages, "Price", "1")
    note("link", lambda: client.get_model_version("Price", "2").run_link)


def _move(note: Any, client: Any) -> None:
    move = client.transition_model_version_stage
    note("promote", move, "Price", "1", "production")
    note("promote the next", move, "Price", "2", "Production", archive_existing_versions=True)
    note("move to no stage", move, "Price", "2", "Live")
    note("move no version", move, "Price", "9", "Staging")
    note("latest", client.get_latest_versions, "Price")
    note("latest in a stage", client.get_latest_versions, "Price", ["Production"])
    note("latest in two", client.get_latest_versions, "Price", stages=["production", "Staging"])
    note("latest in no stage", client.get_latest_versions, "Price", stages=["Live"])
    note("latest in an empty list", client.get_latest_versions, "Price", stages=[])
    note("latest of no model", client.get_latest_versions, "Nope")


def _name(note: Any, client: Any) -> None:
    give, by = client.set_registered_model_alias, client.get_model_version_by_alias
    note("alias", give, "Price", "champion", "1")
    note("alias like a version", give, "Price", "v3", "1")
    note("alias latest", give, "Price", "latest", "1")
    note("alias of no version", give, "Price", "other", "9")
    note("by alias", by, "Price", "champion")
    note("by no alias", by, "Price", "nope")
    note("by alias of no model", by, "Nope", "champion")
    note("alias moved", give, "Price", "champion", "2")
    note("get model with alias", client.get_registered_model, "Price")
    note("alias deleted", client.delete_registered_model_alias, "Price", "champion")
    note("alias deleted again", client.delete_registered_model_alias, "Price", "champion")
    note("alias of no model deleted", client.delete_registered_model_alias, "Nope", "champion")


def _edit(note: Any, mlflow: Any, client: Any) -> None:
    tag, untag = client.set_model_version_tag, client.delete_model_version_tag
    note("tag model", client.set_registered_model_tag, "Price", "n", 3)
    note("tag no model", client.set_registered_model_tag, "Nope", "n", 3)
    note("tags of the model", lambda: client.get_registered_model("Price").tags)
    note("untag model", client.delete_registered_model_tag, "Price", "n")
    note("untag model again", client.delete_registered_model_tag, "Price", "n")
    note("tag version", tag, "Price", "1", "q", "x")
    note("tag by stage", tag, "Price", key="q2", value="y", stage="Production")
    note("tag version and stage", tag, "Price", "1", "q", "x", stage="Production")
    note("tag neither", tag, "Price", key="q", value="x")
    note("tag in an empty stage", tag, "Price", key="q", value="x", stage="Staging")
    note("tag without a key", tag, "Price", "1", None, "x")
    note("tagged by stage", lambda: client.get_model_version("Price", "2").tags)
    note("untag by stage", untag, "Price", key="q2", stage="Production")
    note("untag version", untag, "Price", "1", "q")
    note("untag what is not there", untag, "Price", "1", "zzz")
    note("tag with the fluent API", mlflow.set_model_version_tag, "Price", "1", "f", 5)
    note("describe model", client.update_registered_model, "Price", "new *text*")
    note("describe model with nothing", client.update_registered_model, "Price")
    note("describe no model", client.update_registered_model, "Nope", "x")
    note("describe version", client.update_model_version, "Price", "1", "text")
    note("describe version with nothing", client.update_model_version, "Price", "1")
    note("describe no version", client.update_model_version, "Price", "9", "x")


def _search(note: Any, mlflow: Any, client: Any, run_id: str) -> None:
    models, versions = client.search_registered_models, client.search_model_versions
    by_number = {"order_by": ["name ASC", "version_number ASC"]}
    note("all models", models)
    note("models by name", models, "name = 'Price'")
    note("models by pattern", models, filter_string="name ILIKE 'pri%'")
    note("models by tag", models, filter_string="tags.team = 'ml'")
    page = note("a page of models", models, max_results=1)
    note("the next page of models", models, max_results=1, page_token=page.token)
    note("models backwards", models, order_by=["name DESC"])
    note("models by no field", models, "nope = 'x'")
    note("models at no token", models, page_token="zzz")
    note("a negative number of models", models, max_results=-1)
    note("versions by name", versions, "name='Price'", **by_number)
    note("versions by run", versions, f"run_id = '{run_id}'", **by_number)
    note("versions by runs", versions, f"run_id IN ('{run_id}', 'b')", **by_number)
    note("versions by tag", versions, "tags.k = 'v'")
    note("versions by number", versions, "name = 'Price' and version_number > 1")
    page = note("a page of versions", versions, max_results=1, **by_number)
    note("next versions", versions, max_results=2, page_token=page.token, **by_number)
    note("versions by no field", versions, "nope = 'x'")
    note("versions in no order", versions, order_by=["nope"])
    note("no versions at most", versions, max_results=0)
    note("models with the fluent API", mlflow.search_registered_models, filter_string="name='New'")
    note("versions with the fluent API", mlflow.search_model_versions, None, "name='Price'",
         ["version_number DESC"])  # fmt: skip


def _delete(note: Any, client: Any, uri: str, run_id: str) -> None:
    note("copy", client.copy_model_version, "models:/Price/1", "Copied")
    note("copy a run's model", client.copy_model_version, uri, "Copied")
    note("rename", client.rename_registered_model, "New", "Newer")
    note("rename no model", client.rename_registered_model, "Nope", "x")
    note("delete version", client.delete_model_version, "Price", "1")
    note("delete version again", client.delete_model_version, "Price", "1")
    note("get a deleted version", client.get_model_version, "Price", "1")
    note("create version after that", client.create_model_version, "Price", uri, run_id)
    note("delete model", client.delete_registered_model, "Price")
    note("delete model again", client.delete_registered_model, "Price")
    note("get a deleted model", client.get_registered_model, "Price")
    note("create a deleted model", client.create_registered_model, "Price")
    note("its first version", client.create_model_version, "Price", uri, run_id)


def _plain(value: Any, run_id: str) -> Any:
    """What can be compared: not times, places and users, and no text is None."""
    if hasattr(value, "current_stage"):
        facts = [f"{value.name} {value.version}", value.current_stage, value.status]
        facts += [value.description, *map(str, sorted(dict(value.tags).items())), *value.aliases]
        assert value.run_id == run_id and isinstance(value.creation_timestamp, int)
        return " | ".join(fact for fact in facts if fact)
    if hasattr(value, "latest_versions"):
        aliases = {alias: str(version) for alias, version in value.aliases.items()}
        latest = [f"{version.current_stage} {version.version}" for version in value.latest_versions]
        return {"name": value.name, "description": value.description or "",
                "tags": dict(value.tags), "aliases": aliases, "latest": sorted(latest)}  # fmt: skip
    if isinstance(value, list):
        items = [_plain(item, run_id) for item in value]
        return {"items": items, "more": bool(value.token)} if hasattr(value, "token") else items
    return dict(value) if isinstance(value, dict) else value


def _of_mlflow() -> Facts:
    import logging

    import mlflow

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        experiment = mlflow.create_experiment("contract", artifact_location=f"{folder}/artifacts")
        with mlflow.start_run(experiment_id=experiment) as run:
            mlflow.log_text("flavors: {}\n", "model/MLmodel")
        return facts(mlflow, mlflow.MlflowClient(), run.info.run_id)


if __name__ == "__main__":
    json.dump(_of_mlflow(), sys.stdout, indent=1, sort_keys=True)
    print()
