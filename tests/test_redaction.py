"""What looks like a secret is hidden, what does not is left alone."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, strategies as st

from gitml import redaction
from gitml.redaction import HIDDEN, command, is_secret, portable, text, url

ALNUM = string.ascii_letters + string.digits
TOKENS = [
    ("ghp_", ALNUM, 36), ("github_pat_", ALNUM + "_", 60), ("glpat-", ALNUM, 20),
    ("AKIA", string.ascii_uppercase + string.digits, 16), ("xoxb-", string.digits, 30),
    ("sk-", ALNUM, 48), ("sk-proj-", ALNUM, 40), ("sk-ant-api03-", ALNUM, 80),
    ("sk_live_", ALNUM, 24), ("AIza", ALNUM, 35), ("ya29.", ALNUM, 60), ("hf_", ALNUM, 34),
    ("npm_", ALNUM, 36), ("pypi-", ALNUM, 80), ("gsk_", ALNUM, 50),
    ("dapi", "0123456789abcdef", 32),
    ("dckr_pat_", ALNUM, 27), ("hvs.", ALNUM, 90), ("glsa_", ALNUM, 40), ("r8_", ALNUM, 37),
    ("eyJhbGciOiJIUzI1NiJ9.eyJ", ALNUM, 30),
]  # fmt: skip
CONTEXTS = ["{}", "x = '{}'", "curl -H 'X: {}' https://h", "+token {}", "{}\n", "--x={}", "a,{},b"]


@pytest.mark.parametrize(("prefix", "alphabet", "length"), TOKENS)
@given(data=st.data())
def test_tokens_of_common_formats_are_hidden_everywhere(
    prefix: str, alphabet: str, length: int, data: st.DataObject
) -> None:
    secret = data.draw(st.text(alphabet, min_size=length, max_size=length))
    token = prefix + secret + (".abc" if prefix.startswith("eyJ") else "")
    context = data.draw(st.sampled_from(CONTEXTS))

    hidden = text(context.format(token))

    assert secret not in hidden
    assert hidden == context.format(HIDDEN) or HIDDEN in hidden


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--api-key=v"], ["--api-key=***"]),
        (["--api-key", "v", "--lr", "1"], ["--api-key", "***", "--lr", "1"]),
        (["-api_key", "v"], ["-api_key", "***"]),
        (["--apiKey", "v"], ["--apiKey", "***"]),
        (["--password", "12345678"], ["--password", "***"]),
        (["--db.password=v"], ["--db.password=***"]),
        (["model.hf_token=v"], ["model.hf_token=***"]),
        (["+secret=v"], ["+secret=***"]),
        (["API_KEY=v"], ["API_KEY=***"]),
        (["OPENAI_API_KEY_2=v"], ["OPENAI_API_KEY_2=***"]),
        (["--aws-secret-access-key", "wJa/lr+X"], ["--aws-secret-access-key", "***"]),
        (["--credentials", "user:v"], ["--credentials", "***"]),
        (["--key", "0f1e2d3c4b5a69788796"], ["--key", "***"]),
        (["--token", "$ecret"], ["--token", "***"]),
        (["--header", "Authorization: Bearer abcdef"], ["--header", "Authorization: Bearer ***"]),
        (["https://ada:pw@host/x"], ["https://***@host/x"]),
        (["https://ghtoken@host/x"], ["https://***@host/x"]),
        (["postgresql://u:p@h:5/db"], ["postgresql://***@h:5/db"]),
        (["https://h/b?sv=1&sig=abcdefgh12345678"], ["https://h/b?sv=1&sig=***"]),
        (["-c", "login(token='v'); f(x)"], ["-c", "login(token='***'); f(x)"]),
        (['{"api_key": "v", "lr": 1}'], ['{"api_key": "***", "lr": 1}']),
        (["--env", "TOKEN=v"], ["--env", "TOKEN=***"]),
    ],
)
def test_secrets_of_a_command_line_are_hidden(arguments: list[str], expected: list[str]) -> None:
    assert list(command(arguments)) == expected
    assert list(command(expected)) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tokenizer", "bert"], ["max_tokens=512"], ["--max-token", "512"], ["--tokens", "a"],
        ["--key-column", "id"], ["--key", "id"], ["--sort-key=price"], ["--token_count", "7"],
        ["--pad-token", "[PAD]"], ["--eos-token=</s>"], ["--mask_token", "x"],
        ["--monkey", "v"],
        ["--token-file", "/run/x"], ["--password-file=/x"], ["--use-auth-token", "data.csv"],
        ["--key-file", "a.pem"], ["--private-key", "~/.ssh/id_rsa"], ["--private-key=/etc/k.pem"],
        ["--author", "Ada"], ["--secret-name", "prod"], ["--password"], ["--token", "--lr", "1"],
        ["--api-key", "${oc.env:KEY}"], ["--api-key", "$API_KEY"], ["ssh://git@host/x.git"],
        ["git@host:x.git"], ["--optimizer=sgd"], ["sk-learn-pipeline-version-2"], ["-p", "8080"],
        ["https://h/?page=2&key=id"], ["--loss_per_token=0.5"], ["ada@example.org"], ["-k", "v"],
    ],
)  # fmt: skip
def test_what_is_no_secret_stays_in_a_command_line(arguments: list[str]) -> None:
    assert list(command(arguments)) == arguments


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('api_key = "v"', 'api_key = "***"'),
        ('api_key: str | None = "v"', 'api_key: str | None = "***"'),
        ('os.environ["API_KEY"] = "v"', 'os.environ["API_KEY"] = "***"'),
        ('os.getenv("API_KEY", "v")', 'os.getenv("API_KEY", "***")'),
        ("Client(password='v', user='u')", "Client(password='***', user='u')"),
        (r'"{\"client_secret\": \"v\"}"', r'"{\"client_secret\": \"***\"}"'),
        ('f = "postgres://u:p@h"', 'f = "postgres://***@h"'),
        ("# password=0a1b2c3d4e5f6a7b", "# password=***"),
        ("headers = {'Authorization': f'Bearer abcdefg'}",
         "headers = {'Authorization': f'Bearer ***'}"),
    ],
)  # fmt: skip
def test_secrets_of_code_are_hidden(code: str, expected: str) -> None:
    assert text(code) == expected
    assert text(expected) == expected


@pytest.mark.parametrize(
    "code",
    [
        "token = tokenizer.decode(ids)", "if token == 'abc':", "rows.sort(key=lambda row: row[0])",
        "password = getpass('Password: ')", 'd["key"] = "price"', "def f(token: str, n=1): ...",
        "api_key = os.environ['API_KEY']", 'api_key = ""', 'f"postgres://{user}:{word}@{host}/db"',
        "token: str", "for key, value in pairs:", 'pad_token="<pad>"', "secret = load_secret()",
        'log_metric("token_count", 512)', "password: Optional[str] = None", "self.token = token",
        'token = "{}".format(x)', 'KEY = "name"', "tokens: 5", "x = 'https://host/path@v2'",
    ],
)  # fmt: skip
def test_code_without_secrets_stays(code: str) -> None:
    assert text(code) == code


def test_values_without_quotes_are_hidden_in_settings() -> None:
    settings = "db:\n  password: v\n  port: 5\n  key: id\nAPI_TOKEN=v\nexport SECRET=$OTHER\n"

    assert text(settings, is_code=False) == (
        "db:\n  password: ***\n  port: 5\n  key: id\nAPI_TOKEN=***\nexport SECRET=$OTHER\n"
    )


def test_private_keys_are_hidden_line_by_line() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n{}\n-----END OPENSSH PRIVATE KEY-----\n"
    public = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"

    assert text(key.format("b3Blb", "nNzaC") + public) == key.format("***", "***") + public
    assert text("+-----BEGIN PRIVATE KEY-----\n+abc\n") == "+-----BEGIN PRIVATE KEY-----\n+***\n"


@given(st.text(st.sampled_from("keytokenpassword_='\":,.-/@&?[]{}( )\n\\aA0") | st.characters()))
def test_hiding_keeps_lines_and_may_be_repeated(value: str) -> None:
    for is_code in (True, False):
        hidden = text(value, is_code=is_code)
        assert hidden.count("\n") == value.count("\n")
        assert text(hidden, is_code=is_code) == hidden


@pytest.mark.slow
def test_long_texts_are_read_of_two_million_characters() -> None:
    for part in (
        "a",
        "key",
        "token=",
        "://a",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "'",
        "?a=",
        " ",
    ):
        value = part * (2_000_000 // len(part))
        assert text(value).count("\n") == 0  # and the test ends


def test_params_are_judged_by_name_and_value() -> None:
    assert is_secret("api_key", "v")
    assert is_secret("anything", "ghp_" + "a" * 36)
    assert not is_secret("token_count", "512")
    assert not is_secret("max_tokens", "512")
    assert not is_secret("key", "id")
    assert not is_secret("lr", "0.1")


def test_paths_of_a_machine_become_portable() -> None:
    root, home = "/home/ada/project", "/home/ada"

    assert portable("/home/ada/project/data/a.csv", root, home) == "data/a.csv"
    assert portable("--data=/home/ada/data/a.csv", root, home) == "--data=~/data/a.csv"
    assert portable("/home/ada/project /home/ada", root, home) == ". ~"
    assert portable("/home/ada2/x /home/ada/project2/x", root, home) == "/home/ada2/x ~/project2/x"
    assert portable('{"uri": "/home/ada/a"}', None, home) == '{"uri": "~/a"}'
    assert portable("/x/home/ada/y /etc/x", root, "/") == "/x/home/ada/y /etc/x"


def test_credentials_of_urls_are_hidden() -> None:
    assert url("see https://a:b@h/p and ssh://git@h ssh://git:pw@h") == (
        "see https://***@h/p and ssh://git@h ssh://***@h"
    )
    assert redaction.url("https://h/x?access_token=abc&b=1") == "https://h/x?access_token=***&b=1"
