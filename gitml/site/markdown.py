"""Notes as HTML: Markdown of people we do not know, so no raw HTML, script or tracker passes."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererProtocol
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

NOTE_BYTES = 64_000
_HEADING_SHIFT = 2  # a note's title stands below the page's and the section's


def render(note: str) -> str:
    """Turn Markdown into HTML that is safe to put into a page.

    Args:
        note: Markdown; what lies beyond the first 64,000 bytes is dropped, because parsing time
            can grow with the square of hostile input.
    """
    data = note.encode("utf-8", "replace")
    text = data[:NOTE_BYTES].decode("utf-8", "ignore")
    html = str(_parser().render(text))
    if len(data) > NOTE_BYTES:
        html += f'<p class="quiet">Cut after {NOTE_BYTES // 1000} kB.</p>\n'
    return html


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # The default preset lets raw HTML through; this one does not.
    parser = MarkdownIt("js-default")
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
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
    level = int(tokens[index].tag[1]) + _HEADING_SHIFT
    tokens[index].tag = f"h{min(level, 6)}"
    return _plain(renderer, tokens, index, options, env)


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
