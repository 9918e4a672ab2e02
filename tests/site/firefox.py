"""Stock Firefox driven by Marionette, its own remote control; Playwright needs a patched one."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

_WATCH = """
window.seen = [];
Services.console.reset();
Services.obs.addObserver(subject => {
  const {loadInfo, URI} = subject.QueryInterface(Ci.nsIHttpChannel);
  if (loadInfo.triggeringPrincipal.isContentPrincipal) seen.push(`request ${URI.spec}`);
}, "http-on-modify-request");
"""
_SEEN = """
const storage = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
const said = storage.getEvents()
  .filter(e => ["error", "warn"].includes(e.level) && !e.chromeContext)
  .map(e => `console ${e.filename} ${e.arguments.join(" ")}`);
const thrown = Services.console.getMessageArray()
  .filter(m => m instanceof Ci.nsIScriptError && !(m.flags & Ci.nsIScriptError.warningFlag))
  .filter(m => /^(file|http)/.test(m.sourceName))
  .map(m => `${m.sourceName}:${m.lineNumber} ${m.errorMessage}`);
const all = [...seen.splice(0), ...said, ...thrown];
storage.clearEvents();
Services.console.reset();
return all;
"""


class Firefox:
    """A browser with one tab, a context manager."""

    def __init__(self, path: str) -> None:
        with warnings.catch_warnings():
            # It imports what newer Pythons deprecate, and drops sockets while it waits for a port.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", ResourceWarning)
            from marionette_driver.marionette import Marionette

            # Its log: "-" would be our output, and the null device it would replace by a file.
            self._scratch = tempfile.TemporaryDirectory(prefix="firefox-")
            log = str(Path(self._scratch.name) / "log")
            self._driver = Marionette(
                bin=path, headless=True, host="127.0.0.1", port=0, gecko_log=log
            )
            self._driver.start_session()

    def __enter__(self) -> Self:
        self._chrome(_WATCH)
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.quit()
        self._driver.cleanup()
        self._scratch.cleanup()

    def goto(self, address: str) -> None:
        self._driver.navigate(address)

    def back(self) -> None:
        self._driver.go_back()

    def reload(self) -> None:
        self._driver.refresh()

    @property
    def address(self) -> str:
        return str(self._driver.get_url())

    def js(self, expression: str, *args: Any) -> Any:
        """Evaluate an expression in the page; ``arguments`` are the further ones."""
        return self._driver.execute_script(f"return ({expression})", script_args=args)

    def in_frame(self, selector: str, expression: str) -> Any:
        """Evaluate an expression in a frame of the page."""
        self._driver.switch_to_frame(self._find(selector))
        value = self.js(expression)
        self._driver.switch_to_frame()
        return value

    def texts(self, selector: str) -> list[str]:
        """Give the visible texts of all elements that a CSS selector finds."""
        value = self.js(
            "[...document.querySelectorAll(arguments[0])].map(e => e.innerText)", selector
        )
        return list(value)

    def click(self, selector: str) -> None:
        """Click the first element that a CSS selector finds, with a real pointer."""
        self._find(selector).click()

    def fill(self, selector: str, text: str) -> None:
        """Type into an empty field."""
        self._find(selector).send_keys(text)

    def until(self, check: Callable[[], Any], expected: Any) -> None:
        """Wait until a check gives what is expected."""
        end = time.monotonic() + 10
        while (value := check()) != expected and time.monotonic() < end:
            time.sleep(0.02)
        assert value == expected, f"{value!r} instead of {expected!r} at {self.address}"

    def wrong(self) -> list[str]:
        """Give what went wrong since the last look: errors, things thrown, requests elsewhere."""
        return [
            text for text in self._chrome(_SEEN) if not text.startswith("request http://127.0.0.1:")
        ]

    def _find(self, selector: str) -> Any:
        return self._driver.find_element("css selector", selector)

    def _chrome(self, script: str) -> Any:
        with self._driver.using_context("chrome"):
            return self._driver.execute_script(script, sandbox="system", new_sandbox=False)
