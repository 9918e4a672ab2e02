"""Pictures of every type of page, to look at; run by hand: make screenshots OPTIONS=_site.

Takes the folder of a built site (else of a new `gitml demo`, given what people write beside it, and
of the hostile project of the tests), and writes ``_screenshots/<page>-<light|dark>-<width>.png``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browsers import chromium

WIDTHS = (1360, 390)
SCHEMES = ("light", "dark")
OUTPUT = Path("_screenshots")
VIEW = """\
experiment: fuel economy
title: Boosted trees
description: Gradient boosting only, the most exact first.
filter: params.model = 'boosting'
sort: [metrics.rmse]
columns: [run_name, params.max_depth, params.learning_rate, metrics.rmse, metrics.r2]
charts:
  - {kind: parallel, axes: [params.max_depth, params.learning_rate, metrics.mae, metrics.rmse],
     colour: metrics.rmse}
  - {kind: scatter, x: metrics.train_rmse, y: metrics.rmse, colour: params.max_depth}
"""
REPORT = """\
# What we learnt about fuel economy

Boosted trees of **depth 2** are enough: deeper ones learn the cars by heart.

```gitml
view: boosted
rows: 4
```

| model | stands |
|---|---|
| boosting 0.2 2 | live since today |
| forest 3 | was live, larger and slower |

## What comes next

1. More cars made after 1982.
2. The weight as a ratio to power, not both apart.
"""
PAGE = "# The team\n\nAda trains, Bo reviews. Ask in **#fuel**.\n\n- Meeting on Tuesdays\n"
WRITTEN = {
    "views/boosted.yaml": VIEW,
    "reports/2026-03.md": REPORT,
    "pages/team.md": PAGE,
    "gitml.yaml": 'site:\n  title: "Fuel economy and weather"\n  pages: pages\n',
}


def _gitml(folder: Path, *words: str) -> None:
    program = "from gitml.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], cwd=folder, check=True)


def demo(folder: Path) -> Path:
    """Build the demo's site with a view, a report, a page and an experiment that has no runs."""
    _gitml(folder, "demo", "demo")
    project = folder / "demo"
    for name, text in WRITTEN.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    subprocess.run(["git", "commit", "-qm", "Write down what we learnt"], cwd=project, check=True)
    _gitml(project, "experiments", "create", "tyre wear")
    _gitml(project, "site", "build")
    return project / "_site"


def hostile(folder: Path) -> Path:
    """Build the site of a project whose every text is an attack or an accident."""
    from gitml.site import build
    from tests.site.hostile import hostile_source

    build(hostile_source(), folder / "hostile")
    return folder / "hostile"


def addresses(site: Path) -> dict[str, str]:
    """Give a name and an address for each type of page, the fullest where there are several."""
    paths: dict[str, Path] = {}
    for path in sorted(site.rglob("*.html"), key=lambda path: path.stat().st_size):
        folder = path.parent.relative_to(site).as_posix().replace("/", "-")
        kind = "promotion" if path.stem.startswith("promotion") else "version"
        folder = kind if folder.startswith("models-") else folder
        paths[folder if folder != "." else path.stem] = path
    for excluded in ("404", "run", "sandbox"):  # only ever shown elsewhere, or over HTTP
        paths.pop(excluded, None)
    named = {name: path.relative_to(site).as_posix() for name, path in paths.items()}
    for path in sorted((site / "experiments").iterdir()):
        if "No runs yet" in path.read_text():
            named["experiment-empty"] = path.relative_to(site).as_posix()
    ids = [path.stem for path in sorted((site / "runs").iterdir())[:4]]
    return {**named, "compare": f"compare.html#{','.join(ids)}"}


def _search(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("boost")


def _group(page: Any) -> None:
    page.locator("#group > summary").click()
    page.locator("#group").get_by_label("model").check()


def _filter(page: Any) -> None:
    page.locator("#filter").click()
    page.keyboard.type("metrics.")


def _choose(page: Any) -> None:
    for box in page.locator("#grid tbody .tick input").all()[:3]:
        box.check()
    page.locator("#columns > summary").click()


_ACTIONS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "search": ("index", _search),
    "experiment-grouped": ("experiments", _group),
    "experiment-filter": ("experiments", _filter),
    "experiment-chosen": ("experiments", _choose),
}


def shoot(browser: Any, site: Path, prefix: str, *, actions: bool) -> None:
    """Take the pictures of a site."""
    pages: dict[str, tuple[str, Callable[[Any], None] | None]]
    pages = {name: (address, None) for name, address in addresses(site).items()}
    if actions:
        pages |= {name: (pages[kind][0], action) for name, (kind, action) in _ACTIONS.items()}
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = context.new_page()
            for name, (address, action) in pages.items():
                page.goto("about:blank")
                page.goto(f"{site.resolve().as_uri()}/{address}", wait_until="networkidle")
                if action:
                    action(page)
                else:
                    height = page.evaluate("document.documentElement.scrollHeight")
                    page.set_viewport_size({"width": width, "height": min(height, 5000)})
                page.wait_for_timeout(1200)  # charts in sight draw themselves
                page.screenshot(path=OUTPUT / f"{prefix}{name}-{scheme}-{width}.png")
                page.set_viewport_size({"width": width, "height": 900})
            context.close()


def main(given: str | None) -> None:
    """Shoot a site, or the demo's and the hostile project's."""
    OUTPUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        sites = (
            {"": Path(given)}
            if given
            else {"": demo(Path(temporary)), "x-": hostile(Path(temporary))}
        )
        for prefix, site in sites.items():
            shoot(browser, site, prefix, actions=not prefix and not given)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else None)
