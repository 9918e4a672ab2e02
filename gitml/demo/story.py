"""The steps that make the demo: scripts, runs, versions of a model, the dashboard.

Each step is recorded when it is done, so that the next call finishes a demo that was interrupted,
and leaves a finished one as it is.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitml.client import MlflowClient
from gitml.demo import scripts
from gitml.demo.scripts import Script
from gitml.entities import ModelVersion, Run, RunStatus
from gitml.errors import InvalidInput, MissingDependency
from gitml.formats import run_records
from gitml.git import GitRepo
from gitml.publishing import dashboard
from gitml.registry import registration
from gitml.tracking.client import NOTE_TAG

MODEL = "FuelEconomy"
SITE = "_site"
_FUEL, _WEATHER = "fuel_economy.py", "seattle_weather.py"
_STEPS_FILE = "gitml/demo.steps"  # below the git folder
_NEEDED = ("matplotlib", "pandas", "sklearn", "vega_datasets")

# The first version of the script does not know these columns yet: the improvement adds them.
_IMPROVEMENT = ', "Cylinders", "Year"]'
_IDEA = '"Weight_in_lbs", '  # left out in a work tree that is not committed

_README = """\
# Fuel economy and the weather in Seattle

A demo of gitml: two scripts of scikit-learn, their runs on the branch `gitml/runs`, the model
`FuelEconomy` in the registry, and a dashboard. Everything is in this git repository.

    git log gitml/runs                    the runs, as a lab notebook
    gitml runs list                       the same as a table
    gitml ui                              the same as a website
    python fuel_economy.py --max-depth 4  one more run

`fuel_economy.py` and `seattle_weather.py` made the runs: read and change them. `minimal.py` shows
the least that a script needs, `house_prices.py` how MLflow's users write one.
"""
_SETTINGS = """\
site:
  title: "gitml demo: fuel economy and weather"
"""
_ABOUT_MODEL = """\
Miles per gallon of a car, from its engine, weight, year and origin.

Trained by `fuel_economy.py`; the error is `rmse`, in miles per gallon, on a quarter of the cars.
"""
_ABOUT_EXPERIMENTS = {
    "fuel economy": "How many miles does a car drive on a gallon? Lower `rmse` is better.",
    "seattle weather": "Sun, rain, fog, drizzle or snow? Trained on 2012 to 2014, tested on 2015.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What a demo consists of.

    Attributes:
        folder: The repository.
        site: First page of its dashboard.
        runs: Number of runs in it.
        commands: What to run next, in this order.
    """

    folder: Path
    site: Path
    runs: int
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Demo:
    folder: Path
    git: GitRepo
    report: Callable[[str], None]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.folder)

    @property
    def steps_file(self) -> Path:
        return self.git.common_dir / _STEPS_FILE


def run_demo(folder: Path, *, report: Callable[[str], None]) -> DemoResult:
    """Make a demo in a new or empty folder, or finish the one that is in it.

    Args:
        folder: Of the repository; created if it does not exist.
        report: Called with each line about what is done.

    Returns:
        What was made.

    Raises:
        InvalidInput: The folder holds something else, or cannot be created.
        MissingDependency: scikit-learn, pandas or matplotlib is not installed.
        GitmlError: A script failed.
    """
    _check_installed()
    demo = _open(folder.resolve(), report)
    done = demo.steps_file.read_text().split()
    if len(done) == len(_STEPS):
        report(f"The demo in {demo.folder} is already complete.")
    for name, step in _STEPS.items():
        if name not in done:
            step(demo)
            with demo.steps_file.open("a") as file:
                file.write(f"{name}\n")
    report("Building the dashboard.")
    dashboard.build_site(demo.client.repository, demo.folder / SITE)
    return _result(demo)


def _check_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"The demo trains models and needs {', '.join(missing)}.",
            hint="pip install 'gitml[sklearn,plots]'",
        )


