"""Replace what looks like a secret by ``***``, and paths of a home by ``~``. Pure.

What a run records is pushed and published. Three rules decide what looks like a secret; README,
"What is recorded", tells them to users:

1. the format of a known kind of token, key, or private key, wherever it stands;
2. user and password of a URL, and values of its query that sign it;
3. the value of a name whose *last word* says so, such as ``--api-key X``, ``DB_PASSWORD=X``,
   ``"client_secret": "X"``: ``token_count``, ``max_tokens``, ``--key-column`` and ``--tokenizer``
   do not. A bare ``key`` counts where its value looks generated; numbers, references such as
   ``$TOKEN``, paths of keys and special tokens such as ``[PAD]`` do not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

HIDDEN = "***"
"""What stands for a secret."""

# Formats ----------------------------------------------------------------------------------------

_FORMATS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(
        (
            r"gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}",
            r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[\w.=-]{20,300}|GR1348941[\w-]{20}",
            r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
            r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{10,250}",
            r"sk-(?:[A-Za-z0-9]{1,15}[_-]){0,6}[A-Za-z0-9]{16,}[\w-]*",  # OpenAI, Anthropic, …
            r"(?:[sr]k|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}",
            r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
            r"hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|r8_[A-Za-z0-9]{30,}",
            r"gsk_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{40,}|dapi[a-f0-9]{32}(?:-\d)?",
            r"dckr_pat_[\w-]{20,}|do[opr]_v1_[a-f0-9]{64}|SG\.[\w-]{22}\.[\w-]{43}",
            r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*",  # a signed JSON Web Token
            r"hv[sbr]\.[\w-]{24,}|glsa_\w{30,}|sntrys_[\w=+/]{30,}|ATATT3[\w=-]{20,}",
            r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|\d{8,10}:AA[\w-]{33}|AGE-SECRET-KEY-1\w{20,}",
        )
    )
    + r")|(?<=hooks\.slack\.com/services/)[\w/]{20,}"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = "-----END "
_LONGEST_KEY = 20_000  # characters
_BEARER = re.compile(
    r"""(?ix)(\bauthorization["']?\s{0,4}[:=,]\s{0,4}f?["']?(?:bearer|basic|token|apikey)\s{1,4}
            |\bbearer\s{1,4}(?=[A-Za-z0-9._~+/=-]{20}))([A-Za-z0-9._~+/=-]{6,})"""
)

# URLs -------------------------------------------------------------------------------------------

_USERINFO = re.compile(r"\b([a-zA-Z][\w+.-]{0,20})://([^/\s@'\"<>]{1,512})@")
_LOGINS = ("ssh", "git+ssh", "sftp", "hdfs", "webhdfs")  # a user name in their URLs is no secret
_QUERY = re.compile(r"([?&]([\w.-]{1,60})=)([^&\s'\"#<>]+)")
_SIGNING = {"sig", "signature", "code"}

# Names ------------------------------------------------------------------------------------------


class _Suspicion(IntEnum):
    """How likely the value of a name is a secret."""

    NONE = 0
    IF_GENERATED = 1
    UNLESS_PLAIN = 2  # a number, a path, a word that stands for nothing
    CERTAIN = 3


_CERTAIN = ("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets")
_PLAINLY = ("credential", "credentials", "cookie", "apikey", "authtoken", "accesskey", "authkey")
_PASS_OF = {"db", "user", "smtp", "mysql", "pg", "postgres", "redis", "ftp", "admin", "my"}
_KEY_OF = {
    *("api", "access", "secret", "private", "auth", "account", "encryption", "signing", "master"),
    *("service", "ssh", "storage", "subscription", "license", "admin", "deploy", "shared", "app"),
}
_TOKEN_OF = {
    *("pad", "eos", "bos", "unk", "sep", "cls", "mask", "special", "start", "end", "stop", "image"),
    *("per", "max", "min", "num", "n", "next", "first", "last", "begin", "decoder", "prefix"),
    *("suffix", "bot", "boi", "eoi", "word", "text", "audio", "video", "new", "sos", "class"),
}
_FLAGS = {"use", "no", "with", "has", "is", "allow", "require", "skip", "show", "print", "without"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAME = re.compile(r"[\w-]{1,60}\Z")
_ASSIGNED = re.compile(
    r"""(?ix)
    (?P<word>(?:key|token|passw(?:or)?d|passphrase|passcode|pwd|pass|secret|credential|cookie|auth)s?)
    (?P<close>\\?["']?)\]?
    (?:\s{0,4}:\s{0,4}[a-z_.]{1,30}(?:\[[a-z_.|\ ]{0,30}\])?(?:\s?\|\s?none)?(?=\s{0,4}=))?
    \s{0,4}(?P<sign>:(?![:=/])|=(?![=~])|:=|,)\s{0,4}
    (?:[rbuf]{0,2}(?P<quote>\\?["'])(?P<quoted>[^"'\s]{1,4096})(?P=quote)
      |(?P<bare>[^\s"'`,;&|()\[\]{}<>]{1,4096})(?![(\[.]))
    """
)
_SUSPECT = re.compile("key|token|pass|pwd|secret|credential|cookie|auth", re.IGNORECASE)
_SHORTEST = 8  # characters of a URL with a password
_REFERENCE = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$\(.*|(?s:.*(?:\$\{|\{\{|%\().*)|\{.*\}|<.*>|\[.*\]|%\w+%|\*+|\.{3,}|(?i:x{3,}"
    r"|true|false|none|null|yes|no|str|int|bytes|your[-_].*"
    r"|(?:os|self|args|config|cfg|settings|env|environ|process)\.[a-z_.]*)"
)
_NUMBER = re.compile(r"[+-]?[\d_]{0,7}(?:\.\d*)?(?:e[+-]?\d+)?[kKmM]?", re.IGNORECASE)
_KEY_FILE = re.compile(r"(?:~|\.{0,2})/?[\w.~/ -]*(?:\.[A-Za-z]\w{1,5}|/\.ssh/[\w.-]+)")
_GENERATED = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=~.-]{16,}")
_RUN = re.compile(r"[A-Za-z0-9]{12,}")


def is_secret(name: str, value: str) -> bool:
    """Return True if the value of an option, a variable, a param looks like a secret."""
    if _SUSPECT.search(name) and _by_name(name, value):
        return True
    return len(value) >= _SHORTEST and text(value) != value


def _by_name(name: str, value: str) -> bool:
    suspicion = _suspicion(name)
    if suspicion == _Suspicion.NONE or not value or _REFERENCE.fullmatch(value):
        return False
    if suspicion == _Suspicion.IF_GENERATED:
        is_login = name.lower().endswith("auth") and ":" in value
        return is_login or _is_generated(value)
    if suspicion == _Suspicion.UNLESS_PLAIN:
        return not _NUMBER.fullmatch(value) and not _KEY_FILE.fullmatch(value)
    return True


def _suspicion(name: str) -> _Suspicion:
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():  # OPENAI_API_KEY_2
        words.pop()
    if not words:
        return _Suspicion.NONE
    *qualifiers, last = words
    before = qualifiers[-1] if qualifiers else ""
    if last.endswith(_CERTAIN) or (last == "pass" and before in _PASS_OF):
        return _Suspicion.CERTAIN
    if last in _PLAINLY or (last == "key" and before in _KEY_OF):
        return _Suspicion.UNLESS_PLAIN
    if last.endswith("token"):
        counts = before in _TOKEN_OF or last.removesuffix("token") in _TOKEN_OF
        return _Suspicion.NONE if counts else _Suspicion.UNLESS_PLAIN
    return _Suspicion.IF_GENERATED if last in ("key", "auth", "pass") else _Suspicion.NONE


def _is_generated(value: str) -> bool:
    return bool(_GENERATED.fullmatch(value) and _RUN.search(value))


# Texts ------------------------------------------------------------------------------------------


def text(value: str, *, is_code: bool = True) -> str:
    """Return a text with ``***`` for its secrets; it keeps its lines.

    Args:
        value: The text.
        is_code: False where a value needs no quotes, as in YAML and in settings of a shell.
    """
    value = _without_private_keys(value)
    value = _FORMATS.sub(HIDDEN, value)
    value = _BEARER.sub(rf"\g<1>{HIDDEN}", value)
    value = url(value)
    parts, end = [], 0
    for match in _ASSIGNED.finditer(value):
        span = _secret_span(match, is_code=is_code)
        if span:
            parts += [value[end : span[0]], HIDDEN]
            end = span[1]
    return "".join([*parts, value[end:]])


def url(value: str) -> str:
    """Return a text with ``***`` for the users, passwords and signatures of its URLs."""

    def userinfo(match: re.Match[str]) -> str:
        scheme, user = match[1], match[2]
        harmless = (scheme.lower() in _LOGINS and ":" not in user) or "{" in user or "$" in user
        return match[0] if harmless else f"{scheme}://{HIDDEN}@"

    def query(match: re.Match[str]) -> str:
        *_, last = ("", *_WORD.findall(match[2]))
        signs = last.lower() in _SIGNING and len(match[3]) >= 16
        return match[1] + HIDDEN if signs or _by_name(match[2], match[3]) else match[0]

    return _QUERY.sub(query, _USERINFO.sub(userinfo, value))


def command(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return a command line with ``***`` for its secrets."""
    redacted: list[str] = []
    option = ""  # the one whose value is next
    for argument in arguments:
        if option and not argument.startswith("--") and _by_name(option, argument):
            redacted.append(HIDDEN)
            option = ""
            continue
        is_code = redacted[-1:] == ["-c"]
        name, equals, assigned = argument.partition("=")
        option = "" if equals or not _is_option(argument) else argument
        if equals and _NAME.search(name) and not is_code and _by_name(name, assigned):
            redacted.append(f"{name}={HIDDEN}")
        else:
            redacted.append(text(argument, is_code=is_code or " " in argument))
    return tuple(redacted)


def _is_option(argument: str) -> bool:
    """Return True for an option that may have a value, by its name."""
    first = _WORD.search(argument)
    return argument.startswith("-") and first is not None and first[0].lower() not in _FLAGS


def _secret_span(match: re.Match[str], *, is_code: bool) -> tuple[int, int] | None:
    """Return where the secret is that a name is given; None where it looks like none."""
    start = match.start()
    before = _NAME.search(match.string, max(0, start - 60), start)
    name = (before[0] if before else "") + match["word"]
    if match["sign"] == "," and not (match["close"] and match["quote"]):
        return None
    group = "quoted" if match["quote"] else "bare"
    assigned = match[group]
    if group == "bare" and is_code and not _is_generated(assigned):
        return None
    return match.span(group) if _by_name(name, assigned) else None


def _without_private_keys(value: str) -> str:
    parts, end = [], 0
    while match := _PRIVATE_KEY.search(value, end):
        body = match.end()
        stop = value.find(_PRIVATE_KEY_END, body, body + _LONGEST_KEY)
        stop = stop if stop >= 0 else min(len(value), body + _LONGEST_KEY)
        hidden = re.sub(r"(?m)^([+\- ]?).+$", rf"\1{HIDDEN}", value[body:stop])
        parts += [value[end:body], hidden]
        end = stop
    return "".join([*parts, value[end:]])


# Paths ------------------------------------------------------------------------------------------


def portable(value: str, root: str | None, home: str) -> str:
    """Return a text without the absolute paths of one machine.

    Args:
        value: The text.
        root: Folder of the repository: paths below it become relative to it.
        home: The home folder, which becomes ``~``.
    """
    for folder, instead in ((root, ""), (home, "~/")):
        if folder and folder.strip("/"):
            path = re.escape(folder.rstrip("/"))
            value = re.sub(rf"(?<![\w.~-]){path}/", instead, value)
            value = re.sub(rf"(?<![\w.~-]){path}(?![\w.-])", instead.rstrip("/") or ".", value)
    return value
