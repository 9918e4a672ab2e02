"""A project's own look: colour, picture, pages and templates."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from gitml.errors import InvalidInput
from gitml.site import branding, build, previews
from gitml.site.options import SiteOptions
from gitml.site.source import Document
from gitml.site.text import markdown

SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" width="80" height="28"><rect width="80" height="28"
 fill="#c2185b"/><script>parent.document.title = "owned"; alert(1)</script></svg>
"""
PART = st.integers(0, 255)


@given(st.tuples(PART, PART, PART))
def test_any_accent_can_be_read_in_both_themes(colour: tuple[int, int, int]) -> None:
    for ground in (branding._LIGHT, branding._DARK):
        legible = branding.legible(colour, ground)
        assert branding.contrast(legible, ground) >= branding.CONTRAST
        if branding.contrast(colour, ground) >= branding.CONTRAST:
            assert legible == colour


def test_contrast_is_that_of_wcag() -> None:
    assert branding.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert branding.contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)
    assert branding.accent_style("") == b""
    assert branding.accent_style("#036") == branding.accent_style("#003366")


@pytest.mark.parametrize("text", ["blue", "#12", "#12345g", "#fff;}*{display:none", "0a58b5"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"site\.accent must be a colour, not"):
        branding.accent_style(text)


def test_a_logo_is_a_picture_whatever_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        branding.logo(path)
    path.write_bytes(b"<html><svg></svg></html>")
    with pytest.raises(InvalidInput, match="is not a PNG, JPEG, GIF, WebP or SVG picture"):
        branding.logo(path)
    path.write_bytes(b"\xff\xd8\xff" + b"0" * branding.LOGO_BYTES)
    with pytest.raises(InvalidInput, match="has more than 500 kB"):
        branding.logo(path)
    path.write_bytes(SVG)
    logo = branding.logo(path)
    assert logo and re.fullmatch(r"media/\w+\.svg", logo.address) and logo.data == SVG
    assert previews.picture_type(SVG) is None  # an artifact never becomes a file of the site


@pytest.mark.parametrize(
    ("data", "is_svg"),
    [
        (b"<svg/>", True),
        (b"\n<!-- x --><s:svg xmlns:s='http://www.w3.org/2000/svg'/>", True),
        (
            b'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd"><svg/>',
            True,
        ),
        (b'<!DOCTYPE svg [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><svg>&c;</svg>', False),
        (b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', False),
        (b"<svg>", False),
        (b"<html><svg/></html>", False),
        (b"", False),
        (b"<!--" * 100_000, False),
        (b"<!--x-->" * 60_000, False),
        (b"<!DOCTYPE a" * 40_000, False),
        (b"<a>" * 150_000, False),
    ],
)
def test_an_svg_is_what_an_xml_parser_takes_for_it(data: bytes, is_svg: bool) -> None:
    assert branding.is_svg(data) is is_svg


@pytest.mark.parametrize(
    ("text", "title", "rest"),
    [
        ("# How we work #\n\nWith care.", "How we work", "\nWith care."),
        ("\n\n#  *x*\n", "*x*", ""),
        ("## Deeper\n", "file", "## Deeper\n"),
        ("#hashtag", "file", "#hashtag"),
        ("", "file", ""),
    ],
)
def test_a_document_is_called_what_its_heading_says(text: str, title: str, rest: str) -> None:
    assert markdown.titled(text, "file") == (title, rest)


@pytest.fixture
def branded(content: Any, options: SiteOptions, tmp_path: Path) -> Path:
    (tmp_path / "logo.svg").write_bytes(SVG)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "extra.html").write_text(
        '{% extends "layout.html" %}{% block main %}<h1>{{ heading }}</h1>'
        "<p id='count'>{{ bar | length }}</p>{{ text | safe }}{% endblock %}"
    )
    pages = (
        Document(
            name="01-team",
            path="docs/01-team.md",
            text="# The <b>team</b>\n\n## Who\n\n<script>alert(1)</script>\n",
        ),
        Document(
            name="02-glossary",
            path="docs/02-glossary.md",
            text="An *epoch* is a pass.\n\n```gitml\nview: x\n```\n",
        ),
    )
    changed = dataclasses.replace(
        options, accent="#ffd400", logo=tmp_path / "logo.svg", templates=tmp_path / "own"
    )
    build(content(3, pages=pages), tmp_path / "site", options=changed)
    return tmp_path / "site"


@pytest.mark.browser
def test_logo_accent_pages_and_an_overridden_template_show(page: Any, branded: Path) -> None:
    page.goto((branded / "index.html").as_uri())
    mark = page.locator(".brand img")
    assert mark.evaluate("node => [node.naturalWidth, node.naturalHeight]") == [80, 28]
    assert page.title() == "Fuel & weather"
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert links.all_inner_texts() == ["The <b>team</b>", "02-glossary"]
    colour = links.first.evaluate("node => getComputedStyle(node).color")
    assert colour == "rgb({}, {}, {})".format(*branding.legible((255, 212, 0), branding._LIGHT))
    links.first.click()
    assert page.locator("h1").inner_text() == "The <b>team</b>"
    assert page.locator("#count").inner_text() == "2"
    assert page.locator("h2").inner_text() == "Who"
    page.keyboard.press("/")
    page.keyboard.type("epoch")
    page.locator("dialog [role=option]").first.wait_for()
    page.keyboard.press("Enter")
    page.locator("h1", has_text="02-glossary").wait_for()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ ''.__class__.__mro__ }}", "404.html, line 1: access to attribute '__class__'"),
        ("\n{% if %}", "404.html, line 2: Expected an expression"),
        ("{{ nothing }}", "404.html, line 1: 'nothing' is undefined"),
    ],
)
def test_user_template_runs_no_code_and_errors_name_its_line(
    content: Any, options: SiteOptions, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "404.html").write_text(text)
    changed = dataclasses.replace(options, templates=tmp_path / "own")
    (sentence,) = build(content(1), tmp_path / "site", options=changed).failures
    assert sentence.startswith(f"404.html shows an error: Cannot render the template {message}")
