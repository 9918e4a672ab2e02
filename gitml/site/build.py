"""Building a site: gather everything, then write every page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from gitml import version
from gitml.entities import Experiment, RegisteredModel, Run
from gitml.site import branding, previews
from gitml.site.catalogue import Catalogue, experiment_link
from gitml.site.charts import specs
from gitml.site.data import columns, search, table, views
from gitml.site.data.views import View
from gitml.site.keys import Keys
from gitml.site.options import BuildReport, SiteOptions
from gitml.site.output import budget, bundle, templates, workers
from gitml.site.output.budget import OverBudget, Plan
from gitml.site.output.folder import Output, Rendered, SiteFile
from gitml.site.output.no_gc import without_collector
from gitml.site.pages import (
    experiment as pages,
    feed,
    home,
    model as model_pages,
    older_runs,
    promotion,
    report,
    run as run_pages,
    timeline,
    version as version_pages,
)
from gitml.site.pages.feed import Regression
from gitml.site.previews import parquet
from gitml.site.source import Document, SiteSource
from gitml.site.text import formats, markdown, urls

Progress = Callable[[int, int], None]
_ROW, _PAGE, _OLDER = 4e-5, 6e-4, 3e-4  # s for a run in a table, with a page, among older ones
_GROUP = 64  # pages of runs that one process writes together


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a task added: files, what they were made of, parts of tables, complaints."""

    files: Mapping[str, SiteFile]
    rendered: Mapping[str, Rendered]
    blocks: Mapping[str, table.Block]
    unread: Mapping[str, None]
    pages: int


