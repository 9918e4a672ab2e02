"""What people wrote for the site: where it may lie, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitml.client import MlflowClient
from gitml.errors import InvalidInput
from gitml.publishing.dashboard import build_site, fingerprint
from gitml.publishing.repository_source import RepositorySource
from gitml.repository import Repository


def settings(repository: Path, text: str) -> Repository:
    (repository / "gitml.yaml").write_text(f"site: {{{text}}}\n")
    return Repository.open(repository)


def test_pages_come_from_the_folder_that_the_settings_name(repository: Path) -> None:
    (repository / "docs").mkdir()
    (repository / "docs" / "b.md").write_text("# B\n")
    (repository / "docs" / "a.md").write_bytes(b"\xef\xbb\xbf# A\n")
    (repository / "docs" / "c.txt").write_text("no page")
    (repository / "docs" / "link.md").symlink_to("../README.md")
    (repository / "README.md").write_text("# Read me\n")
    content = RepositorySource(settings(repository, "pages: docs"))
    assert [(page.name, page.text) for page in content.pages] == [
        ("a", "# A\n"), ("b", "# B\n"), ("link", "# Read me\n"),
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["/etc/hostname", "../.git/config", "link.md", "..", "nothing"])
def test_a_page_that_leads_elsewhere_says_so_and_shows_nothing(
    repository: Path, tmp_path: Path, target: str
) -> None:
    (repository / "docs").mkdir()
    (repository / "docs" / "link.md").symlink_to(target)
    report = build_site(settings(repository, "pages: docs"), tmp_path / "site")
    (page,) = (tmp_path / "site" / "pages").iterdir()
    assert "This page cannot be shown" in page.read_text()
    (sentence,) = report.failures
    assert "docs/link.md leads out of" in sentence or "docs/link.md is not a file" in sentence


@pytest.mark.parametrize("key", ["templates", "logo", "pages"])
@pytest.mark.parametrize("value", ["../private", "link", ".git", "sub/../../private"])
def test_a_setting_names_nothing_outside_the_repository(
    repository: Path, tmp_path: Path, key: str, value: str
) -> None:
    (tmp_path / "private").mkdir()
    (repository / "sub").mkdir()
    (repository / "link").symlink_to(tmp_path / "private")
    opened = settings(repository, f"{key}: {value}")
    with pytest.raises(InvalidInput, match=f"site.{key} is '{value}', which is outside"):
        build_site(opened, tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_template_that_links_to_a_file_of_the_builder_is_not_published(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "id_rsa").write_text("PRIVATE KEY")
    (repository / "look" / "assets").mkdir(parents=True)
    (repository / "look" / "assets" / "gitml.css").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(InvalidInput, match=r"The template assets/gitml\.css leads out"):
        build_site(settings(repository, "templates: look"), tmp_path / "site")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pages: docs", "The folder docs of extra pages does not exist"),
        ("pages: ../other", "site.pages is '../other', which is outside the repository"),
        ("logo: /etc/hostname", "site.logo is '/etc/hostname', which is outside the repository"),
        ("logo: train.py", "is not a PNG, JPEG, GIF, WebP or SVG picture"),
        ("accent: blueish", "site.accent must be a colour, not 'blueish'"),
        ("accent: ", "site.accent must be a string, not null"),
        ("url: team.example", "site.url is 'team.example', which is not a valid URL"),
        ("accent: 12", "site.accent must be a string, not 12"),
    ],
)
def test_build_rejects_settings_that_are_not_valid(
    repository: Path, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        build_site(settings(repository, text), tmp_path / "site")
    assert not (tmp_path / "site").exists()


WRITTEN = {
    "reports/a.md": "# March\n",
    "views/a.yaml": "experiment: e\n",
    "docs/a.md": "# About\n",
    "registry/Price.yaml": "model: Price\n",
    "look/404.html": "moved",
    "look/assets/gitml.css": "a { color: red }",
    "logo.svg": "<svg/>",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_fingerprint_changes_with_every_file_that_the_site_is_made_of(
    repository: Path, name: str
) -> None:
    opened = settings(repository, "pages: docs, templates: look, logo: logo.svg")
    states = [fingerprint(opened), fingerprint(opened)]
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for text in (WRITTEN[name], f"{WRITTEN[name]} "):
        path.write_text(text)
        states.append(fingerprint(opened))
    path.unlink()
    states.append(fingerprint(opened))
    assert [state == states[0] for state in states] == [True, True, False, False, True]
    assert states[2] != states[3]


def test_reports_and_views_are_read_from_the_work_tree(repository: Path) -> None:
    for name in ("reports/a.md", "views/a.yaml"):
        (repository / name).parent.mkdir()
        (repository / name).write_text(WRITTEN[name])
    source = RepositorySource(Repository.open(repository))
    assert [document.text for document in (*source.reports, *source.views)] == [
        "# March\n", "experiment: e\n",
    ]  # fmt: skip


def test_links_out_of_the_repository_and_binary_files_are_not_read(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary.md").write_text("# Secret\n")
    (repository / "reports").symlink_to(tmp_path / "private")
    opened = Repository.open(repository)
    assert RepositorySource(opened).reports == ()
    (repository / "reports").unlink()
    (repository / "reports").mkdir()
    (repository / "reports" / "big.md").write_bytes(b"x" * (256 * 1024 + 1))
    with pytest.raises(InvalidInput, match="has more than 256 KiB"):
        RepositorySource(opened).reports[0].content()
    (repository / "reports" / "big.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="is not UTF-8 text"):
        RepositorySource(opened).reports[0].content()


def test_views_and_reports_of_projects_have_names_of_their_own(repository: Path) -> None:
    for folder in (repository, repository / "services" / "prices", repository / "ignored"):
        for name in ("views", "reports"):
            (folder / name).mkdir(parents=True)
        (folder / "views" / "shallow.yaml").write_text("experiment: houses\n")
        (folder / "reports" / "march.md").write_text("# March\n\n```gitml\nview: shallow\n```\n")
    (repository / "services" / "prices" / "gitml.yaml").write_text("experiment_prefix: prices/\n")
    (repository / "ignored" / "gitml.yaml").write_text("")
    (repository / ".gitignore").write_text("ignored/\n")
    source = RepositorySource(Repository.open(repository))

    assert [(view.name, view.path, view.experiment_prefix) for view in source.views] == [
        ("shallow", "views/shallow.yaml", ""),
        ("services-prices-shallow", "services/prices/views/shallow.yaml", "prices/"),
    ]
    assert [report.name for report in source.reports] == ["march", "services-prices-march"]


@pytest.mark.slow
def test_report_of_a_project_shows_its_own_view(repository: Path, tmp_path: Path) -> None:
    project = repository / "prices"
    for name, text in (
        ("gitml.yaml", ""),
        ("views/shallow.yaml", "experiment: houses\ntitle: Of the project\n"),
        ("reports/march.md", "# March\n\n```gitml\nview: shallow\n```\n"),
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (repository / "views").mkdir()
    (repository / "views" / "shallow.yaml").write_text("experiment: houses\ntitle: Of the root\n")
    client = MlflowClient(repository)
    client.create_run(client.create_experiment("prices/houses"), run_name="in-the-project")
    report = build_site(Repository.open(repository), tmp_path / "site")

    assert report.failures == ()
    (page,) = (path.read_text() for path in (tmp_path / "site" / "reports").glob("*march*.html"))
    assert "Of the project" in page and "in-the-project" in page and "Of the root" not in page


def test_project_with_wrong_settings_fails_its_own_documents_alone(
    repository: Path, tmp_path: Path
) -> None:
    for folder in (repository, repository / "prices"):
        (folder / "reports").mkdir(parents=True)
        (folder / "reports" / "march.md").write_text("# March\n")
    (repository / "prices" / "gitml.yaml").write_text("branch: other\n")
    report = build_site(Repository.open(repository), tmp_path / "site")

    (sentence,) = report.failures
    assert "prices/gitml.yaml sets more than experiment_prefix" in sentence
    pages = [path.read_text() for path in (tmp_path / "site" / "reports").glob("*march*.html")]
    assert sorted("This page cannot be shown" in page for page in pages) == [False, True]
