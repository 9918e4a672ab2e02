"""Turn notes into HTML. Anybody may have written them: no raw HTML, script or tracker passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gitml.text import clip

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

NOTE_BYTES = 64_000
Block = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTarget:
    """What a relative address in a text leads to.

    Attributes:
        address: Where a link leads; empty for nowhere.
        picture: Address of the picture that it is; empty if it is none.
    """

    address: str = ""
    picture: str = ""


Resolve = Callable[[str], LinkTarget | None]
"""A path, relative to the text and unquoted → what it leads to; None if there is no such file."""
_HEADING_SHIFT = 2  # a note's title is below the page's and the section's


def _unresolved(_path: str) -> None:
    return None


def render(
    note: str,
    *,
    shift: int = _HEADING_SHIFT,
    block: Block | None = None,
    resolve: Resolve = _unresolved,
) -> str:
    """Turn Markdown into HTML that is safe to put into a page.

    Args:
        note: Markdown; everything after the first 64,000 bytes is dropped, because parsing time
            can grow with the square of hostile input.
        shift: By how many levels headings are lowered; none becomes as high as the page's own.
        block: Returns the HTML of a fenced block of the language ``gitml``; without it, and for
            any other language, the block is shown as text.
        resolve: Says what relative links and pictures lead to; those that lead nowhere become text.
    """
    if not note:
        return ""
    data = note.encode("utf-8", "replace")
    text = data[:NOTE_BYTES].decode("utf-8", "ignore")
    parser = _parser()
    tokens = [_adapted(token, shift, block, resolve) for token in parser.parse(text)]
    html = str(parser.renderer.render(tokens, parser.options, {}))
    if len(data) > NOTE_BYTES:
        html += f'<p class="quiet">Cut after {NOTE_BYTES // 1000} kB.</p>\n'
    return html


def line(text: str, limit: int) -> str:
    """Turn the first paragraph of Markdown into HTML for one line.

    Args:
        text: Markdown; headings, lists and blocks become their words.
        limit: Characters; a longer one is cut and loses its marks.
    """
    first = text.strip()[:NOTE_BYTES].partition("\n\n")[0]
    plain = words(first)
    if len(plain) > limit or _BREAKS.search(first):
        return escape(clip(plain, limit))
    parser = _parser()
    tokens = [_adapted(token, 0, None, _unresolved) for token in parser.parseInline(first)]
    return str(parser.renderer.render(tokens, parser.options, {}))


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
_ABSOLUTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
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


def _adapted(token: Token, shift: int, block: Block | None, resolve: Resolve) -> Token:
    """Return a block's token adapted to our pages; most stay as they are."""
    match token.type:
        case "inline":
            token.children = _inline(token.children or (), resolve)
        case "heading_open" | "heading_close":
            token.tag = f"h{min(max(int(token.tag[1]) + shift, 2), 6)}"
        case "fence" if block and token.info.strip() == "gitml":
            return _html("html_block", block(token.content))
        case "fence" | "code_block":  # it scrolls, so keys must reach it
            text = escape(token.content)
            return _html("html_block", f'<pre tabindex="0"><code>{text}</code></pre>\n')
    return token


def _inline(tokens: Sequence[Token], resolve: Resolve) -> list[Token]:
    """Return the tokens within a block; no link among them is dead, no picture from elsewhere."""
    adapted, after = [], ""
    for token in tokens:
        if token.type == "image":
            picture = _image(str(token.attrGet("src") or ""), token.content, resolve)
            token = _html("html_inline", picture)
        elif token.type == "link_open":
            address = str(token.attrGet("href") or "")
            if _ABSOLUTE.match(address):
                token.attrSet("rel", "noopener nofollow ugc")
            else:
                path = _path(address)
                target = resolve(path) if path else None
                if target and target.address:
                    token.attrSet("href", target.address)
                else:
                    after = f' <span class="quiet">({escape(path)})</span>' if path else " "
                    token = _html("html_inline", "")
        elif token.type == "link_close" and after:
            token, after = _html("html_inline", after), ""
        adapted.append(token)
    return adapted


def _path(address: str) -> str:
    """Return the path that a relative address names; empty for one within the text or a host's."""
    return "" if address.startswith("//") else unquote(re.split("[?#]", address, maxsplit=1)[0])


def _html(kind: str, text: str) -> Token:
    from markdown_it.token import Token

    return Token(kind, "", 0, content=text)


def _image(source: str, label: str, resolve: Resolve) -> str:
    """Return HTML of a picture that the site or the text holds; others are not loaded."""
    picture = source if source.startswith("data:image/") else ""
    if not _ABSOLUTE.match(source) and (path := _path(source)):
        target = resolve(path)
        picture = target.picture if target else ""
    if picture:
        return f'<img loading="lazy" src="{escape(picture)}" alt="{escape(label)}">'
    return f'<span class="quiet">[picture: {escape(label or source)}]</span>'