@dataclass(slots=True, kw_only=True)
class _Builder:
    """One build: what is shown, how it looks, where it goes."""

    catalogue: Catalogue
    look: templates.Templates
    options: SiteOptions
    plan: Plan
    out: Output
    parquet: parquet.TableReader
    previous: Mapping[str, Rendered] = field(init=False)
    curved: frozenset[str] = field(init=False)
    frame: dict[str, object] = field(init=False)
    views: tuple[View, ...] = field(init=False)
    histories: dict[str, str] = field(default_factory=dict)
    rendered: dict[str, Rendered] = field(default_factory=dict)
    blocks: dict[str, table.Block] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    keys: Keys = field(init=False)

    def __post_init__(self) -> None:
        content = self.catalogue.source
        self.previous = self.out.previous()
        self.curved = frozenset(r.info.run_id for r in self.catalogue.runs[: self.plan.curves])
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
        files = bundle.styles({n: css for n, css in own.items() if n.endswith(".css")})
        files["gitml.css"] += branding.accent_style(self.options.accent)
        files |= bundle.scripts({n: js for n, js in own.items() if n.endswith(".js")}, cache)
        files["vega.js"] = bundle.vega(cache)
        files["specs.js"] = columns.script("specs", specs.specs())
        addresses = {name: urls.static(name, content) for name, content in files.items()}
        for name, content in files.items():
            self.out.write(addresses[name], content)
        self.out.write(templates.NOTICES, self.look.notices)
        self.frame["assets"] = addresses
        source, look = self.catalogue.source, self.look.digest
        shared = (
            look,
            self.frame,
            source.forge,
            source.directions_fingerprint,
            parquet.is_readable(),
        )
        common = hashlib.sha256(repr(shared).encode("utf-8", "surrogatepass")).hexdigest()
        self.keys = Keys(catalogue=self.catalogue, curved=self.curved, look=common)

    def page(self, address: str, template: str, **values: object) -> None:
        """Render one page."""
        frame = {**self.frame, "root": "../" * address.count("/")}
        text = self.look.render(template, {**frame, **values})
        self.out.write(address, text.encode("utf-8", "replace"))

    def experiment(self, item: Experiment) -> None:
        """Write an experiment's page; the blocks of its table are made already."""
        newest = table.paged(self.catalogue, item)[: columns.HEAD_ROWS]
        drawn = [self.rendered[run.info.run_id].facts for run in newest]
        trends = table.sparklines(item, drawn, self.shard)
        key = table.key(item)
        blocks = [(part, self.blocks[part.key()]) for part in table.parts(self.catalogue, item)]
        head = self.shard(key, table.head(self.catalogue, item, blocks, trends))
        history = self.histories.get(item.experiment_id, "")
        mine = [view for view in self.views if view.experiment == item.name]
        links = [(report.link(self.catalogue, view), view.description) for view in mine]
        view = pages.experiment(self.catalogue, item, head)
        self.page(
            view.link.address, "experiment.html", page=view, key=key, views=links, history=history
        )

    def shard(self, key: str, value: object) -> str:
        """Write one shard and give its address."""
        content = columns.script(key, value)
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
        line = self.catalogue.source.commits()
        found = []
        for item in self.catalogue.experiments.values():
            view = timeline.timeline(self.catalogue, item, line)
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
        title, base = self.catalogue.source.title, self.options.base_url
        self.out.write("feed.xml", feed.atom(title, base, found))
        return found

    def reports(self) -> None:
        """Write the reports with their pictures."""
        reporter = report.Reporter(
            catalogue=self.catalogue,
            views={view.name: view for view in self.views},
            render=lambda shown: self.look.render("view.html", {"shown": shown, "root": "../"}),
            cache=self.options.cache,
        )
        for document in self.catalogue.source.reports:
            title, text = reporter.page(document)
            address = urls.report_page(document.name)
            self.page(address, "extra.html", heading=formats.name(title), text=text)
        for picture in reporter.pictures:
            self.out.write(picture.address, picture.data)

    def search(self) -> None:
        """Write the search index."""
        around = [(key, one.name) for key, one in self.catalogue.experiments.items()]

        def block(name: str, runs: Sequence[Run]) -> str:
            key = self.keys.rows(runs, around)
            if not self.keep(name, key):
                address = self.shard(name, search.table(self.catalogue, runs))
                self.rendered[name] = Rendered(key=key, files=self.out.sizes([address]))
            return next(iter(self.rendered[name].files))

        head = search.index(self.catalogue, tuple(search.pages(self.catalogue)), block)
        self.out.write(urls.search(), columns.script("search", head))

    def keep(self, name: str, key: str) -> bool:
        """Take files over from the old site; False where they do not hold."""
        old = self.previous.get(name)
        if old is None or not key or old.key != key or not self.out.reuse(old.files):
            return False
        self.rendered[name] = old
        return True

    def keep_block(self, part: table.Part) -> bool:
        """Take a part of a table over from the old site; that of the newest runs never holds."""
        name = part.key()
        if not part.number or not self.keep(name, self.keys.rows(part.runs)):
            return False
        shards = self.rendered[name].facts
        self.blocks[name] = table.Block(shards=shards)
        return set(shards.values()) == self.rendered[name].files.keys()

    def keep_run(self, item: Run) -> bool:
        """Take a run's page over from the old site."""
        return self.keep(item.info.run_id, self.keys.page(item))

    def keep_older(self, part: older_runs.Shard) -> bool:
        """Take a shard of older runs over from the old site."""
        return self.keep(part.name, self.keys.pages(part.runs))

    def block(self, part: table.Part) -> None:
        """Write a part of an experiment's table."""
        made = table.block(part, self.shard)
        self.blocks[part.key()] = made
        self.rendered[part.key()] = Rendered(
            key=self.keys.rows(part.runs),
            files=self.out.sizes(made.shards.values()),
            facts=made.shards,
        )

    def runs(self, group: Sequence[Run]) -> None:
        """Write the pages of some runs."""
        for item in group:
            self.rendered[item.info.run_id] = self.run(item)

    def run(self, item: Run) -> Rendered:
        """Write a run's page, its numbers and its pictures."""
        key = self.keys.page(item)
        content, run_id = self.catalogue.source, item.info.run_id
        kept = run_id in self.curved and run_pages.has_curves(item)
        curves = columns.curves(content.history(run_id), item.info.start_time) if kept else []
        read = partial(content.read_artifact, run_id)
        files = previews.preview(content.artifacts(run_id), read, self.parquet)
        self.unread |= dict.fromkeys(previews.failures(run_id, files))
        view = run_pages.run(self.catalogue, item, files, bool(curves), read)
        address = urls.run_page(run_id)
        self.page(address, "run.html", page=view)
        record = run_pages.record(self.catalogue, item, files, curves)
        self.out.write(view.data, columns.script(run_id, record))
        if any(file.missing for file in files):
            key = ""  # their bytes may be here at the next build
        copies = [copy for file in files for copy in (file.picture, file.page) if copy]
        for copy in copies:
            self.out.write(copy.address, copy.data)
        written = (address, view.data, *(copy.address for copy in copies))
        return Rendered(key=key, files=self.out.sizes(written), facts=columns.trends(curves))

    def model(self, item: RegisteredModel, known: version_pages.Relations) -> None:
        """Write the pages of a model, its versions and promotions, unless the old ones hold."""
        key, name = self.keys.model(item, known), f"models/{item.name}"
        if self.keep(name, key):
            return
        decisions = self.catalogue.source.decisions(item.name)
        views: list[tuple[str, str, object]] = [
            (
                urls.model_page(item.name),
                "model.html",
                model_pages.model(self.catalogue, item, decisions),
            )
        ]
        for one in self.catalogue.versions[item.name]:
            page = version_pages.version(self.catalogue, known, one, decisions)
            views.append((urls.version_page(item.name, one.version), "version.html", page))
        promotions = [
            *(
                promotion.proposed(self.catalogue, p)
                for p in self.catalogue.proposals.get(item.name, ())
            ),
            *(promotion.decided(self.catalogue, d) for d in decisions),
        ]
        views += [(view.address, "promotion.html", view) for view in promotions]
        for address, template, view in views:
            self.page(address, template, page=view)
        files = self.out.sizes(address for address, _, _ in views)
        self.rendered[name] = Rendered(key=key, files=files)

    def places(self, parts: Sequence[older_runs.Shard]) -> None:
        """Write where each run is found, and the page that shows those without their own."""
        for name, value in older_runs.places(self.catalogue, parts).items():
            self.out.write(urls.ids(name), columns.script(f"ids/{name}", value))
        digits = older_runs.digits(len(self.catalogue.runs))
        self.page("run.html", "older.html", digits=digits)
        code = self.catalogue.source.forge.compare_pattern()
        self.page("compare.html", "compare.html", digits=digits, code=code)
        self.page("sandbox.html", "sandbox.html")

    def older(self, part: older_runs.Shard) -> None:
        """Write a shard of older runs."""
        value, address = {}, urls.older(part.number)
        for run in part.runs:
            view, record = older_runs.page(self.catalogue, run, run.info.run_id in self.curved)
            html = self.look.run(view)
            value[run.info.run_id] = {"html": columns.well_formed(html), "run": record}
        self.out.write(address, columns.script(part.name, value))
        self.rendered[part.name] = Rendered(
            key=self.keys.pages(part.runs), files=self.out.sizes([address])
        )

    def tasks(
        self, parts: Sequence[table.Part], runs: Sequence[Run], older: Sequence[older_runs.Shard]
    ) -> Iterator[workers.Task[_Made]]:
        """List what any process may do: parts of tables, pages of runs, shards of older runs."""
        for part in parts:
            yield self.task(partial(self.block, part), _ROW * len(part.runs))
        for at in range(0, len(runs), _GROUP):
            group = runs[at : at + _GROUP]
            yield self.task(partial(self.runs, group), _PAGE * len(group), len(group))
        for shard in older:
            yield self.task(partial(self.older, shard), _OLDER * len(shard.runs), 1)

    def task(self, work: Callable[[], None], seconds: float, pages: int = 0) -> workers.Task[_Made]:
        """Let some work give what it adds, for it may be done by a copy of this process."""
        stores: list[dict[Any, Any]] = [self.out.files, self.rendered, self.blocks, self.unread]

        def added() -> _Made:
            before = [len(store) for store in stores]
            work()
            self.unread |= dict.fromkeys(self.catalogue.source.unread())
            new = [
                dict(islice(store.items(), count, None))
                for store, count in zip(stores, before, strict=True)
            ]
            return _Made(files=new[0], rendered=new[1], blocks=new[2], unread=new[3], pages=pages)

        return workers.Task(seconds=seconds, work=added)

    def add(self, made: _Made) -> None:
        """Take in what a task added."""
        self.out.take(made.files)
        self.rendered |= made.rendered
        self.blocks |= made.blocks
        self.unread |= made.unread


