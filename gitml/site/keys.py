"""Keys of what a build makes: hashes over everything that it is made of.

What has the key that it had in the old site is taken over from there, unseen. So whatever a page
or a shard shows has to be in its key, by its content or by a git object id that stands for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gitml.entities import RegisteredModel, Run
from gitml.site.catalogue import Catalogue
from gitml.site.pages.version import Relations


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Gives the keys of one site; an empty one, which equals no other, is for what changes on.

    Attributes:
        catalogue: What the site shows.
        curved: Ids of the runs whose curves are drawn.
        look: Everything that all pages have in common.
    """

    catalogue: Catalogue
    curved: Collection[str]
    look: str

    def page(self, item: Run) -> str:
        """Of a run's page; empty for a run in progress."""
        around = self._around(item)
        return self._hashed(around) if around else ""

    def pages(self, runs: Sequence[Run]) -> str:
        """Of the pages of some runs in one file."""
        around = [self._around(run) for run in runs]
        return self._hashed(around) if all(around) else ""

    def rows(self, runs: Sequence[Run], around: object = None) -> str:
        """Of the rows of some runs, made of what is committed of them and of something else."""
        oids = [self.catalogue.source.run_oid(run.info.run_id) for run in runs]
        return self._hashed((around, oids)) if all(oids) else ""

    def model(self, item: RegisteredModel, known: Relations) -> str:
        """Of the pages of a model, its versions and promotions."""
        catalogue, content = self.catalogue, self.catalogue.source
        runs = sorted({one.run_id for one in catalogue.versions[item.name]} & known.runs.keys())
        oids = [content.run_oid(run_id) for run_id in runs]
        if not all(oids):
            return ""
        found = [known.runs[run_id] for run_id in runs]
        around = [
            content.declarations_fingerprint,
            runs,
            oids,
            repr(item),
            [repr(event) for event in content.events(item.name)],
            [repr(one) for many in catalogue.versions.values() for one in many],
            [repr(one) for one in catalogue.proposals.get(item.name, ())],
            [str(catalogue.links[run_id]) for run_id in runs],
            [str(catalogue.links.get(run.parent_run_id or "")) for run in found],
            [catalogue.experiments[run.info.experiment_id].name for run in found],
        ]
        return self._hashed(around)

    def _around(self, item: Run) -> tuple[object, ...]:
        run_id, catalogue = item.info.run_id, self.catalogue
        oid, parent = catalogue.source.run_oid(run_id), item.parent_run_id
        if not oid:
            return ()
        return (
            oid,
            run_id in self.curved,
            catalogue.experiments[item.info.experiment_id].name,
            str(catalogue.links.get(parent)) if parent else "",
            [
                str(catalogue.links.get(one.info.run_id))
                for one in catalogue.children.get(run_id, ())
            ],
            [(v.name, v.version, v.source) for v in catalogue.registered.get(run_id, ())],
        )

    def _hashed(self, value: object) -> str:
        """Hash texts, numbers, lists and tuples of them."""
        data = f"{self.look} {value!r}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(data).hexdigest()[:32]
