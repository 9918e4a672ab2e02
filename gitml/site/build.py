"""Building a site: gather everything, then write every page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gitml import version
from gitml.entities import Experiment, RegisteredModel, Run
from gitml.site import (
    branding,
    budget,
    bundle,
    charts,
    data,
    feed,
    formats,
    fragments,
    home,
    markdown,
    model_pages,
    pages,
    parquet,
    previews,
    promotion_pages,
    reports,
    run_pages,
    search,
    templates,
    timeline,
    urls,
    version_pages,
    views,
    workers,
)
from gitml.site.budget import OverBudget, Plan
from gitml.site.catalogue import Catalogue, catalogue, experiment_link
from gitml.site.collector import without_collector
from gitml.site.content import Content, Document
from gitml.site.feed import Regression
from gitml.site.output import Output, Rendered
from gitml.site.views import View

Progress = Callable[[int, int], None]
_SORTED = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """How a site is built.

    Attributes:
        run_pages: How many of the newest runs get a page of their own; runs of registered
            versions always do. The others are shown by ``run.html``.
        templates: Folder whose templates come before the built-in ones.
        cache: Folder where the chart library and compiled templates are kept between builds.
        base_url: Address of the published site, ending in ``/``; only the page for missing
            pages needs it, because it cannot know how deep the missing one lay.
        accent: The accent colour, such as ``#0a58b5``; empty for the built-in one.
        logo: Picture for the bar of every page.
        max_bytes: How large the site may become; 0 for any size. See :mod:`gitml.site.budget`.
        live: How often pages ask whether the site changed, in ms; 0 for never. Only
            :func:`~gitml.site.serve.serve_live` has an answer.
    """

    run_pages: int = 5_000
    templates: Path | None = None
    cache: Path | None = None
    base_url: str = ""
    accent: str = ""
    logo: Path | None = None
    live: int = 0
    max_bytes: int = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did.

    Attributes:
        output: The site's folder.
        written: Files that are new or changed.
        unchanged: Files taken over from the site that was there before.
        bytes: Size of the whole site.
        dropped: One sentence for each thing that was left out.
    """

    output: Path
    written: int
    unchanged: int
    bytes: int
    dropped: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Builder:
    """One build: what is shown, how it looks, where it goes."""

    shown: Catalogue
    look: templates.Templates
    options: SiteOptions
    plan: Plan
    out: Output
    curved: frozenset[str] = field(init=False)
    frame: dict[str, object] = field(init=False)
    views: tuple[View, ...] = field(init=False)
    histories: dict[str, str] = field(default_factory=dict)
    rendered: dict[str, Rendered] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    common: str = field(init=False)

    def __post_init__(self) -> None:
        content = self.shown.content
        self.curved = frozenset(r.info.run_id for r in self.shown.runs[: self.plan.curves])
        self.views = tuple(views.parse(one.name, one.text) for one in content.views)
        self.frame = {
            "title": content.title,
            "version": version.__version__,
            "project": urls.digest(content.title.encode("utf-8", "replace")),
            "notices": templates.NOTICES,
            "live": self.options.live,
            "logo": "",
            "bar": [
                (formats.name(title), urls.extra_page(one.name))
                for one in content.pages
                for title in [markdown.titled(one.text, one.name)[0]]
            ],
        }
        logo = branding.logo(self.options.logo)
        if logo:
            self.out.write(logo.address, logo.data)
            self.frame["logo"] = logo.address

    def assets(self) -> None:
        """Write style sheet, scripts, charts and licence notices."""
        own, cache = self.look.assets, self.options.cache
        if not self.options.live:
            own = {name: content for name, content in own.items() if name != templates.LIVE}
        files = {n: bundle.style(css) for n, css in own.items() if n.endswith(".css")}
        files["gitml.css"] += branding.accent_style(self.options.accent)
        files |= bundle.scripts({n: js for n, js in own.items() if n.endswith(".js")}, cache)
        files["vega.js"] = bundle.vega(cache)
        files["specs.js"] = data.script("specs", charts.specs())
        addresses = {name: urls.static(name, content) for name, content in files.items()}
        for name, content in files.items():
            self.out.write(addresses[name], content)
        self.out.write(templates.NOTICES, self.look.notices)
        self.frame["assets"] = addresses
        shared = [self.look.digest, self.frame, self.shown.content.forge_url, parquet.readable()]
        self.common = hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()

    def page(self, address: str, template: str, **values: object) -> None:
        """Render one page."""
        frame = {**self.frame, "root": "../" * address.count("/")}
        text = self.look.render(template, {**frame, **values})
        self.out.write(address, text.encode("utf-8", "replace"))

    def experiment(self, item: Experiment) -> None:
        """Write an experiment's page and the shards of its table."""
        runs = self.shown.by_experiment.get(item.experiment_id, ())
        key = urls.slug(item.name, item.experiment_id)
        later: list[list[str]] = []
        parts = list(data.shards(runs))
        for number, part in enumerate(parts[1:], 1):
            name = f"{key}-{len(parts) - number}"  # counted from the oldest: a full block stays
            later.append([name, self.shard(name, data.encode(data.columns(part), len(part)))])
        newest = data.columns(parts[0])
        table = data.encode(newest, len(parts[0]))
        own = self.shown.paged
        paged = next((n for n, r in enumerate(runs) if r.info.run_id not in own), len(runs))
        more: dict[str, object] = {"more": later}
        more["ends"] = self.on_demand(f"{key}-ends", data.extremes, parts)
        more["inputs"] = self.on_demand(f"{key}-inputs", data.inputs, parts)
        more["trends"] = self.trends(key, runs[: min(paged, data.HEAD_ROWS)])
        more |= {"rows": len(runs), "paged": paged}
        more["better"] = [
            [data.well_formed(column.name), "min" if way == "lower" else "max"]
            for column in newest
            if column.kind == "metrics" and (way := self.shown.content.better(column.name))
        ]
        more["experiment"] = data.well_formed(item.experiment_id)
        head = self.shard(key, {**table, **more})
        history = self.histories.get(item.experiment_id, "")
        mine = [view for view in self.views if view.experiment == item.name]
        links = [(reports.link(self.shown, view), view.description) for view in mine]
        view = pages.experiment(self.shown, item, head)
        self.page(
            view.link.address, "experiment.html", page=view, key=key, views=links, history=history
        )

    def on_demand(
        self,
        key: str,
        columns: Callable[[Sequence[Run]], Sequence[data.Column]],
        parts: Sequence[Sequence[Run]],
    ) -> list[list[object]]:
        """Write columns that pages load when they show them: [key, address, first row], …."""
        found: list[list[object]] = []
        row = 0
        for number, part in enumerate(parts):
            table = columns(part)
            if table:
                name = f"{key}-{len(parts) - number if number else 'newest'}"
                found.append([name, self.shard(name, data.encode(table, len(part))), row])
            row += len(part)
        return found

    def trends(self, key: str, runs: Sequence[Run]) -> list[object] | None:
        """Write the newest runs' sparklines: [key, address, names of metrics]."""
        drawn = [self.rendered[run.info.run_id].trends for run in runs]
        names = sorted({name for trends in drawn for name in trends}, key=data.rank)
        if not names:
            return None
        table = [
            data.Column(kind="trend", name=name, values=[trends.get(name) for trends in drawn])
            for name in names
        ]
        address = self.shard(f"{key}-trends", data.encode(table, len(runs)))
        return [f"{key}-trends", address, [data.well_formed(name) for name in names]]

    def shard(self, key: str, value: object) -> str:
        """Write one shard and give its address."""
        content = data.script(key, value)
        address = urls.shard(key, content)
        self.out.write(address, content)
        return address

    def extra(self, item: Document) -> None:
        """Write a page that people wrote."""
        title, text = markdown.titled(item.text, item.name)
        self.page(
            urls.extra_page(item.name),
            "extra.html",
            heading=formats.name(title),
            text=markdown.render(text, shift=0),
        )

    def timelines(self) -> list[Regression]:
        """Write metrics over commits and the feed; give the regressions, newest first."""
        line = self.shown.content.commits()
        found = []
        for item in self.shown.experiments.values():
            view = timeline.timeline(self.shown, item, line)
            if not view.metrics:
                continue
            address = urls.timeline_page(item.name, item.experiment_id)
            self.histories[item.experiment_id] = address
            self.page(address, "timeline.html", page=view, experiment=experiment_link(item))
            found += [
                Regression(
                    experiment=formats.name(item.name),
                    experiment_id=item.experiment_id,
                    metric=metric.name,
                    address=address,
                    step=step,
                )
                for metric in view.metrics
                for step in metric.steps
                if step.verdict == "regression"
            ]
        found.sort(key=lambda one: (-one.step.commit.timestamp, one.experiment, one.metric))
        title, base = self.shown.content.title, self.options.base_url
        self.out.write("feed.xml", feed.atom(title, base, found))
        return found

    def reports(self) -> None:
        """Write the reports with their pictures."""
        reporter = reports.Reporter(
            shown=self.shown,
            views={view.name: view for view in self.views},
            render=lambda shown: self.look.render("view.html", {"shown": shown, "root": "../"}),
            cache=self.options.cache,
        )
        for document in self.shown.content.reports:
            title, text = reporter.page(document)
            address = urls.report_page(document.name)
            self.page(address, "extra.html", heading=formats.name(title), text=text)
        for picture in reporter.pictures:
            self.out.write(picture.address, picture.data)

    def search(self) -> None:
        """Write the search index."""
        head = search.index(self.shown, tuple(search.pages(self.shown)), self.shard)
        self.out.write(urls.search(), data.script("search", head))

    def run(self, item: Run, old: Rendered | None) -> Rendered:
        """Write a run's page, its numbers and its pictures, unless the old ones still hold."""
        key = self.run_key(item)
        if old and key and old.key == key and self.out.reuse(old.files):
            return old
        content, run_id = self.shown.content, item.info.run_id
        kept = run_id in self.curved and run_pages.has_curves(item)
        curves = data.curves(content.history(run_id), item.info.start_time) if kept else []
        read = partial(content.read_artifact, run_id)
        files = previews.look(content.artifacts(run_id), read)
        view = run_pages.run(self.shown, item, files, bool(curves), read)
        address = urls.run_page(run_id)
        self.page(address, "run.html", page=view)
        record = run_pages.record(self.shown, item, files, curves)
        self.out.write(view.data, data.script(run_id, record))
        if any(file.missing for file in files):
            key = ""  # their bytes may be here at the next build
        copies = [copy for file in files for copy in (file.picture, file.page) if copy]
        for copy in copies:
            self.out.write(copy.address, copy.data)
        written = (address, view.data, *(copy.address for copy in copies))
        return Rendered(key=key, files=written, trends=data.trends(curves))

    def model(
        self, item: RegisteredModel, known: version_pages.Relations, old: Rendered | None
    ) -> Rendered:
        """Write the pages of a model, its versions and promotions, unless the old ones hold."""
        key = self.model_key(item, known)
        if old and key and old.key == key and self.out.reuse(old.files):
            return old
        decisions = self.shown.content.decisions(item.name)
        views: list[tuple[str, str, object]] = [
            (
                urls.model_page(item.name),
                "model.html",
                model_pages.model(self.shown, item, decisions),
            )
        ]
        for one in self.shown.versions[item.name]:
            page = version_pages.version(self.shown, known, one, decisions)
            views.append((urls.version_page(item.name, one.version), "version.html", page))
        promotions = [
            *(
                promotion_pages.proposed(self.shown, p)
                for p in self.shown.proposals.get(item.name, ())
            ),
            *(promotion_pages.decided(self.shown, d) for d in decisions),
        ]
        views += [(view.address, "promotion.html", view) for view in promotions]
        for address, template, view in views:
            self.page(address, template, page=view)
        return Rendered(key=key, files=tuple(address for address, _, _ in views))

    def places(self, parts: Sequence[fragments.Shard]) -> None:
        """Write where each run is found, and the page that shows those without their own."""
        for name, value in fragments.places(self.shown, parts).items():
            self.out.write(urls.ids(name), data.script(f"ids/{name}", value))
        digits = fragments.digits(len(self.shown.runs))
        self.page("run.html", "older.html", digits=digits)
        code = urls.code_range(self.shown.content.forge_url)
        self.page("compare.html", "compare.html", digits=digits, code=code)
        self.page("sandbox.html", "sandbox.html")

    def keep_older(self, part: fragments.Shard, old: Rendered | None) -> bool:
        """Take a shard of older runs over from the old site; False where it does not hold."""
        keys = [self.run_key(run) for run in part.runs]
        key = hashlib.sha256("".join(keys).encode()).hexdigest()[:32] if all(keys) else ""
        address = urls.older(part.number)
        self.rendered[f"older/{part.number}"] = Rendered(key=key, files=(address,))
        return bool(old and key and old.key == key and self.out.reuse([address]))

    def render_older(self, part: fragments.Shard) -> tuple[bytes, Sequence[str]]:
        """Render a shard of older runs; gives also what could not be read until now."""
        value = {}
        for run in part.runs:
            view, record = fragments.page(self.shown, run, run.info.run_id in self.curved)
            html = self.look.run(view)
            value[run.info.run_id] = {"html": data.well_formed(html), "run": record}
        return data.script(f"older/{part.number}", value), self.shown.content.unread()

    def run_key(self, item: Run) -> str:
        """Hash everything a run's page is made of; empty where the record's id is unknown."""
        oid = self.shown.content.run_oid(item.info.run_id)
        if not oid:
            return ""
        around = {
            "oid": oid,
            "curves": item.info.run_id in self.curved,
            "around": self.common,
            "experiment": self.shown.experiments[item.info.experiment_id].name,
            "parent": str(self.shown.links.get(item.parent_run_id or "")),
            "children": [
                [child.info.run_id, child.info.run_name]
                for child in self.shown.children.get(item.info.run_id, ())
            ],
            "registered": [
                [v.name, v.version, v.source]
                for v in self.shown.registered.get(item.info.run_id, ())
            ],
        }
        return _hashed(around)

    def model_key(self, item: RegisteredModel, known: version_pages.Relations) -> str:
        """Hash everything a model's pages are made of; empty where a run's id is unknown."""
        content = self.shown.content
        runs = {one.run_id for one in self.shown.versions[item.name]} & known.runs.keys()
        oids = {run_id: content.run_oid(run_id) for run_id in sorted(runs)}
        if not all(oids.values()):
            return ""
        around = [
            self.look.digest, self.frame, content.forge_url, content.declared, oids, repr(item),
            [repr(event) for event in content.events(item.name)],
            [repr(one) for many in self.shown.versions.values() for one in many],
            [repr(one) for one in self.shown.proposals.get(item.name, ())],
            [str(self.shown.links[run_id]) for run_id in sorted(runs)],
            [str(self.shown.links.get(known.runs[i].parent_run_id or "")) for i in sorted(runs)],
            [self.shown.experiments[known.runs[i].info.experiment_id].name for i in sorted(runs)],
        ]  # fmt: skip
        return _hashed(around)