def _open(folder: Path, report: Callable[[str], None]) -> _Demo:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not any(folder.iterdir())
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be used: {error.strerror}.", hint="Name another folder."
        ) from error
    if is_new:
        demo = _Demo(folder=folder, git=GitRepo.init(folder), report=report)
        demo.steps_file.parent.mkdir(parents=True, exist_ok=True)
        demo.steps_file.touch()
        return demo
    if not (folder / ".git" / _STEPS_FILE).is_file():
        raise InvalidInput(
            f"{folder} is not empty and contains no demo.",
            hint="Name a folder that does not exist: `gitml demo DIR`.",
        )
    return _Demo(folder=folder, git=GitRepo.discover(folder), report=report)


# The story --------------------------------------------------------------------------------------


def _write_scripts(demo: _Demo) -> None:
    demo.report(f"Creating a git repository with training scripts in {demo.folder}.")
    for script in sorted(scripts.examples().glob("*.py")):
        (demo.folder / script.name).write_bytes(script.read_bytes())
    _edit(demo, _FUEL, _IMPROVEMENT, "]")
    (demo.folder / "README.md").write_text(_README, encoding="utf-8")
    (demo.folder / "gitml.yaml").write_text(_SETTINGS, encoding="utf-8")
    (demo.folder / ".gitignore").write_text(f"{SITE}/\n__pycache__/\n", encoding="utf-8")
    _commit(demo, "Predict fuel economy and the weather in Seattle")


def _train_first(demo: _Demo) -> None:
    demo.report("Training three kinds of model on fuel economy and two on the weather.")
    note = "Which **kind of model** suits the data? All with their usual settings."
    scripts.run(
        demo.folder,
        demo.report,
        Script(name=_FUEL, args=("--model", "linear", "forest", "boosting", "--note", note)),
        Script(name=_WEATHER, args=("--model", "logistic", "network")),
    )
    for experiment in demo.client.search_experiments():
        about = _ABOUT_EXPERIMENTS.get(experiment.name)
        if about:
            demo.client.set_experiment_tag(experiment.experiment_id, NOTE_TAG, about)


def _register_first(demo: _Demo) -> None:
    version = _register_best(demo, "The first model that is good enough to be used.")
    demo.client.update_registered_model(MODEL, _ABOUT_MODEL)
    _promote(demo, version, "Staging", "Tried by the people who asked for it.")
    _promote(demo, version, "Production", "Nothing better is there yet.")


def _improve(demo: _Demo) -> None:
    demo.report("Improving the script: it uses the model year and the cylinders, too.")
    (demo.folder / _FUEL).write_bytes((scripts.examples() / _FUEL).read_bytes())
    _commit(demo, "Use the model year and the number of cylinders")


def _train_second(demo: _Demo) -> None:
    demo.report("Training a sweep with four child runs, a run that fails, and two on the weather.")
    sweep = ("--max-depth", "2", "3", "--learning-rate", "0.1", "0.2", "--sweep", "boosting sweep")
    scripts.run(
        demo.folder,
        demo.report,
        Script(name=_FUEL, args=(*sweep, "--note", "How *deep* may the trees be, and how fast?")),
        Script(name=_FUEL, args=("--model", "linear", "--learning-rate", "0.8"), fails=True),
        Script(name=_WEATHER, args=("--model", "network", "--learning-rate", "0.003", "0.03")),
    )


def _register_second(demo: _Demo) -> None:
    before = demo.client.get_latest_versions(MODEL, ["Production"])[0]
    version = _register_best(demo, "Knows the year in which a car was built.")
    errors = f"rmse {_rmse(demo, version):.2f} instead of {_rmse(demo, before):.2f}"
    _promote(demo, version, "Staging", f"Promising: {errors}.")
    _promote(demo, version, "Production", f"Version 2 takes the place of version 1: {errors}.")
    demo.client.registry.set_registered_model_alias(
        MODEL, "champion", version.version, "The best model so far."
    )


def _train_uncommitted(demo: _Demo) -> None:
    demo.report("Trying an idea without committing it: the run records the patch.")
    committed = (demo.folder / _FUEL).read_bytes()
    _edit(demo, _FUEL, _IDEA, "")
    try:
        note = "What if nobody has weighed the car?"
        scripts.run(
            demo.folder,
            demo.report,
            Script(name=_FUEL, args=("--learning-rate", "0.2", "--note", note)),
        )
    finally:
        (demo.folder / _FUEL).write_bytes(committed)


