"""The pages of a registered model, of its versions and of their promotions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gitml.entities import ModelVersion, RegisteredModel
from gitml.registry.promotion.decisions import Decision
from gitml.site.page import HtmlFile, Outputs, Page, Result, SiteContext
from gitml.site.pages.model import model_view
from gitml.site.pages.promotion import decision_view, proposal_view
from gitml.site.pages.version import Relations, version_view
from gitml.site.text import urls


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModelPages(Page):
    """Everything about a registered model."""

    site: SiteContext
    model: RegisteredModel
    relations: Relations

    @classmethod
    def gather(cls, site: SiteContext, relations: Relations) -> Iterator[RegisteredModelPages]:
        """Iterate over the models."""
        for model in site.catalogue.source.models:
            yield cls(site=site, model=model, relations=relations)

    @property
    def name(self) -> str:
        """The name of the model, in a name space of its own."""
        return f"models/{self.model.name}"

    @property
    def address(self) -> str:
        """The address of the model's page."""
        return urls.model_page(self.model.name)

    def key(self) -> object:
        """Return its events, all versions, and the runs of its versions."""
        catalogue, source = self.site.catalogue, self.site.catalogue.source
        versions = catalogue.versions[self.model.name]
        run_ids = sorted({version.run_id for version in versions} & self.relations.runs.keys())
        oids = [source.run_oid(run_id) for run_id in run_ids]
        if not all(oids):
            return None
        runs = [self.relations.runs[run_id] for run_id in run_ids]
        return [
            source.declarations_fingerprint,
            run_ids,
            oids,
            repr(self.model),
            [repr(event) for event in source.events(self.model.name)],
            [repr(tag) for tag in source.rejected(self.model.name)],
            [repr(version) for group in catalogue.versions.values() for version in group],
            [repr(proposal) for proposal in catalogue.proposals.get(self.model.name, ())],
            [str(catalogue.links[run_id]) for run_id in run_ids],
            [str(catalogue.links.get(run.parent_run_id or "")) for run in runs],
            [catalogue.experiments[run.info.experiment_id].name for run in runs],
        ]

    def outputs(self, results: Mapping[str, Result]) -> Outputs:
        """Make the pages."""
        return Outputs(files=list(self._files()))

    def _files(self) -> Iterator[HtmlFile]:
        catalogue, name = self.site.catalogue, self.model.name
        decisions = catalogue.source.decisions(name)
        yield HtmlFile.made(
            urls.model_page(name),
            "model.html",
            lambda: {"page": model_view(catalogue, self.model, decisions)},
        )
        for version in catalogue.versions[name]:
            yield HtmlFile.made(
                urls.version_page(name, version.version),
                "version.html",
                partial(self._version, version, decisions),
            )
        yield from self._promotions(decisions)

    def _version(
        self, version: ModelVersion, decisions: Sequence[Decision]
    ) -> Mapping[str, object]:
        return {"page": version_view(self.site.catalogue, self.relations, version, decisions)}

    def _promotions(self, decisions: Sequence[Decision]) -> Iterator[HtmlFile]:
        catalogue, name = self.site.catalogue, self.model.name
        promotions = [
            *(proposal_view(catalogue, proposal) for proposal in catalogue.proposals.get(name, ())),
            *(decision_view(catalogue, decision) for decision in decisions),
        ]
        for promotion in promotions:
            yield HtmlFile(
                address=promotion.address, template="promotion.html", values={"page": promotion}
            )
