"""A delivery is written once, and its events are single whoever tells of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from slipway.errors import LedgerError
from slipway.ledger.database import open_database
from slipway.ledger.deliveries import (
    KEPT_REJECTIONS,
    Recorded,
    create_tables,
    deliveries,
    forget_old_rejections,
    note_outcome,
    record,
    replay,
)
from slipway.ledger.delivery_views import counts, page
from slipway.ledger.outbox import due, postpone
from slipway.webhooks.events import ZERO, EventKind, GitEvent, PullRequest, PullRequestAction
from slipway.webhooks.judgement import DeliveryState, Verdict, refused

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    create_tables(engine)
    return engine


def push(before: str, after: str, *, ref: str = "refs/heads/main", kind: EventKind = EventKind.PUSH) -> GitEvent:
    return GitEvent(
        kind=kind,
        host="github",
        repository="acme/mgeo",
        url="https://github.com/acme/mgeo.git",
        ref=ref,
        before=before,
        after=after,
        forced=None,
        sender="mina",
        delivery_id="",
    )


def verdict(*events: GitEvent, delivery_id: str = "", digest: str = "") -> Verdict:
    return Verdict(
        DeliveryState.ACCEPTED, 202, "accepted", "", "github", "acme/mgeo", delivery_id, digest, tuple(events)
    )


def write(engine: sa.Engine, one: Verdict) -> Recorded:
    with engine.begin() as connection:
        return record(connection, one, now=NOW)


def pending(engine: sa.Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return [(one.event.before, one.event.after) for one in due(connection, now=NOW, limit=100)]


def test_a_redelivery_is_a_duplicate_even_after_a_restart(engine: sa.Engine) -> None:
    first = write(engine, verdict(push(A, B), delivery_id="d1"))
    reopened = open_database(engine.url.render_as_string(hide_password=False))
    again = write(reopened, verdict(push(A, B), delivery_id="d1"))
    assert first.state is DeliveryState.ACCEPTED
    assert again == Recorded(first.id, DeliveryState.IGNORED, f"duplicate of delivery {first.id}")
    assert pending(engine) == [(A, B)]
    with engine.connect() as connection:
        assert [one["repeats"] for one in page(connection)] == [1]


def test_a_replayed_body_under_a_fresh_delivery_id_is_a_duplicate(engine: sa.Engine) -> None:
    write(engine, verdict(push(A, B), delivery_id="d1", digest="x"))
    assert write(engine, verdict(push(A, B), delivery_id="d2", digest="x")).state is DeliveryState.IGNORED
    assert pending(engine) == [(A, B)]


def test_two_webhooks_that_tell_the_same_push_cause_one_event(engine: sa.Engine) -> None:
    write(engine, verdict(push(A, B), delivery_id="d1"))
    second = write(engine, verdict(push(A, B), delivery_id="other-hook"))
    assert second.state is DeliveryState.IGNORED
    assert pending(engine) == [(A, B)]


def test_a_branch_forced_back_to_an_old_revision_is_news_every_time(engine: sa.Engine) -> None:
    moves = [(A, B), (B, A), (A, B), (B, A)]
    for number, (before, after) in enumerate(moves):
        assert write(engine, verdict(push(before, after), delivery_id=f"d{number}")).state is DeliveryState.ACCEPTED
    assert pending(engine) == moves
    with engine.connect() as connection:
        assert len({one.event_id for one in due(connection, now=NOW, limit=100)}) == 4


def test_a_late_second_telling_does_not_move_the_ref_back(engine: sa.Engine) -> None:
    for number, (before, after) in enumerate([(A, B), (B, C), (A, B), (B, C)]):
        write(engine, verdict(push(before, after), delivery_id=f"d{number}"))
    assert pending(engine) == [(A, B), (B, C)]


def test_a_branch_deleted_twice_is_two_events_and_told_twice_is_one(engine: sa.Engine) -> None:
    deleted = push("", ZERO, kind=EventKind.BRANCH_DELETED)
    created = push(ZERO, A, kind=EventKind.BRANCH_CREATED)
    for number, event in enumerate([created, deleted, deleted, created, deleted]):
        write(engine, verdict(event, delivery_id=f"d{number}"))
    assert [after for _, after in pending(engine)] == [A, ZERO, A, ZERO]


def test_a_pull_request_closed_and_reopened_at_one_revision_is_told(engine: sa.Engine) -> None:
    for number, action in enumerate([PullRequestAction.OPENED, PullRequestAction.CLOSED, PullRequestAction.REOPENED]):
        request = PullRequest(
            number=1, action=action, source_branch="x", target_branch="main", source_repository="", from_fork=True
        )
        event = push("", B, ref="refs/pull/1/head", kind=EventKind.PULL_REQUEST)
        write(engine, verdict(event.model_copy(update={"pull_request": request}), delivery_id=f"d{number}"))
    assert len(pending(engine)) == 3


def test_one_delivery_may_carry_old_news_and_new(engine: sa.Engine) -> None:
    write(engine, verdict(push(A, B), delivery_id="d1"))
    both = write(engine, verdict(push(A, B), push(ZERO, B, ref="refs/tags/v1", kind=EventKind.TAG), delivery_id="d2"))
    assert both.state is DeliveryState.ACCEPTED
    assert pending(engine) == [(A, B), (ZERO, B)]


def test_a_corrected_redelivery_of_a_malformed_one_is_accepted(engine: sa.Engine) -> None:
    broken = Verdict(DeliveryState.REJECTED, 400, "x", "malformed: x", "github", "acme/mgeo", "d1", "digest")
    assert write(engine, broken).state is DeliveryState.REJECTED
    assert write(engine, verdict(push(A, B), delivery_id="d1", digest="digest")).state is DeliveryState.ACCEPTED


def test_rejections_do_not_pile_up(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        record(connection, verdict(push(A, B), delivery_id="d1"), now=NOW)
        for _ in range(KEPT_REJECTIONS + 50):
            record(connection, refused("bad signature"), now=NOW)
        forget_old_rejections(connection)
        found = counts(connection)
    assert found["delivery", "rejected"] == KEPT_REJECTIONS
    assert found["delivery", "accepted"] == 1


def test_replay_sends_the_events_under_new_ids(engine: sa.Engine) -> None:
    first = write(engine, verdict(push(A, B), delivery_id="d1"))
    with engine.begin() as connection:
        assert replay(connection, first.id, now=NOW) == 1
        assert replay(connection, first.id, now=NOW) == 1
        ids = [one.event_id for one in due(connection, now=NOW, limit=10)]
    assert len(set(ids)) == 3
    assert write(engine, verdict(push(A, B), delivery_id="d2")).state is DeliveryState.IGNORED


def test_a_rejected_delivery_cannot_be_replayed(engine: sa.Engine) -> None:
    row = write(engine, refused("bad signature"))
    with engine.begin() as connection, pytest.raises(LedgerError, match="no events to replay"):
        replay(connection, row.id, now=NOW)


def test_the_page_tells_state_reason_and_outcome_newest_first(engine: sa.Engine) -> None:
    write(engine, verdict(push(A, B), delivery_id="d1"))
    write(engine, refused("bad signature", host="github"))
    with engine.begin() as connection:
        (event,) = due(connection, now=NOW, limit=1)
        note_outcome(connection, event.event_id, "ignored: docs only")
        newest, oldest = page(connection)
        assert page(connection, before=newest["id"]) == [oldest]
    assert (newest["state"], newest["reason"], newest["events"]) == ("rejected", "bad signature", [])
    assert oldest["events"][0]["outcome"] == "ignored: docs only"


def test_a_postponed_event_waits_for_its_time(engine: sa.Engine) -> None:
    write(engine, verdict(push(A, B), delivery_id="d1"))
    with engine.begin() as connection:
        (event,) = due(connection, now=NOW, limit=1)
        postpone(connection, [event.id], "Prefect is down", now=NOW, wait=timedelta(seconds=5))
        assert due(connection, now=NOW, limit=1) == []
        (later,) = due(connection, now=NOW + timedelta(seconds=5), limit=1)
    assert (later.attempts, later.sendings) == (1, 0)


def test_no_delivery_text_is_kept_of_a_forged_one(engine: sa.Engine) -> None:
    write(engine, refused("bad signature", host="github"))
    with engine.connect() as connection:
        row = connection.execute(sa.select(deliveries)).one()
    assert (row.repository, row.delivery_id, row.digest) == ("", None, None)
