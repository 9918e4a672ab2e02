"""The documents are true: every key, variable, file and dependency they must name, they name."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import gitml
from gitml.config import Environment, RecordSettings, RegistrySettings, Settings, SiteSettings, load
from gitml.errors import InvalidInput
from gitml.formats import run_folder, run_records
from tests.conftest import git

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FORMAT = (ROOT / "gitml" / "formats" / "FORMAT.md").read_text()
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
TESTS_README = (ROOT / "tests" / "README.md").read_text()
EXAMPLE = "dataset"  # the page of "Your first change", which does not exist
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    sections = (
        (SiteSettings(), "site."),
        (RegistrySettings(), "registry."),
        (RecordSettings(), "record."),
    )
    for settings, prefix in ((Settings(), ""), *sections):
        for item in fields(settings):
            value = getattr(settings, item.name)
            if isinstance(value, SiteSettings | RegistrySettings | RecordSettings):
                continue
            row = next(line for line in README.splitlines() if f"`{prefix}{item.name}`" in line)
            if value not in ("", {}):
                assert f"`{str(value).lower() if value is True else value}`" in row


def test_every_environment_variable_is_in_the_readme() -> None:
    source = (ROOT / "gitml" / "config.py").read_text()
    read = set(re.findall(r'environ\.get\("(GITML_[A-Z_]+)"\)', source))

    assert len(read) == len(fields(Environment))
    assert read <= set(re.findall(r"`(GITML_[A-Z_]+)`", README))


def test_every_dependency_has_a_line_of_why() -> None:
    project = PYPROJECT["project"]
    extras = [
        requirement for names in project["optional-dependencies"].values() for requirement in names
    ]
    named = {
        re.split(r"[\[<>=~!]", requirement)[0]
        for requirement in [*project["dependencies"], *extras]
    }

    missing = [name for name in sorted(named - {"gitml"}) if name not in CONTRIBUTING]
    assert missing == []


def test_every_module_of_the_house_is_in_contributing() -> None:
    rooms = {path.name for path in (ROOT / "gitml").iterdir() if not path.name.startswith("_")}
    rooms -= {"py.typed", "version.py", "exceptions.py", "pyfunc.py"}

    assert [room for room in sorted(rooms) if room.removesuffix(".py") not in CONTRIBUTING] == []


def test_every_word_of_the_glossary_names_what_embodies_it() -> None:
    glossary = CONTRIBUTING.partition("## Words")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| `(\w+)` \|$", glossary, re.MULTILINE)
    source = "\n".join(path.read_text() for path in (ROOT / "gitml").rglob("*.py"))
    defined = set(re.findall(r"^(?:class|def) (\w+)", source, re.MULTILINE))

    assert len(rows) == glossary.count("\n| ") - 1  # all but the heading
    assert [name for name in rows if name not in defined] == []


def test_every_fixture_of_the_catalogue_is_where_it_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| `(tests/\S+)` \|$", TESTS_README, re.MULTILINE)

    assert len(rows) > 20
    for fixture, path in rows:
        definition = rf"@pytest\.fixture.*\ndef {fixture}\("
        assert re.search(definition, (ROOT / path).read_text()), fixture


def test_every_decision_is_linked_and_complete() -> None:
    pages = sorted((ROOT / ".github" / "decisions").glob("*.md"))
    headings = ["Context", "Decision", "Figures", "Consequences", "When to revisit"]

    assert pages
    for page in pages:
        assert f"(decisions/{page.name})" in CONTRIBUTING, page.name
        assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == headings, page.name


def test_every_file_and_target_that_contributing_names_exists() -> None:
    named = re.findall(r"`((?:gitml|tests|site_templates)/[\w./]+\.\w+)`", CONTRIBUTING)
    made_up = {"gitml/lib.py", "gitml/models/flavors/lib.py", "tests/models/test_lib_flavor.py"}
    made_up |= {f"gitml/site/pages/{EXAMPLE}.py", f"site_templates/{EXAMPLE}.html"}
    made_up |= {f"tests/site/pages/test_{EXAMPLE}.py"}
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert [name for name in named if name not in made_up and not (ROOT / name).exists()] == []
    assert set(re.findall(r"`make (\w+)", CONTRIBUTING)) <= set(targets)


def test_every_key_and_file_of_a_record_is_in_format_md(tracked: Path) -> None:
    (tracked / "train.py").write_text("print('dirty')\n")
    with gitml.start_run() as run:
        gitml.log_metric("m", 1)
        gitml.log_text("x", "x.txt")
        gitml.log_input(gitml.Dataset(name="d", digest="1"))

    paths = git(tracked, "ls-tree", "-r", "--name-only", "gitml/runs").splitlines()
    names = {path.split(f"{run.info.run_id}/")[-1] for path in paths if run.info.run_id in path}
    assert names == {
        run_folder.RECORD, "metrics.jsonl", "artifacts.json", "artifacts.dvc", ".dvc/config",
        "source.patch", "requirements.txt",
    }  # fmt: skip
    record = next(path for path in paths if path.endswith("run.json"))
    experiment = run_records.experiment_path("Default")
    for path in (record, experiment):
        value = json.loads(git(tracked, "show", f"gitml/runs:{path}"))
        for key in {*value, *value.get("source", {}), *next(iter(value.get("inputs", [])), {})}:
            assert f"`{key}`" in FORMAT, key
    for name in names:
        assert f"`{name}`" in FORMAT or name in FORMAT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("branch: [1]", "branch must be a string, not a list"),
        ("branches: x", "the file has an unknown key 'branches'"),
        ("- a", "the file must be a mapping of keys, not a list"),
        ("a: [", "gitml.yaml is not valid YAML"),
        ("site: {title: 3}", "site.title must be a string, not 3"),
        ("site: {run_pages: -1}", "run_pages must be 0 or greater, not -1"),
        ("forge: sourcehut", "forge must be one of github, gitlab, bitbucket, gitea, not "),
        ("site: {run_pages: 5.0}", "run_pages must be an integer, not 5.0"),
        ("site: {1: x}", "site has the key 1, which must be a string"),
        ("site: 5", "site must be a mapping of keys, not 5"),
        ("registry: {signatures: yes}", "signatures must be one of optional, required, not 'yes'"),
        (
            "registry: {signatures: always}",
            "registry.signatures must be one of optional, required, not 'always'",
        ),
        (
            "registry: {signed_since: soon}",
            "neither the name of a registry tag nor the whole id of a commit: 'soon'",
        ),
        (
            "registry: {signed_since: 2026-11-21}",
            "signed_since is a date, which anybody can write into a tag: '2026-11-21'",
        ),
        (
            "registry: {signers: {Price: [ada]}}",
            "signers.Price must be a mapping of keys, not a list",
        ),
        (
            "registry: {signers: {Price: {Production: ada}}}",
            "signers.Price.Production must be a list, not 'ada'",
        ),
        (
            "registry: {signers: {Price: {Production: [1]}}}",
            "signers.Price.Production\\[0\\] must be a string, not 1",
        ),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "gitml.yaml").write_text(text)

    with pytest.raises(InvalidInput, match=message):
        load(tmp_path)


def test_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "gitml.yaml").write_text("branch: lab\nsite:\n  title: Prices\n")

    assert load(tmp_path) == Settings(branch="lab", site=SiteSettings(title="Prices"))
    commit = "0" * 40
    (tmp_path / "gitml.yaml").write_text(f"registry: {{signed_since: '{commit} Price@v1.0.0'}}")
    assert load(tmp_path).registry.since == (commit, "Price@v1.0.0")
    (tmp_path / "gitml.yaml").write_text("")
    assert load(tmp_path) == load(None) == Settings()
