"""Who approved: what counts, what does not, and what gates make of it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gitml.errors import InvalidInput
from gitml.query.gates import judge, read
from gitml.registry.gates.approvals import Approvals, from_trailers, from_workflow

MERGE = """\
Merge pull request #7 from team/promote

Approved-by: this is prose, not a trailer

Reviewed-by: Bo Reviewer <bo@example.org>
approved-by: Cy <CY@example.org>
Reviewed-by: Bo Again <bo@example.org>
Approved-by: Ada Example <ada@example.org>
Signed-off-by: Di <di@example.org>
"""


def test_trailers_of_the_last_paragraph_count_without_the_proposer() -> None:
    approvals = from_trailers(MERGE, "Ada Example <ada@example.org>")
    assert approvals == Approvals(
        names=("Bo Reviewer <bo@example.org>", "Cy <CY@example.org>"), source="trailers"
    )


@pytest.mark.parametrize("proposer", ["ada", "ADA <x@y.z>", "Someone <ada@example.org>"])
def test_proposer_is_recognized_by_name_and_by_email(proposer: str) -> None:
    message = "Merge\n\nApproved-by: ada\nApproved-by: Ada <ada@example.org>"
    left = from_trailers(message, proposer).names
    assert left == (() if "ada" in proposer.lower().split(" <")[0] else ("ada",))


def test_names_of_a_workflow_are_taken_once_each() -> None:
    approvals = from_workflow(["bo", "Bo", "cy\n<script>"])
    assert approvals == Approvals(names=("bo", "cy <script>"), source="workflow")
    assert from_workflow([]) == Approvals()
    for wrong in ([" "], ["x"] * 51):
        with pytest.raises(InvalidInput, match="--approved-by needs 1 to 50"):
            from_workflow(wrong)


def test_fifty_names_are_the_most_and_the_error_says_how_to_give_them() -> None:
    names = [f"reviewer {number}" for number in range(50)]

    assert from_workflow(names).names == tuple(names)
    with pytest.raises(InvalidInput) as error:
        from_workflow([*names, "one more"])
    assert error.value.hint == "Give one name with each --approved-by."


def test_trailers_are_read_past_carriage_returns_and_blank_lines_with_spaces() -> None:
    message = (
        "Merge\r\n\r\nApproved-by: prose\r\n \t\r\nApproved-by: bo\r\n  Reviewed-by: \tcy  \r\n\r\n"
    )

    assert from_trailers(message, "ada") == Approvals(names=("bo", "cy"), source="trailers")
    assert from_trailers("Merge\n\nno trailer", "ada") == Approvals()


def test_people_without_a_name_are_distinguished_by_their_address() -> None:
    names = ("<ada@example.org>", "<bo@example.org>")
    assert from_workflow([*names, "Ada <ada@example.org>"]).names == names


def test_no_more_than_fifty_trailers_count_and_long_names_are_cut() -> None:
    lines = [f"Approved-by: {number} {'x' * 200}" for number in range(60)]
    names = from_trailers("\n".join(["Merge", "", *lines]), "ada").names

    assert names == tuple(f"{number} {'x' * 200}"[:120] for number in range(50))


@pytest.mark.parametrize(
    ("gate", "filled", "holds"),
    [
        ("approvals.count >= 2", "2 >= 2", True),
        ("approvals.count > 2", "2 > 2", False),
        ("approved_by.bo", "true", True),
        ("approved_by.`BO@example.org` and approved_by.cy", "true and true", True),
        ("approved_by.di", "false", False),
        ("approved_by.di or approvals.count = 2", "false or 2 = 2", True),
    ],
)
def test_gates_ask_for_approvals(gate: str, filled: str, holds: bool) -> None:
    approvals = from_workflow(["Bo <bo@example.org>", "Cy <cy@example.org>"])
    names = ["bo", "BO@example.org", "cy", "di"]
    verdict = judge(read(gate), approvals.facts(names), {})
    assert (verdict.measured, verdict.holds) == (filled, holds)


NAMES = st.lists(
    st.sampled_from(["ada", "Ada", "bo", "bo <b@x>", "c <b@x>", "d", "é\n"]), max_size=25
)


@given(st.text(max_size=80), NAMES)
def test_whatever_a_message_says_people_count_once(text: str, names: list[str]) -> None:
    trailers = "\n".join(f"Reviewed-by: {name}" for name in names)
    approvers = from_trailers(f"{text}\n\n{trailers}", "bo <b@x>").names
    assert len({name.casefold() for name in approvers}) == len(approvers)
    assert not {"bo", "bo <b@x>", "c <b@x>"} & set(approvers)
    assert all("\n" not in name for name in approvers)
    assert set(from_workflow(approvers).names) == set(approvers)


@given(NAMES, NAMES)
def test_additional_approval_never_harms(names: list[str], more: list[str]) -> None:
    smaller, larger = from_workflow(names), from_workflow([*names, *more])
    for gate in ("approvals.count >= 2", "approved_by.ada", "approved_by.`b@x`"):
        holds_before, holds = (
            judge(read(gate), a.facts(["ada", "b@x"]), {}).holds for a in (smaller, larger)
        )
        assert holds or not holds_before
