"""What a hostile or broken program could push in place of a file of ours; all from one seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

HUGE = 10**400
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**63, -(2**63) - 1, 2**63 - 1, HUGE, 1e308, "", "x", "NaN",
    "Infinity", "\ud800", "\u202e\u0000\x1b[31m", "../../etc/passwd", "/etc/passwd", "a\nb", "\\",
    "<script>alert(1)</script>", "[red]x[/red]", "é" * 300, "a/" * 3000, [], {}, [[]], [None],
    {"": ""}, {"a": {"b": []}}, {"\ud800": 1}, [1, 2, 3, 4], ["k", 0, 0, 1.0],
)  # fmt: skip
_RAW = (
    b"", b"\n", b"null", b"[]", b"{}", b"0", b'"x"', b"NaN", b"\xff\xfe\x00", b"\x00" * 64,
    b"\xef\xbb\xbf{}", b'{"schema": 1}', b'{"schema": 999}', b'{"schema": true}',
    b'{"schema": 1e999}', b"[" * 100_000, b'{"a":' * 5_000, b'{"schema": ' + b"9" * 5_000 + b"}",
    b"[" * 600 + b"]" * 600, b"['remote \"gitml\"']\n    url = ssh://[::1\n", b"core = 5\n",
    b"[core]\n    remote = gitml\n['remote \"gitml\"']\n    url = nosuch://x\n",
    b"['remote \"gitml\"']\n    url = \x00\n", b"[[[[[[\n", b"outs: [*a]\n", b'["m",1,2]\n',
    b'["m",1,2,1e999]\n["m",true,2,0]\n', b'["m",0,0,0]\x85["m",1,1,1]\n',
)  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Break a file, in its structure where it is JSON, or in its bytes."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [_structure] * 5 + [_bytes] * 3 + [_raw]
    return chance.choice(ways)(data, chance)


def _raw(data: bytes, chance: random.Random) -> bytes:
    return chance.choice(_RAW)


def _bytes(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    return chance.choice((
        data[:start],
        data[:start] + noise + data[start:],
        data[:start] + noise + data[end:],
        data[:start] + data[start:end] * 3 + data[end:],
        data[start:],
    ))  # fmt: skip


def _structure(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines()
    try:
        if lines and lines[0].startswith(b"["):
            return _line(lines, chance)
        value = json.loads(data)
    except ValueError:
        return _bytes(data, chance)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        value = _changed(value, chance)
    return json.dumps(value, indent=chance.choice((None, 2))).encode()


def _line(lines: list[bytes], chance: random.Random) -> bytes:
    """Break a line of a file of JSON lines."""
    start = chance.randrange(len(lines))
    lines[start] = json.dumps(_changed(json.loads(lines[start]), chance)).encode()
    return b"\n".join(lines) + b"\n"


def _changed(value: Any, chance: random.Random) -> Any:
    """Change something somewhere in a JSON value."""
    if isinstance(value, dict | list) and value and chance.random() < 0.75:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        copy: Any = value.copy()
        if chance.random() < 0.25:
            return _reshaped(copy, key, chance)
        copy[key] = _changed(copy[key], chance)
        return copy
    return _replacement(value, chance)


def _reshaped(value: Any, key: Any, chance: random.Random) -> Any:
    """Drop an entry, rename it, or add another one."""
    entry = value.pop(key)
    if isinstance(value, dict):
        if chance.random() < 0.5:
            value[chance.choice(("x", "", "\ud800", f"{key}.", "a" * 3_000))] = chance.choice(
                (entry, *_VALUES, _deep(chance))
            )
    elif chance.random() < 0.5:
        value += [entry, entry]
    return value


def _replacement(value: Any, chance: random.Random) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.3:
        return value + chance.choice((-1, 1, 2**53, -(2**62)))
    if isinstance(value, str) and chance.random() < 0.3:
        return value[: len(value) // 2] + chance.choice(("", "\x00", "/", "..", "\u2028", "Z"))
    return _deep(chance) if chance.random() < 0.1 else chance.choice(_VALUES)


def _deep(chance: random.Random) -> Any:
    """A deeply nested value; some lie just below what Python's parser takes."""
    value: Any = 1
    for _ in range(chance.choice((50, 300, 600, 700, 800))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value
