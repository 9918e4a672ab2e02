"""Make the search index, which every page searches once somebody presses ``/``.

``data/search.js`` hands over ``{"pages": [[kind, title, address, text], …], "paged": rows whose
runs have a page of their own, "runs": table, "more": [[key, address], …], "left": runs beyond}``.
Tables have the format of :mod:`gitml.site.data.columns`, newest runs first; the other blocks are
counted from the oldest run, so that a full one never changes. The address is always the same, for
pages that name it must not change with every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitml.entities import Run
from gitml.site.catalogue import Catalogue, run_name
from gitml.site.data import columns as data
from gitml.site.options import ShardSizes
from gitml.site.text import formats, markdown, urls

TEXT_CHARS = 1_000
BLOCK_CHARS = 400_000

Page = tuple[str, str, str, str]
"""Kind, title, address from the site's root, and more words that match it."""


@dataclass(slots=True)
class _Words:
    """Texts that share a space; a text that no longer fits is left out."""

    remaining: int = BLOCK_CHARS

    def take(self, text: str) -> str:
        """Return the words of a text, clipped; empty if they do not fit into the space."""
        start = data.well_formed(text[: 8 * TEXT_CHARS])
        words = formats.clip(markdown.words(start), TEXT_CHARS)
        if len(words) > self.remaining:
            return ""
        self.remaining -= len(words)
        return words


def pages(catalogue: Catalogue) -> Iterator[Page]:
    """Yield everything but runs: experiments, models, their versions, pages and reports."""
    words, source = _Words(), catalogue.source
    for item in catalogue.experiments.values():
        address = urls.experiment_page(item.name, item.experiment_id)
        yield "experiment", item.name, address, words.take(item.tags.get(data.NOTE_TAG, ""))
    for model in source.models:
        address = urls.model_page(model.name)
        yield "model", model.name, address, words.take(model.description)
        for version in catalogue.versions[model.name]:
            aliases = (f"@{alias}" for alias in version.aliases)
            labels = " ".join((version.current_stage, *aliases, version.description))
            title = f"{model.name} version {version.version}"
            address = urls.version_page(model.name, version.version)
            yield "version", title, address, words.take(labels)
    documents = [("page", page, urls.extra_page(page.name)) for page in source.pages]
    documents += [("report", page, urls.report_page(page.name)) for page in source.reports]
    for kind, document, address in documents:
        title, text = markdown.titled(document.text, document.name)
        yield kind, formats.name(title), address, words.take(text)


def blocks(catalogue: Catalogue, sizes: ShardSizes) -> dict[str, Sequence[Run]]:
    """Return the runs of each block but the newest one's, by the block's key."""
    newest, *parts = data.shards(catalogue.runs, sizes)
    by_key, rows = {}, len(newest)
    for position, part in enumerate(parts):
        if rows >= sizes.search:
            break
        by_key[f"search-{len(parts) - position}"] = part
        rows += len(part)
    return by_key


def index(
    catalogue: Catalogue, sizes: ShardSizes, entries: Sequence[Page], addresses: Mapping[str, str]
) -> dict[str, object]:
    """Return the head of the index.

    Args:
        catalogue: What the site shows.
        sizes: How many runs share a script.
        entries: Everything that can be searched besides runs.
        addresses: Address of the script of each of the :func:`blocks`, by key.
    """
    runs = catalogue.runs
    newest = next(iter(data.shards(runs, sizes)))
    rows = len(newest) + sum(map(len, blocks(catalogue, sizes).values()))
    paged = (n for n, run in enumerate(runs) if run.info.run_id not in catalogue.paged)
    return {
        "pages": [[kind, data.well_formed(title), *rest] for kind, title, *rest in entries],
        "paged": next(paged, len(runs)),
        "runs": table(catalogue, newest),
        "more": [[key, address] for key, address in addresses.items()],
        "left": len(runs) - rows,
    }


def table(catalogue: Catalogue, runs: Sequence[Run]) -> dict[str, object]:
    """Return the searchable texts of runs."""
    words = _Words()
    notes = [run.data.tags.get(data.NOTE_TAG) for run in runs]
    cells: dict[str, list[data.Value]] = {
        "id": [run.info.run_id for run in runs],
        "name": [run_name(run) for run in runs],
        "start": [run.info.start_time for run in runs],
        "experiment": [catalogue.experiments[run.info.experiment_id].name for run in runs],
        "commit": [(run.source.commit or "")[:12] or None for run in runs],
        "note": [words.take(note) or None if note else None for note in notes],
    }
    columns = [
        data.Column(kind="search", name=name, values=data.cells(values, TEXT_CHARS))
        for name, values in cells.items()
    ]
    return data.encode(columns, len(runs))
