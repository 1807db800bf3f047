"""Which tags may move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.identity import Digest, Repository, Tag
from slipway.registry.tags import TagChange, decide_tag, refusal

OLD, NEW = Digest("sha256:" + "a" * 64), Digest("sha256:" + "b" * 64)
REPOSITORY = Repository("registry.example.com", "team/mgeo")
PROTECTED = ["v*", "[0-9]*.[0-9]*.[0-9]*"]


@pytest.mark.parametrize(
    ("tag", "current", "change"),
    [
        ("v1.2.0", None, TagChange.CREATE),
        ("v1.2.0", NEW, TagChange.KEEP),
        ("v1.2.0", OLD, TagChange.REFUSE),
        ("1.2.0", OLD, TagChange.REFUSE),
        ("main", OLD, TagChange.MOVE),
        ("main", NEW, TagChange.KEEP),
        ("V1", OLD, TagChange.MOVE),
    ],
)
def test_a_protected_tag_is_given_once_and_never_moves(tag: str, current: Digest | None, change: TagChange) -> None:
    assert decide_tag(Tag(tag), current, NEW, PROTECTED).change is change


def test_the_refusal_names_every_tag_its_digest_and_its_pattern() -> None:
    decisions = [decide_tag(Tag(name), OLD, NEW, PROTECTED) for name in ("v1", "1.2.3", "main")]
    error = refusal(decisions, REPOSITORY, NEW)
    assert error is not None
    text = str(error)
    assert f"v1 names {OLD}" in text
    assert f"1.2.3 names {OLD}" in text
    assert "'v*'" in text
    assert "main" not in text
    assert error.subject == REPOSITORY.at(NEW)


def test_nothing_refused_is_no_error() -> None:
    assert refusal([decide_tag(Tag("main"), OLD, NEW, PROTECTED)], REPOSITORY, NEW) is None


_DIGESTS = st.sampled_from([OLD, NEW])


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True), st.none() | _DIGESTS, _DIGESTS)
def test_with_everything_protected_no_tag_ever_changes_its_digest(
    tag: str, current: Digest | None, wanted: Digest
) -> None:
    decision = decide_tag(Tag(tag), current, wanted, ["*"])
    assert decision.change is not TagChange.MOVE
    assert (decision.change is TagChange.REFUSE) == (current is not None and current != wanted)
