"""``gitml registry``."""

from __future__ import annotations

import re

import gitml
from tests.cli.conftest import Cli, loaded


def test_a_model_goes_from_registration_to_production(cli: Cli, model: str) -> None:
    first = loaded(cli("registry", "register", model, "Price", "--tag", "team=a=b", "--json"))
    assert (first["name"], first["version"], first["source"]) == ("Price", 1, model)
    assert first["tags"] == {"team": "a=b"}
    assert cli("registry", "register", model, "Price").stdout == "Registered Price version 2.\n"
    for version in ("1", "2"):
        cli("registry", "transition", "Price", version, "production", "-m", "better",
            "--archive-existing")  # fmt: skip
    aliases = loaded(cli("registry", "alias", "set", "Price", "best", "2", "--json"))

    assert aliases == {"name": "Price", "aliases": {"best": 2}}
    document = loaded(cli("registry", "show", "Price", "--json"))
    assert [(v["version"], v["current_stage"], v["aliases"]) for v in document["versions"]] == [
        (2, "Production", ["best"]), (1, "Archived", []),
    ]  # fmt: skip
    second = loaded(cli("registry", "show", "Price", "2", "--json"))
    assert second.pop("lineage")["entered"]["reason"] == "better"
    assert second.pop("stages")["Production"] == [document["stages"]["Production"][1]]
    assert second == document["versions"][0]
    (listed,) = loaded(cli("registry", "list", "--json"))
    assert (listed["name"], listed["aliases"]) == ("Price", {"best": 2})
    line = cli("registry", "list").stdout.splitlines()[1].split()
    assert line[:5] == ["Price", "2", "2", "-", "best=2"]
    assert "Production" in cli("registry", "show", "Price", "2").stdout
    assert "Archived" in cli("registry", "show", "Price").stdout


def test_history_lists_user_change_and_reason(cli: Cli, model: str) -> None:
    cli("registry", "register", model, "Price")
    cli("registry", "transition", "Price", "1", "Staging", "-m", "worth a try")

    events = loaded(cli("registry", "history", "Price", "--json"))
    assert [(e["kind"], e["version"], e["value"], e["user"]) for e in events] == [
        ("registered", 1, "", "Ada Example"), ("stage", 1, "Staging", "Ada Example"),
    ]  # fmt: skip
    assert events[1]["detail"]["reason"] == "worth a try"
    lines = cli("registry", "history", "Price").stdout.splitlines()
    assert lines[2].split("  ")[1:] == ["version 1 moved to Staging", "worth a try", "Ada Example"]


def test_history_includes_edits_with_the_option(cli: Cli, model: str) -> None:
    cli("registry", "register", model, "Price")
    cli("registry", "alias", "set", "Price", "best", "1", "-m", "wins the sweep")
    gitml.MlflowClient().set_model_version_tag("Price", 1, "audited", True, reason="by law")

    assert "audited" not in cli("registry", "history", "Price").stdout
    printed = cli("registry", "history", "Price", "--edits").stdout
    assert re.search(r"alias best set to version 1 +wins the sweep +Ada Example", printed)
    assert re.search(r"version 1 tags.audited set +by law +Ada Example", printed)
    events = loaded(cli("registry", "history", "Price", "--edits", "--json"))
    assert sorted(event["kind"] for event in events) == ["alias", "edited", "registered"]


def test_an_alias_is_removed(cli: Cli, model: str) -> None:
    cli("registry", "register", model, "Price")
    cli("registry", "alias", "set", "Price", "best", "1")

    result = cli("registry", "alias", "delete", "Price", "best")
    assert (result.stdout, result.stderr) == ("", "No aliases.\n")


def test_list_without_models_says_so(cli: Cli) -> None:
    assert cli("registry", "list").stderr == "No registered models.\n"
    assert loaded(cli("registry", "list", "--json")) == []
