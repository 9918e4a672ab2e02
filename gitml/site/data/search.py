"""The search index: what every page can look through once somebody presses ``/``.

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
from gitml.site.text import formats, markdown, urls

ROWS = 100_000  # or a few more of the newest runs; older ones are found by their whole id
TEXT_CHARS = 1_000
BLOCK_CHARS = 400_000

Page = tuple[str, str, str, str]
"""Kind, title, address from the site's root, and more words it is found by."""


@dataclass(slots=True)
class _Words:
    """Texts that share a space; a text that no longer fits is left out."""

    left: int = BLOCK_CHARS

    def take(self, text: str) -> str:
        """Clip a text to its words, and to what is left."""
        begun = data.well_formed(text[: 8 * TEXT_CHARS])
        words = formats.clip(markdown.words(begun), TEXT_CHARS)
        if len(words) > self.left:
            return ""
        self.left -= len(words)
        return words


def pages(shown: Catalogue) -> Iterator[Page]:
    """List everything but runs: experiments, models and their versions."""
    words = _Words()
    for item in shown.experiments.values():
        address = urls.experiment_page(item.name, item.experiment_id)
        yield "experiment", item.name, address, words.take(item.tags.get(data.NOTE_TAG, ""))
    for model in shown.source.models:
        address = urls.model_page(model.name)
        yield "model", model.name, address, words.take(model.description)
        for one in shown.versions[model.name]:
            labels = " ".join(
                (one.current_stage, *(f"@{alias}" for alias in one.aliases), one.description)
            )
            title = f"{model.name} version {one.version}"
            yield "version", title, urls.version_page(model.name, one.version), words.take(labels)
    written = [("page", one, urls.extra_page(one.name)) for one in shown.source.pages]
    written += [("report", one, urls.report_page(one.name)) for one in shown.source.reports]
    for kind, document, address in written:
        title, text = markdown.titled(document.text, document.name)
        yield kind, formats.name(title), address, words.take(text)


def blocks(shown: Catalogue) -> dict[str, Sequence[Run]]:
    """Return the runs of each block but the newest one's, by the block's key."""
    newest, *parts = data.shards(shown.runs)
    listed, rows = {}, len(newest)
    for position, part in enumerate(parts):
        if rows >= ROWS:
            break
        listed[f"search-{len(parts) - position}"] = part
        rows += len(part)
    return listed


def index(
    shown: Catalogue, listed: Sequence[Page], addresses: Mapping[str, str]
) -> dict[str, object]:
    """Return the head of the index.

    Args:
        shown: What the site shows.
        listed: Everything that is found besides runs.
        addresses: Address of the script of each of the :func:`blocks`, by key.
    """
    newest = next(iter(data.shards(shown.runs)))
    rows = len(newest) + sum(map(len, blocks(shown).values()))
    paged = (n for n, run in enumerate(shown.runs) if run.info.run_id not in shown.paged)
    return {
        "pages": [[kind, data.well_formed(title), *rest] for kind, title, *rest in listed],
        "paged": next(paged, len(shown.runs)),
        "runs": table(shown, newest),
        "more": [[key, address] for key, address in addresses.items()],
        "left": len(shown.runs) - rows,
    }


def table(shown: Catalogue, runs: Sequence[Run]) -> dict[str, object]:
    """Give what is searched of some runs."""
    words = _Words()
    notes = [run.data.tags.get(data.NOTE_TAG) for run in runs]
    cells: dict[str, list[data.Value]] = {
        "id": [run.info.run_id for run in runs],
        "name": [run_name(run) for run in runs],
        "start": [run.info.start_time for run in runs],
        "experiment": [shown.experiments[run.info.experiment_id].name for run in runs],
        "commit": [(run.source.commit or "")[:12] or None for run in runs],
        "note": [words.take(note) or None if note else None for note in notes],
    }
    columns = [
        data.Column(kind="search", name=name, values=data.cells(values, TEXT_CHARS))
        for name, values in cells.items()
    ]
    return data.encode(columns, len(runs))
