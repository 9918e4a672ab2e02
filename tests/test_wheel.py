"""The wheel, as a stranger gets it: complete, and enough to build a site far from the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from gitml import config
from tests.conftest import make_repository

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_it_holds_the_package_its_templates_and_examples_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for path in (
        "gitml/py.typed",
        "gitml/formats/FORMAT.md",
        "gitml/formats/schemas/run.json",
        "gitml/site/_templates/layout.html",
        "gitml/site/_templates/assets/gitml.css",
        "gitml/_examples/minimal.py",
        "gitml/ci/github/gitml-review.yml",
        "gitml/ci/gitlab/gitml.yml",
        "gitml/ci/sign_in/s3.yml",
    ):
        assert path in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"gitml"}
    assert not [name for name in names if "test" in name or name.endswith(".pyc")]


@pytest.mark.slow
def test_a_site_is_built_by_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    zipfile.ZipFile(wheel).extractall(packages)
    # What gitml depends on comes from here; gitml itself must come from the wheel.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / "bin" / "python"
    project = make_repository(tmp_path / "project")

    def run(*args: str) -> str:
        command = [str(python), "-I", *args]  # whatever PYTHONPATH names
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert str(packages) in run("-c", "import gitml; print(gitml.__file__)")
    run("-c", "import gitml\nwith gitml.start_run(): gitml.log_metric('rmse', 3)")
    run("-c", "from gitml.cli import main; main()", "init", "--ci", "github")
    run("-c", "from gitml.cli import main; main()", "site", "build", "-o", "site")

    pages = sorted(path.name for path in (project / "site" / "runs").glob("*.html"))
    assert (project / "site" / "index.html").is_file()
    assert len(pages) == 1
    assert len(list((project / ".github" / "workflows").iterdir())) == 5


@pytest.mark.slow
def test_readme_installs_it_from_the_repository(tmp_path: Path) -> None:
    (line,) = re.findall(r"^pip install '(.+ @ git\+.+)'$", (ROOT / "README.md").read_text(), re.M)
    (url,) = re.findall('Documentation = "(.+)#readme', (ROOT / "pyproject.toml").read_text())
    assert line.endswith(f" @ git+{url}")

    # Dependencies and the build's tools come from here; what is committed comes from this clone.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
               "--no-build-isolation", "--disable-pip-version-check", "--target", str(tmp_path),
               line]  # fmt: skip
    clone = config.child_environment(
        GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0=f"url.{ROOT.as_uri()}.insteadOf",
        GIT_CONFIG_VALUE_0=url,
    )  # fmt: skip
    done = subprocess.run(command, env=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    installed = subprocess.run(
        [sys.executable, "-c", "import gitml; print(gitml.__file__)"], cwd=tmp_path, check=True,
        env=config.child_environment(PYTHONPATH=str(tmp_path)), capture_output=True, text=True,
    )  # fmt: skip
    assert installed.stdout.strip() == str(tmp_path / "gitml" / "__init__.py")