def _hashed(value: object) -> str:
    return hashlib.sha256(_SORTED(value).encode()).hexdigest()[:32]


@without_collector()
def build(
    content: Content,
    output: Path,
    *,
    options: SiteOptions | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a site into a folder and replace the site that was there.

    The same content gives the same bytes. The old site stays in place until the new one is whole.

    Args:
        content: What to show.
        output: Folder of the site; made where it does not exist.
        options: How to build.
        progress: Called with (pages done, pages in all).

    Raises:
        InvalidInput: The folder holds something that is not a site of ours, or is not writable.
    """
    options = options or SiteOptions()
    look = templates.load(options.templates, options.cache)
    full = catalogue(content, options.run_pages)
    for plan in budget.plans(len(full.runs), options.run_pages):
        shown = full if plan.full else catalogue(content, plan.pages)
        out = Output(folder=output, limit=0 if plan.last else options.max_bytes)
        left_out = budget.sentences(
            plan, len(full.runs), len(full.runs) - len(shown.paged), options.max_bytes
        )
        try:
            with out:
                builder = _Builder(shown=shown, look=look, options=options, plan=plan, out=out)
                _write(builder, left_out, progress or (lambda done, total: None))
                out.mark(builder.rendered)
        except OverBudget:
            continue
        break
    return BuildReport(
        output=out.folder,
        written=out.written,
        unchanged=out.unchanged,
        bytes=out.total_bytes,
        dropped=(
            *left_out,
            *budget.excess(out.total_bytes, options.max_bytes),
            *dict.fromkeys([*content.unread(), *builder.unread]),
        ),
    )


def _write(builder: _Builder, left_out: Sequence[str], progress: Progress) -> None:
    shown, previous = builder.shown, builder.out.previous()
    runs = [run for run in shown.runs if run.info.run_id in shown.paged]
    older = list(fragments.shards(shown, builder.plan.pages))
    total = 3 + len(older) + len(runs) + len(shown.experiments) + len(shown.versions)
    done = 0

    def step(count: int = 1) -> None:
        nonlocal done
        done += count
        progress(done, total)

    builder.assets()
    stale = [p for p in older if not builder.keep_older(p, previous.get(f"older/{p.number}"))]
    with workers.begun(builder.render_older, stale) as made:
        first = home.home(shown, builder.timelines())
        builder.page(
            "index.html", "home.html", page=first, commit=shown.content.commit, left_out=left_out
        )
        step(1 + len(older) - len(stale))
        builder.places(older)
        builder.search()
        step()
        builder.page("404.html", "404.html", root=builder.options.base_url or "../")
        step()
        for document in shown.content.pages:
            builder.extra(document)
        builder.reports()
        rendered = builder.rendered
        known = version_pages.relations(shown)
        for model in shown.content.models:
            name = f"models/{model.name}"
            rendered[name] = builder.model(model, known, previous.get(name))
            step()
        for run in runs:
            rendered[run.info.run_id] = builder.run(run, previous.get(run.info.run_id))
            step()
        for experiment in shown.experiments.values():
            builder.experiment(experiment)
            step()
        for part, (script, unread) in made():
            builder.out.write(urls.older(part.number), script)
            builder.unread += unread
            step()
