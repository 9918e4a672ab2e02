"""What people wrote for the site: where it may lie, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.errors import InvalidInput
from gitml.publishing.repository_source import build_site, site_content, state_of
from gitml.repository import Repository


def settings(repository: Path, text: str) -> Repository:
    (repository / "gitml.yaml").write_text(f"site: {{{text}}}\n")
    return Repository.open(repository)


def test_pages_come_from_the_folder_that_the_settings_name(repository: Path) -> None:
    (repository / "docs").mkdir()
    (repository / "docs" / "b.md").write_text("# B\n")
    (repository / "docs" / "a.md").write_bytes(b"\xef\xbb\xbf# A\n")
    (repository / "docs" / "c.txt").write_text("no page")
    (repository / "docs" / "link.md").symlink_to("/etc/hostname")
    content = site_content(settings(repository, "pages: docs"))
    assert [(page.name, page.text) for page in content.pages] == [("a", "# A\n"), ("b", "# B\n")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pages: docs", "The folder docs of extra pages does not exist"),
        ("pages: ../other", "site.pages is '../other', which is outside the repository"),
        ("logo: /etc/hostname", "site.logo is '/etc/hostname', which is outside the repository"),
        ("logo: train.py", "is no PNG, JPEG, GIF, WebP or SVG picture"),
        ("accent: blueish", "site.accent is 'blueish', not a colour"),
        ("accent: ", "site.accent is None, not a str value"),
        ("url: team.example", "site.url is 'team.example', not the address of a site"),
        ("accent: 12", "site.accent is 12, not a str value"),
    ],
)
def test_settings_that_cannot_be_followed_are_said(
    repository: Path, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        build_site(settings(repository, text), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_site_that_follows_its_repository_notices_what_people_write(repository: Path) -> None:
    opened = Repository.open(repository)
    states = [state_of(opened)]
    for name, text in (("reports", "# March\n"), ("views", "experiment: e\n")):
        (repository / name).mkdir()
        (repository / name / ("a.md" if name == "reports" else "a.yaml")).write_text(text)
        states.append(state_of(opened))
    (repository / "reports" / "a.md").write_text("# April, longer\n")
    states.append(state_of(opened))
    assert len(set(map(repr, states))) == 4
    content = site_content(opened)
    assert [one.text for one in (*content.reports, *content.views)] == [
        "# April, longer\n", "experiment: e\n",
    ]  # fmt: skip


def test_files_that_lead_elsewhere_or_are_no_text_are_not_shown(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary.md").write_text("# Secret\n")
    (repository / "reports").symlink_to(tmp_path / "private")
    opened = Repository.open(repository)
    assert site_content(opened).reports == ()
    (repository / "reports").unlink()
    (repository / "reports").mkdir()
    (repository / "reports" / "big.md").write_bytes(b"x" * (256 * 1024 + 1))
    with pytest.raises(InvalidInput, match="has more than 256 KiB"):
        site_content(opened)
    (repository / "reports" / "big.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="is not UTF-8 text"):
        site_content(opened)