@without_collector()
def build(
    source: SiteSource,
    output: Path,
    *,
    options: SiteOptions | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Build a site into a folder and replace the site that was there.

    The same content gives the same bytes. The old site stays as it is until everything is made;
    what did not change is neither made nor written again.

    Args:
        source: What to show.
        output: Folder of the site; made where it does not exist.
        options: How to build.
        progress: Called with (pages done, pages in all).

    Raises:
        InvalidInput: The folder holds something that is not a site of ours, or is not writable.
    """
    options = options or SiteOptions()
    look = templates.load(options.templates, options.cache)
    full = Catalogue.of(source, options.run_pages)
    for plan in budget.plans(len(full.runs), options.run_pages):
        catalogue = full if plan.full else Catalogue.of(source, plan.pages)
        out = Output(folder=output, limit=0 if plan.last else options.max_bytes)
        left_out = budget.sentences(
            plan, len(full.runs), len(full.runs) - len(catalogue.paged), options.max_bytes
        )
        try:
            with out, previews.parquet_reader() as reader:
                builder = _Builder(
                    catalogue=catalogue,
                    look=look,
                    options=options,
                    plan=plan,
                    out=out,
                    parquet=reader,
                )
                _write(builder, left_out, progress or (lambda done, total: None))
                out.mark(builder.rendered)
        except OverBudget:
            continue
        break
    new = sum(file.new for file in out.files.values())
    return BuildReport(
        output=out.folder,
        written=new,
        unchanged=len(out.files) - new,
        bytes=out.total_bytes,
        dropped=(
            *left_out,
            *budget.excess(out.total_bytes, options.max_bytes),
            *dict.fromkeys([*source.unread(), *builder.unread]),
        ),
    )


def _write(builder: _Builder, left_out: Sequence[str], progress: Progress) -> None:
    catalogue = builder.catalogue
    runs = [run for run in catalogue.runs if run.info.run_id in catalogue.paged]
    older = list(older_runs.shards(catalogue, builder.plan.pages))
    total = 3 + len(older) + len(runs) + len(catalogue.experiments) + len(catalogue.versions)
    done = 0

    def step(count: int = 1) -> None:
        nonlocal done
        if count:
            done += count
            progress(done, total)

    builder.assets()
    parts = [part for one in catalogue.experiments.values() for part in table.parts(catalogue, one)]
    stale_parts = [part for part in parts if not builder.keep_block(part)]
    stale_runs = [run for run in runs if not builder.keep_run(run)]
    stale_older = [part for part in older if not builder.keep_older(part)]
    step(len(runs) - len(stale_runs) + len(older) - len(stale_older))
    tasks = sorted(
        builder.tasks(stale_parts, stale_runs, stale_older), key=lambda task: -task.seconds
    )
    with workers.run(tasks) as made:
        first = home.home(catalogue, builder.timelines())
        builder.page(
            "index.html", "home.html", page=first, commit=catalogue.source.commit, left_out=left_out
        )
        step()
        builder.places(older)
        builder.search()
        step()
        builder.page("404.html", "404.html", root=builder.options.base_url or "../")
        step()
        for document in catalogue.source.pages:
            builder.extra(document)
        builder.reports()
        known = version_pages.relations(catalogue)
        for model in catalogue.source.models:
            builder.model(model, known)
            step()
        for some in made():
            builder.add(some)
            step(some.pages)
    for experiment in catalogue.experiments.values():
        builder.experiment(experiment)
        step()
