"""Who is told what, and which status a commit gets."""

from __future__ import annotations

import pytest

from slipway.hosts.status import StatusState
from slipway.notices import RunEnd, notice_of, outcome_in_words, status_of
from slipway.packages import Moved, moved_table, parse_listing, what_moved

RELEASED = RunEnd("ship main -> local", True, "shipped toy sha256:1: http://x", "http://prefect/run")
QUIET = RunEnd("ship main -> local", True, "nothing to build: 1 changed paths", "http://prefect/run")
FAILED = RunEnd("ship main -> local", False, "GateFailed: smoke", "http://prefect/run")


def subject(end: RunEnd, *, failed_before: bool) -> str:
    notice = notice_of(end, failed_before=failed_before)
    return notice.subject if notice else ""


def test_a_failure_is_told_each_time_with_its_reason_and_link() -> None:
    assert subject(FAILED, failed_before=True) == "ship main -> local failed"
    notice = notice_of(FAILED, failed_before=False)
    assert notice is not None
    assert notice.body == "GateFailed: smoke\nhttp://prefect/run"


def test_a_recovery_and_a_release_are_told_and_nothing_else() -> None:
    assert subject(QUIET, failed_before=True) == "ship main -> local works again"
    assert subject(RELEASED, failed_before=True) == "ship main -> local works again"
    assert subject(RELEASED, failed_before=False) == "ship main -> local: released"
    assert subject(QUIET, failed_before=False) == ""


@pytest.mark.parametrize(
    ("state", "outcome", "expected"),
    [
        ("RUNNING", "", (StatusState.PENDING, "on its way")),
        ("COMPLETED", "shipped toy", (StatusState.SUCCESS, "shipped toy")),
        ("COMPLETED", "nothing to build: docs", (StatusState.SUCCESS, "nothing to build: docs")),
        ("COMPLETED", "superseded: main is at 1234 now", (StatusState.FAILURE, "superseded: main is at 1234 now")),
        ("COMPLETED", "another run has this event", None),
        ("FAILED", "GateFailed: smoke", (StatusState.FAILURE, "GateFailed: smoke")),
        ("CRASHED", "", (StatusState.FAILURE, "crashed")),
        ("CANCELLING", "", (StatusState.FAILURE, "cancelling")),
        ("SCHEDULED", "", None),
    ],
)
def test_a_state_becomes_a_status(state: str, outcome: str, expected: tuple[StatusState, str] | None) -> None:
    assert status_of(state, outcome) == expected


def test_releases_are_one_line() -> None:
    assert outcome_in_words([("a", "sha256:1", "http://a"), ("b", "sha256:2", "http://b")]) == (
        "shipped a sha256:1: http://a; shipped b sha256:2: http://b"
    )


LISTING = """Package: libssl3
Status: install ok installed
Version: 3.0.11-1~deb12u2

Package: zlib1g
Version: 1:1.2.13
/usr/lib/python3/dist-packages/typing_extensions-4.9.0.dist-info
"""


def test_what_an_image_holds_is_read_from_its_listing() -> None:
    assert parse_listing(LISTING) == {
        "libssl3": "3.0.11-1~deb12u2",
        "zlib1g": "1:1.2.13",
        "wheel:typing-extensions": "4.9.0",
    }


def test_what_moved_came_and_went() -> None:
    moves = what_moved({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"})
    assert moves == (Moved("b", "1", "2"), Moved("c", "1", ""), Moved("d", "", "1"))
    assert "| d | new | 1 |" in moved_table(moves)
    assert moved_table(()) == "No package has another version.\n"
