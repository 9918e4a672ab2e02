"""Turn notes into HTML. Anybody may have written them: no raw HTML, script or tracker passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NOTE_BYTES = 64_000
Block = Callable[[str], str]
_HEADING_SHIFT = 2  # a note's title is below the page's and the section's


def render(note: str, *, shift: int = _HEADING_SHIFT, block: Block | None = None) -> str:
    """Turn Markdown into HTML that is safe to put into a page.

    Args:
        note: Markdown; everything after the first 64,000 bytes is dropped, because parsing time
            can grow with the square of hostile input.
        shift: By how many levels headings are lowered; none becomes as high as the page's own.
        block: Returns the HTML of a fenced block of the language ``gitml``; without it, and for
            any other language, the block is shown as text.
    """
    if not note:
        return ""
    data = note.encode("utf-8", "replace")
    text = data[:NOTE_BYTES].decode("utf-8", "ignore")
    parser = _parser()
    tokens = [_adapted(token, shift, block) for token in parser.parse(text)]
    html = str(parser.renderer.render(tokens, parser.options, {}))
    if len(data) > NOTE_BYTES:
        html += f'<p class="quiet">Cut after {NOTE_BYTES // 1000} kB.</p>\n'
    return html


def titled(text: str, otherwise: str) -> tuple[str, str]:
    """Split a document into its title, a heading of the first level at its start, and the rest.

    Args:
        text: Markdown.
        otherwise: Title of a document without such a heading.
    """
    first, _, rest = text.lstrip("\ufeff \r\n").partition("\n")
    is_heading = first.startswith("#") and first[1:2].isspace()
    title = first[1:].strip().rstrip("#").rstrip() if is_heading else ""
    return (title, rest) if title else (otherwise, text)


_BREAKS = re.compile(
    r"```.*?(?:```|\Z)"  # a block of code
    r"|^[ \t]*(?:#+|>|[-*+]|\d+\.)[ \t]|^[ \t|:-]+$|\|",  # what a line begins with, a table
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\n]{0,300}\)")


def words(text: str) -> str:
    """Return the words of Markdown in one line, without marks and blocks of code."""
    plain = _LINK.sub(r"\1", _BREAKS.sub(" ", text))
    return " ".join(plain.replace("*", "").replace("`", "").split())


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # The default preset lets raw HTML through; this one does not.
    return MarkdownIt("js-default")


def _adapted(token: Token, shift: int, block: Block | None) -> Token:
    """Return a token adapted to our pages; most stay as they are."""
    match token.type:
        case "inline":
            token.children = [_adapted(child, shift, block) for child in token.children or ()]
        case "heading_open" | "heading_close":
            token.tag = f"h{min(max(int(token.tag[1]) + shift, 2), 6)}"
        case "link_open":
            token.attrSet("rel", "noopener nofollow ugc")
        case "image":
            return _html("html_inline", _image(str(token.attrGet("src") or ""), token.content))
        case "fence" if block and token.info.strip() == "gitml":
            return _html("html_block", block(token.content))
        case "fence" | "code_block":  # it scrolls, so keys must reach it
            text = escape(token.content)
            return _html("html_block", f'<pre tabindex="0"><code>{text}</code></pre>\n')
    return token


def _html(kind: str, text: str) -> Token:
    from markdown_it.token import Token

    return Token(kind, "", 0, content=text)


def _image(source: str, label: str) -> str:
    """Return HTML of a picture that the text itself holds; pages load nothing from elsewhere."""
    if source.startswith("data:image/"):
        return f'<img src="{escape(source)}" alt="{escape(label)}">'
    return f'<span class="quiet">[picture: {escape(label or source)}]</span>'
