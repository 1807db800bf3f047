"""From a word to one branch or tag, and the advice when it leads nowhere."""

from __future__ import annotations

import pytest

from slipway.errors import SourceError
from slipway.source.refs import Resolved, choose, is_full_sha, is_short_sha, is_unknown, no_such_ref

REFS = {"refs/heads/main": "a1", "refs/heads/feature/x": "a2", "refs/tags/v1.0.0": "a3", "refs/tags/both": "a1"}


@pytest.mark.parametrize(
    ("ref", "resolved"),
    [
        ("main", Resolved("a1", "branch", "main")),
        ("feature/x", Resolved("a2", "branch", "feature/x")),
        ("refs/heads/feature/x", Resolved("a2", "branch", "feature/x")),
        ("v1.0.0", Resolved("a3", "tag", "v1.0.0")),
        ("refs/tags/v1.0.0", Resolved("a3", "tag", "v1.0.0")),
        ("refs/heads/v1.0.0", None),
        ("Main", None),
        ("feature", None),
        ("", None),
    ],
)
def test_ref_is_taken_exactly(ref: str, resolved: Resolved | None) -> None:
    assert choose(ref, REFS) == resolved


def test_branch_and_tag_of_one_name_may_only_mean_the_same() -> None:
    assert choose("both", {**REFS, "refs/heads/both": "a1"}) == Resolved("a1", "branch", "both")
    with pytest.raises(SourceError, match="both a branch"):
        choose("both", {**REFS, "refs/heads/both": "a9"})


def test_unknown_ref_gets_the_nearest_names() -> None:
    error = no_such_ref("mian", REFS, "/srv/app")
    assert (error.what, error.subject) == ("there is no branch, tag or commit 'mian'", "/srv/app")
    assert error.next_step == "did you mean main?"


def test_unknown_ref_far_from_all_names_gets_some_of_them() -> None:
    many = {f"refs/heads/branch-{number:02}": "a" for number in range(20)}
    assert no_such_ref("!", many, "x").next_step.endswith("branch-07 and 12 more")


def test_repository_without_refs_has_no_commits() -> None:
    assert "no commits yet" in no_such_ref("main", {}, "x").what


@pytest.mark.parametrize(
    ("text", "full", "short", "unknown"),
    [
        ("a" * 40, True, True, False),
        ("0" * 40, True, True, True),
        ("A" * 64, True, True, False),
        ("abcd", False, True, False),
        ("abc", False, False, False),
        ("main", False, False, False),
        ("", False, False, True),
    ],
)
def test_shapes_of_revisions(text: str, full: bool, short: bool, unknown: bool) -> None:
    assert (is_full_sha(text), is_short_sha(text), is_unknown(text)) == (full, short, unknown)
