"""A team's clone and what people do in it, each under an own name and at an own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gitml
from gitml.entities import ModelEvent
from gitml.errors import GateFailed
from gitml.registry import promotion
from gitml.registry.tags.detail import TagDetail
from gitml.registry.tags.version_commit import ModelSource
from tests import clones
from tests.conftest import git

ADA = "Ada Example <ada@example.org>"
BO = "Bo Reviewer <bo@example.org>"
CY = "Cy Colleague <cy@example.org>"
GATED = "model: Price\ngates:\n  Production:\n    - approvals: 1\n"
BRANCH = "promote/Price-v1-production"
PATH = "registry/Price.yaml"


@dataclass
class Project:
    """A clone whose remote has two versions of a model that need an approval."""

    folder: Path
    seconds: int = field(default=1_800_000_000)

    def git(self, *args: str, who: str = ADA, committer: str = "") -> str:
        """Run git as somebody; each call is a minute later than the one before."""
        self.seconds += 60
        author, committed = who.removesuffix(">"), (committer or who).removesuffix(">")
        (name, email), (c_name, c_email) = author.split(" <"), committed.split(" <")
        return git(
            self.folder, "-c", f"user.name={name}", "-c", f"user.email={email}", *args,
            env={
                "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email,
                "GIT_COMMITTER_NAME": c_name, "GIT_COMMITTER_EMAIL": c_email,
                "GIT_AUTHOR_DATE": f"@{self.seconds} +0000",
                "GIT_COMMITTER_DATE": f"@{self.seconds} +0000",
            },
        )  # fmt: skip

    def write(self, text: str, message: str, who: str = ADA, path: str = PATH) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", message, who=who)

    def read(self, path: str = PATH) -> str:
        return (self.folder / path).read_text()

    def propose(self, version: int = 1, stage: str = "Production", why: str = "it is good") -> str:
        """Propose as Ada; returns the branch."""
        made = promotion.propose(clones.models(self.folder), "Price", version, stage, why)
        return made.branch

    def change(self, branch: str, who: str, old: str, new: str, message: str) -> None:
        """Change a proposal's declaration and push that."""
        self.git("checkout", "-q", branch)
        self.write(self.read().replace(old, new), message, who)
        self.git("push", "-q", "origin", branch)
        self.git("checkout", "-q", "main")

    def merge(self, message: str, who: str = ADA, branch: str = BRANCH) -> None:
        self.git("merge", "-q", "--no-ff", branch, "-m", message, who=who)

    def apply(self, approved_by: Sequence[str] = ()) -> list[str]:
        self.git("push", "-q", "origin", "main")
        registry = clones.models(self.folder)
        return list(promotion.apply(registry, approved_by=approved_by).done)

    def register(self, **metrics: float) -> None:
        """Register a version whose run logged some metrics."""
        client = gitml.MlflowClient(self.folder)
        experiment = client.repository.experiments.create("prices", {}, exist_ok=True)
        run_id = client.create_run(experiment).info.run_id
        for key, value in metrics.items():
            client.log_metric(run_id, key, value)
        client.set_terminated(run_id)
        source = ModelSource(
            run=client.get_run(run_id), source=f"runs:/{run_id}/model", path="model",
            digest=f"{run_id}.dir", size=0, nfiles=0, dvc_file=b"outs: []\n",
            mlmodel=b"flavors: {}\n",
        )  # fmt: skip
        clones.models(self.folder).register("Price", source)

    def refused(self, approved_by: Sequence[str] = ()) -> str:
        with pytest.raises(GateFailed) as error:
            self.apply(approved_by)
        assert not [tag for tag in git(self.folder, "tag").splitlines() if "#" in tag]
        return error.value.message

    def entered(self, name: str = "Price", stage: str = "Production") -> TagDetail:
        """What the tag of the newest entry into a stage records."""
        events: list[ModelEvent] = clones.models(self.folder).history(name)
        (*_, last) = (e for e in events if (e.kind, e.value) == ("stage", stage))
        return TagDetail.from_yaml(last.detail)
