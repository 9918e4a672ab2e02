"""Pictures of every type of page, to look at; run by hand: make screenshots OPTIONS=_site.

Takes the folder of a built site (else of a new `gitml demo`), and writes
``_screenshots/<page>-<light|dark>-<width>.png``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browsers import chromium

WIDTHS = (1360, 390)
OUTPUT = Path("_screenshots")


def addresses(site: Path) -> dict[str, str]:
    """Give a name and an address for each type of page, the fullest where there are several."""
    found: dict[str, Path] = {}
    for path in sorted(site.rglob("*.html"), key=lambda path: path.stat().st_size):
        folder = path.parent.relative_to(site).as_posix().replace("/", "-")
        found[folder if folder != "." else path.stem] = path
    for gone in ("404", "run", "sandbox"):
        found.pop(gone, None)
    named = {name: path.relative_to(site).as_posix() for name, path in found.items()}
    ids = [path.stem for path in sorted((site / "runs").iterdir())[:4]]
    return {**named, "compare": f"compare.html#{','.join(ids)}"}


def shoot(browser: Any, site: Path) -> None:
    """Take the pictures."""
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            page = context.new_page()
            for name, address in addresses(site).items():
                page.goto("about:blank")
                page.goto(f"{site.resolve().as_uri()}/{address}", wait_until="networkidle")
                height = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": min(height, 5000)})
                page.wait_for_timeout(1200)  # charts in sight draw themselves
                page.screenshot(path=OUTPUT / f"{name}-{scheme}-{width}.png")
                page.set_viewport_size({"width": width, "height": 900})
            context.close()


def main(given: str | None) -> None:
    """Shoot a site, or the demo's."""
    OUTPUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        site = Path(given or f"{place}/demo/_site")
        if not given:
            program = "from gitml.cli import main; main()"
            subprocess.run([sys.executable, "-c", program, "demo", f"{place}/demo"], check=True)
        shoot(browser, site)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else None)
