"""A run either begins its rollout or is superseded, never both."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from slipway.errors import Superseded
from slipway.ledger.turns import Turns

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MAIN, TOPIC = "repo\nmain\nlocal", "repo\ntopic\nlocal"


@pytest.fixture
def turns() -> Turns:
    return Turns(sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool))


def test_a_newer_run_supersedes_the_older_builds_of_its_line(turns: Turns) -> None:
    for run in ("first", "second", "third"):
        turns.enter(run, MAIN, NOW)
    assert set(turns.supersede("third")) == {"first", "second"}
    with pytest.raises(Superseded):
        turns.begin_rollout("first")


def test_a_rollout_that_has_begun_is_left_alone(turns: Turns) -> None:
    turns.enter("first", MAIN, NOW)
    turns.begin_rollout("first")
    turns.enter("second", MAIN, NOW)
    assert turns.supersede("second") == ()
    turns.begin_rollout("first")  # the second service of the same run


def test_an_older_run_never_supersedes_a_newer_one(turns: Turns) -> None:
    turns.enter("first", MAIN, NOW)
    turns.enter("second", MAIN, NOW)
    assert turns.supersede("first") == ()


def test_other_branches_and_runs_by_hand_are_left_alone(turns: Turns) -> None:
    turns.enter("topic", TOPIC, NOW)
    turns.enter("by hand", "", NOW)
    turns.enter("main", MAIN, NOW)
    turns.enter("by hand, too", "", NOW)
    assert turns.supersede("main") == ()
    assert turns.supersede("by hand, too") == ()


def test_a_run_is_superseded_once(turns: Turns) -> None:
    turns.enter("first", MAIN, NOW)
    turns.enter("second", MAIN, NOW)
    assert turns.supersede("second") == ("first",)
    assert turns.supersede("second") == ()


def test_a_run_that_is_over_is_superseded_by_nobody(turns: Turns) -> None:
    turns.enter("first", MAIN, NOW)
    turns.leave("first")
    turns.enter("second", MAIN, NOW)
    assert turns.supersede("second") == ()


def test_a_run_that_starts_again_begins_anew(turns: Turns) -> None:
    turns.enter("first", MAIN, NOW)
    turns.enter("second", MAIN, NOW)
    turns.supersede("second")
    turns.enter("first", MAIN, NOW)
    turns.begin_rollout("first")


def test_a_run_that_never_entered_may_roll_out(turns: Turns) -> None:
    turns.begin_rollout("a rebuild")
