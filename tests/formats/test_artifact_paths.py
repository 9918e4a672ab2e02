"""Artifact paths: what git, DVC or a system takes for something special is no file to write."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from gitml.errors import InvalidInput
from gitml.formats import artifact_paths

GIT = (
    ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git.", ".git ", ".git. .",
    ".git::$INDEX_ALLOCATION", ".git:x", "git~1:x", "git~1 .", ".g\u200cit", "\u200e.git",
    ".git\ufeff", ".\u206ag\u202ait",
)  # fmt: skip
DVC = (".dvc", ".DVC", ".dvc ", "dvc~1", ".dvcignore", ".DvcIgnore.", "DVCIGN~1", ".d\u200dvc")
OTHERS = (
    "CON", "nul", "Aux.txt", "com1", "COM9.tar.gz", "lpt\u00b9", "conin$", "prn .x", "com1:x", "a.",
    "a ", "...", ". .", "\u200c..", ".\u200c.", "c:", "C:x", "a\nb", "a\x1b[2J", "a\x85", "x" * 256,
    "\u00e9" * 128,
)  # fmt: skip
PLAIN = (
    ".gitignore", ".gitattributes", ".github", "git", "git~", "x.git", ".gitx", "dvc", "x.dvc",
    "console", "auxiliary.txt", "com", "com10", "null", "a.b.c", " a", ".hidden", "12:30.png",
    "caf\u00e9", "a\u200db", "x" * 255, "\u6a21\u578b.pkl", "c", "dvc.yaml", "HEAD", "~",
)  # fmt: skip


@pytest.mark.parametrize("part", [*GIT, *DVC, *OTHERS])
@pytest.mark.parametrize("path", ["{}", "{}/config", "a/{}", "a/{}/b"])
def test_a_special_part_is_refused_wherever_it_stands(part: str, path: str) -> None:
    name = path.format(part)
    with pytest.raises(InvalidInput, match=r"Artifact path .* (has|is) ") as error:
        artifact_paths.check(name)
    assert error.value.hint
    other = artifact_paths.renamed(name, {"a"}) if artifact_paths.is_inside(name) else "x"
    assert artifact_paths.fault(other) is None


@pytest.mark.parametrize("part", PLAIN)
def test_other_names_are_taken(part: str) -> None:
    assert artifact_paths.check(part) == part
    assert artifact_paths.check(f"a/{part}/b") == f"a/{part}/b"


@pytest.mark.parametrize(
    "paths",
    [
        ["HEAD", "config", "objects/x", "refs/x"],
        ["a/head", "a/Config", "a/OBJECTS/info/x", "a/refs/heads/main"],
        ["a/HE\u200cAD", "a/commondir", "b/config", "b/objects/x", "b/refs/x"],
    ],
)
def test_files_that_make_a_folder_a_repository_are_refused_together(paths: list[str]) -> None:
    assert artifact_paths.faults(paths) == {paths[0]: "makes its folder a git repository"}
    with pytest.raises(InvalidInput, match="makes its folder a git repository"):
        artifact_paths.check_all(paths)
    assert artifact_paths.faults([artifact_paths.renamed(paths[0], paths), *paths[1:]]) == {}
    assert artifact_paths.faults(paths[:2]) in ({}, artifact_paths.faults(paths))


def test_a_head_beside_other_files_is_a_plain_file() -> None:
    assert artifact_paths.faults(["HEAD", "objects/x", "a/refs/x", "config"]) == {}


hostile = st.text(st.sampled_from("./:~ giGIt1dvcnulCON$\u200c\ufeff\\\0\n\ud800ü"), max_size=12)


@given(hostile | st.text(max_size=300))
@example("." * 300)
def test_any_path_is_taken_or_renamed(path: str) -> None:
    if not artifact_paths.is_inside(path):
        assert artifact_paths.fault(path)
    elif artifact_paths.fault(path):
        name = artifact_paths.renamed(path, {path})
        assert artifact_paths.check(name) == name != path
    else:
        assert artifact_paths.check(path) == path
