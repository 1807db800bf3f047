from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.metadata import BaseImage, GitContext, metadata
from slipway.metadata.repair import LONGEST

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CONTEXT = GitContext(
    event="push",
    ref="refs/heads/main",
    sha="4b1f0c9de2a37685c0ffee1234567890abcdef12",
    commit_time=datetime(2026, 3, 8, 2, 6, 7, tzinfo=timezone(timedelta(hours=8))),
    repository_url="https://git.example.com/geo/addresses",
    repository_name="addresses",
    description="Address matching",
    licenses="Apache-2.0",
)
VALID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
BRANCH = ["type=ref,event=branch"]


def branch_tag(branch: str, others: tuple[str, ...] = ()) -> tuple[str, str]:
    """The tag of a branch, and why it was repaired (empty when it was not)."""
    found = metadata(
        BRANCH,
        ["latest=false"],
        replace(CONTEXT, ref=f"refs/heads/{branch}"),
        NOW,
        other_refs=[f"refs/heads/{other}" for other in others],
    )
    (tag,) = found.tags
    assert [(repair.original, repair.tag) for repair in found.repairs] in ([], [(branch, tag)])
    return tag, found.repairs[0].why if found.repairs else ""


def test_an_ordinary_branch_keeps_the_tag_of_the_action() -> None:
    assert branch_tag("feature/login", ("main", "feature/logout")) == ("feature-login", "")


def test_a_chinese_branch_gets_a_valid_tag_of_its_own() -> None:
    login, why = branch_tag("功能/登录")
    signup, _ = branch_tag("功能/注册")
    assert VALID.fullmatch(login)
    assert VALID.fullmatch(signup)
    assert login != signup
    assert "not a valid tag" in why


def test_a_partly_chinese_branch_keeps_its_readable_part() -> None:
    tag, why = branch_tag("feature/登录-v2")
    assert re.fullmatch(r"feature-v2-[0-9a-f]{8}|feature--v2-[0-9a-f]{8}", tag)
    assert "lost letters" in why


def test_a_name_of_129_characters_is_cut_and_stays_unique() -> None:
    one, why = branch_tag("x" * 129)
    two, _ = branch_tag("x" * 130)
    assert len(one) == LONGEST
    assert one != two
    assert "129 characters" in why
    assert branch_tag("x" * 128) == ("x" * 128, "")


def test_branches_that_would_share_a_tag_are_told_apart_and_the_plain_name_stays() -> None:
    slash, why = branch_tag("fix/a", ("fix-a", "main"))
    assert slash.startswith("fix-a-")
    assert "'fix-a'" in why
    assert branch_tag("fix-a", ("fix/a", "main")) == ("fix-a", "")


def test_a_rule_without_the_branch_is_no_collision() -> None:
    found = metadata(["type=raw,value=a b"], [], CONTEXT, NOW, other_refs=["refs/heads/dev"])
    assert (found.tags, found.repairs) == (("a-b",), ())


def test_a_branch_called_latest_does_not_take_the_tag_latest() -> None:
    tag, why = branch_tag("latest")
    assert tag.startswith("latest-")
    assert "not asked for" in why


def test_latest_is_there_when_asked_for() -> None:
    assert metadata(["type=raw,value=latest"], ["latest=false"], CONTEXT, NOW).tags == ("latest",)


def test_the_version_is_the_repaired_tag() -> None:
    found = metadata(BRANCH, [], replace(CONTEXT, ref="refs/heads/主干"), NOW)
    assert found.version == found.tags[0] == found.labels["org.opencontainers.image.version"]


@given(st.text(min_size=1, max_size=200))
def test_any_branch_name_gives_a_valid_tag_that_is_always_the_same(branch: str) -> None:
    tag, _ = branch_tag(branch)
    assert VALID.fullmatch(tag)
    assert branch_tag(branch)[0] == tag


@given(st.lists(st.text("ab/+主-.", min_size=1, max_size=4), min_size=2, max_size=6, unique=True))
def test_branches_known_to_each_other_never_share_a_tag(branches: list[str]) -> None:
    tags = [branch_tag(branch, tuple(branches))[0] for branch in branches]
    assert len(set(tags)) == len(tags)


def test_the_eight_labels_and_the_base_image() -> None:
    base = BaseImage("docker.io/library/python:3.11-slim", "sha256:" + "0" * 64)
    found = metadata(["type=sha"], [], CONTEXT, NOW, base=base)
    assert found.labels == {
        "org.opencontainers.image.base.digest": base.digest,
        "org.opencontainers.image.base.name": base.name,
        "org.opencontainers.image.created": "2026-03-07T18:06:07.000Z",
        "org.opencontainers.image.description": "Address matching",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.revision": CONTEXT.sha,
        "org.opencontainers.image.source": CONTEXT.repository_url,
        "org.opencontainers.image.title": "addresses",
        "org.opencontainers.image.url": CONTEXT.repository_url,
        "org.opencontainers.image.version": "sha-4b1f0c9",
    }


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("org.opencontainers.image.title=MGeo", "org.opencontainers.image.title", "MGeo"),
        ("org.opencontainers.image.vendor=Geo=1", "org.opencontainers.image.vendor", "Geo=1"),
        ("built-from={{branch}}", "built-from", "main"),
        ("year={{commit_date 'YYYY'}}", "year", "2026"),
    ],
)
def test_the_users_labels_win(line: str, key: str, value: str) -> None:
    assert metadata(["type=sha"], [], CONTEXT, NOW, label_lines=[line]).labels[key] == value


def test_labels_do_not_depend_on_the_clock() -> None:
    later = NOW + timedelta(days=3)
    assert metadata(["type=sha"], [], CONTEXT, NOW).labels == metadata(["type=sha"], [], CONTEXT, later).labels
