"""Check a project's accent colour and logo, and make the colour readable in both themes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from gitml.errors import InvalidInput
from gitml.site import previews
from gitml.site.text import urls

LOGO_BYTES = 500_000
CONTRAST = 4.5  # WCAG 2.2, level AA, for text
_COLOUR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_LIGHT, _DARK = (0xEE, 0xF3, 0xFA), (0x20, 0x26, 0x2F)  # the tints that links may stand on

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture for the bar of every page.

    Attributes:
        address: Where, from the site's root.
        data: Its bytes.
    """

    address: str
    data: bytes


def accent_style(text: str) -> bytes:
    """Return the style rule of an accent colour, darker or lighter where it would be illegible.

    Raises:
        InvalidInput: It is not a colour.
    """
    if not text:
        return b""
    if not _COLOUR.fullmatch(text):
        raise InvalidInput(
            f"gitml.yaml: site.accent must be a colour, not {text!r:.60}.",
            hint="Write it as '#0a58b5', with the quotes: YAML takes # for a comment.",
        )
    digits = text[1:] if len(text) == 7 else "".join(digit * 2 for digit in text[1:])
    colour = (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16))
    light, dark = legible(colour, _LIGHT), legible(colour, _DARK)
    return f"\n:root{{--accent:light-dark({_hex(light)},{_hex(dark)})}}\n".encode()


def legible(colour: Colour, ground: Colour) -> Colour:
    """Mix black (on a light ground) or white into a colour until it can be read there."""
    ink = 0 if luminance(ground) > 0.18 else 255
    for step in range(101):
        mixed = [round(part + (ink - part) * step / 100) for part in colour]
        candidate = (mixed[0], mixed[1], mixed[2])
        if contrast(candidate, ground) >= CONTRAST:
            return candidate
    return (ink, ink, ink)


def contrast(first: Colour, second: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Colour) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1, as WCAG 2.2 defines it."""
    parts = [part / 255 for part in colour]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def logo(path: Path | None) -> Logo | None:
    """Read the picture for the bar; its first bytes decide its format.

    An SVG is only ever shown as an image, where its scripts do not run.

    Raises:
        InvalidInput: It does not exist, is too large, or is not a picture that browsers show.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(LOGO_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            f"The logo {path} cannot be read: {error.strerror or error}.",
            hint="Change site.logo in gitml.yaml.",
        ) from error
    if len(data) > LOGO_BYTES:
        raise InvalidInput(
            f"The logo {path} has more than {LOGO_BYTES // 1000} kB.", hint="Make it smaller."
        )
    kind = previews.picture_type(data) or ("svg" if is_svg(data) else None)
    if kind is None:
        raise InvalidInput(
            f"The logo {path} is not a PNG, JPEG, GIF, WebP or SVG picture.",
            hint="Change site.logo in gitml.yaml.",
        )
    return Logo(address=urls.media(data, kind), data=data)


def is_svg(data: bytes) -> bool:
    """Return True if bytes are a well-formed SVG that declares no entities, which can multiply."""
    names: list[str] = []

    def declared(*_: object) -> None:
        raise ValueError("entities are not taken")

    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: names.append(name) if not names else None
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError):
        return False
    return names[0].rpartition(":")[2] == "svg"


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
