"""Transitions obey the gates that ``registry/<Model>.yaml`` declares."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli, loaded, log_model, log_run, refs


def declare(repository: Path, *gates: str) -> None:
    folder = repository / "registry"
    folder.mkdir(exist_ok=True)
    lines = "".join(f"    - {gate}\n" for gate in gates)
    (folder / "Price.yaml").write_text(f"model: Price\ngates:\n  Production:\n{lines}")


def register(cli: Cli, repository: Path, rmse: float) -> None:
    uri = log_model(repository, log_run(repository, rmse=rmse))
    cli("registry", "register", uri, "Price")


def test_transition_obeys_gates_and_records_them_in_the_tag(cli: Cli, repository: Path) -> None:
    for rmse in (3.0, 2.9, 2.0):
        register(cli, repository, rmse)
    declare(repository, "metrics.rmse < 3.5", "metrics.rmse <= 0.9 * production.metrics.rmse")

    cli("registry", "transition", "Price", "1", "Production")
    before = refs(repository)
    refused = cli("registry", "transition", "Price", "2", "Production", code=4)
    assert refused.stderr.startswith(
        "error: Price version 2 does not meet a gate of Production: "
        "metrics.rmse <= 0.9 * production.metrics.rmse (2.9 <= 0.9 * 3).\n"
    )
    assert refs(repository) == before
    cli("registry", "transition", "Price", "3", "Production")

    events = loaded(cli("registry", "history", "Price", "--json"))
    first, last = (e["detail"]["gates"] for e in events if e["value"] == "Production")
    assert first[1] == {
        "gate": "metrics.rmse <= 0.9 * production.metrics.rmse",
        "measured": "3 <= 0.9 * (nothing live)",
        "holds": True,
        "values": {"metrics.rmse": 3.0, "production.metrics.rmse": None},
        "note": "nothing is live in Production",
    }
    assert [gate["measured"] for gate in last] == ["2 < 3.5", "2 <= 0.9 * 3"]
    assert "2 of 2 gates hold" in cli("registry", "history", "Price").stdout
    printed = cli("registry", "show", "Price", "3").stdout
    assert "Gates of Production" in printed and "2 <= 0.9 * 3" in printed


def test_forcing_needs_a_reason_and_stays_visible(cli: Cli, repository: Path) -> None:
    register(cli, repository, 9.0)
    declare(repository, "metrics.rmse < 3.5", "metrics.nope < 1")

    move = ("registry", "transition", "Price", "1", "Production")
    assert "metrics.nope is missing" in cli(*move, code=4).stderr
    assert "needs a reason" in cli(*move, "--force", code=2).stderr
    cli(*move, "--force", "-m", "fire drill")
    event = loaded(cli("registry", "history", "Price", "--json"))[-1]["detail"]
    assert (event["forced"], event["reason"]) == (True, "fire drill")
    assert [gate["holds"] for gate in event["gates"]] == [False, False]
    printed = cli("registry", "history", "Price").stdout
    assert "(0 of 2 gates hold, forced past its gates)  fire drill" in printed
    (entry,) = loaded(cli("registry", "show", "Price", "1", "--json"))["stages"]["Production"]
    assert (entry["forced"], entry["reason"], entry["until"]) == (True, "fire drill", None)
    assert [(gate["measured"], gate["holds"]) for gate in entry["gates"]] == [
        ("9 < 3.5", False), ("(missing) < 1", False),
    ]  # fmt: skip
    assert loaded(cli("registry", "show", "Price", "--json"))["stages"] == {"Production": [entry]}
    assert "0 of 2 hold, forced" in cli("registry", "show", "Price", "1").stdout
    assert "Gates of Production, forced" in cli("registry", "show", "Price", "1").stdout
    cli("registry", "transition", "Price", "1", "Staging")  # no gates there


def test_gates_that_cannot_be_read_refuse_the_transition(cli: Cli, repository: Path) -> None:
    register(cli, repository, 1.0)
    declare(repository, "metrics.rmse <")

    refused = cli("registry", "transition", "Price", "1", "Production", code=2)
    assert "registry/Price.yaml, line 4: Invalid gate" in refused.stderr
