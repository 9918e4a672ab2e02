"""Notes as HTML: Markdown of people we do not know, so no raw HTML, script or tracker passes."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

NOTE_BYTES = 64_000
Block = Callable[[str], str]
_HEADING_SHIFT = 2  # a note's title stands below the page's and the section's


def render(note: str, *, shift: int = _HEADING_SHIFT, block: Block | None = None) -> str:
    """Turn Markdown into HTML that is safe to put into a page.

    Args:
        note: Markdown; what lies beyond the first 64,000 bytes is dropped, because parsing time
            can grow with the square of hostile input.
        shift: By how many levels headings stand lower; none ever stands beside the page's own.
        block: Gives the HTML of a fenced block of the language ``gitml``; without it, and for any
            other language, the block is shown as text.
    """
    if not note:
        return ""
    data = note.encode("utf-8", "replace")
    text = data[:NOTE_BYTES].decode("utf-8", "ignore")
    html = str(_parser().render(text, {"shift": shift, "block": block}))
    if len(data) > NOTE_BYTES:
        html += f'<p class="quiet">Cut after {NOTE_BYTES // 1000} kB.</p>\n'
    return html


def titled(text: str, otherwise: str) -> tuple[str, str]:
    """Split a document into its title, the heading of the first level it begins with, and the rest.

    Args:
        text: Markdown.
        otherwise: Title of a document that begins with something else.
    """
    first, _, rest = text.lstrip("\ufeff \r\n").partition("\n")
    found = re.fullmatch(r"#\s+(.*?)\s*#*\s*", first)
    return (found[1], rest) if found and found[1] else (otherwise, text)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # The default preset lets raw HTML through; this one does not.
    parser = MarkdownIt("js-default")
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("fence", _fence)
    return parser


def _link(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    tokens[index].attrSet("rel", "noopener nofollow ugc")
    return _plain(renderer, tokens, index, options, env)


def _image(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    # Pages load nothing from elsewhere, so a remote picture would be a broken one.
    source, label = str(tokens[index].attrGet("src") or ""), tokens[index].content
    if source.startswith("data:image/"):
        return f'<img src="{escape(source)}" alt="{escape(label)}">'
    return f'<span class="quiet">[picture: {escape(label or source)}]</span>'


def _heading(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    level = int(tokens[index].tag[1]) + env["shift"]
    tokens[index].tag = f"h{min(max(level, 2), 6)}"
    return _plain(renderer, tokens, index, options, env)


def _fence(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    from markdown_it.renderer import RendererHTML

    assert isinstance(renderer, RendererHTML)
    if env["block"] and tokens[index].info.strip() == "gitml":
        return str(env["block"](tokens[index].content))
    text = RendererHTML.fence(renderer, tokens, index, options, env)
    return text.replace("<pre>", '<pre tabindex="0">', 1)  # it scrolls, so keys must reach it


def _plain(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    from markdown_it.renderer import RendererHTML

    assert isinstance(renderer, RendererHTML)
    return renderer.renderToken(tokens, index, options, env)