_STEPS: dict[str, Callable[[_Demo], None]] = {
    "scripts": _write_scripts,
    "first-runs": _train_first,
    "version-1": _register_first,
    "improvement": _improve,
    "second-runs": _train_second,
    "version-2": _register_second,
    "uncommitted": _train_uncommitted,
}


# Its parts --------------------------------------------------------------------------------------


def _edit(demo: _Demo, script: str, old: str, new: str) -> None:
    path = demo.folder / script
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def _commit(demo: _Demo, message: str) -> None:
    """Commit the work tree; identity, hooks and signing do not depend on the user's settings."""
    committer = demo.git.identity
    identity = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", committer.name), ("EMAIL", committer.email))
    }
    demo.git.run("add", "--all")
    if demo.git.run("status", "--porcelain"):  # nothing to commit where this was interrupted
        quiet = ("-c", "commit.gpgsign=false", "-c", f"core.hooksPath={os.devnull}")
        demo.git.run(*quiet, "commit", "--quiet", "-m", message, env=identity)


def _register_best(demo: _Demo, description: str) -> ModelVersion:
    """Register the best model that the code checked out now has trained."""
    commit, _ = demo.git.head()
    trained = [
        run
        for run in _runs(demo, "fuel economy")
        if run.source.commit == commit
        and run.info.status == RunStatus.FINISHED
        and run.outputs.model_outputs
    ]
    best = min(trained, key=lambda run: run.data.metrics["rmse"])
    existing = [v for v in demo.client.search_model_versions() if v.run_id == best.info.run_id]
    version = existing[0] if existing else registration.register(
        demo.client, f"runs:/{best.info.run_id}/model", MODEL, description=description
    )  # fmt: skip
    demo.report(f"Registered {best.info.run_name!r} as {MODEL} version {version.version}.")
    return version


def _rmse(demo: _Demo, version: ModelVersion) -> float:
    return demo.client.get_run(version.run_id).data.metrics["rmse"]


def _promote(demo: _Demo, version: ModelVersion, stage: str, reason: str) -> None:
    archive = stage == "Production"
    demo.client.transition_model_version_stage(MODEL, version.version, stage, archive, reason)
    demo.report(f"Moved version {version.version} to {stage}.")


def _runs(demo: _Demo, experiment_name: str) -> Sequence[Run]:
    experiment = demo.client.get_experiment_by_name(experiment_name)
    return demo.client.search_runs([experiment.experiment_id]) if experiment else []


def _result(demo: _Demo) -> DemoResult:
    experiments = demo.client.search_experiments()
    return DemoResult(
        folder=demo.folder,
        site=demo.folder / SITE / "index.html",
        runs=sum(len(_runs(demo, experiment.name)) for experiment in experiments),
        commands=(
            *_activation(),
            f"cd {shlex.quote(str(demo.folder))}",
            "git log gitml/runs",
            "gitml runs list",
            "gitml ui",
            *_model_commands(demo),
            f"python {_FUEL} --max-depth 4",
        ),
    )


def _activation() -> list[str]:
    """Return the command that puts gitml, gto and dvc of a virtual environment on the path."""
    script = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("gitml") or not script.is_file():
        return []
    return [f". {shlex.quote(str(script))}"]


def _model_commands(demo: _Demo) -> list[str]:
    """Return commands of GTO and DVC on the newest version; none if the model was deleted."""
    versions = demo.client.search_model_versions(f"name = '{MODEL}'")
    if not versions:
        return []
    run = demo.client.get_run(versions[0].run_id).info
    plot = f"{run_records.run_folder(run.experiment_id, run.run_id)}/artifacts/predictions.png"
    return [
        f"gto show {MODEL}",
        f"dvc get . {plot} --rev gitml/runs",
        f"dvc artifacts get . {MODEL}",
    ]
