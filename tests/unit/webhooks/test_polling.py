"""A host that cannot call in gives the same events, and no event twice beside a webhook."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from slipway.errors import UserError
from slipway.ledger.deliveries import known_refs, record, set_baseline
from slipway.webhooks.events import ZERO, EventKind, GitEvent
from slipway.webhooks.judgement import DeliveryState
from slipway.webhooks.polling import moves, parse_ls_remote, verdict_of
from tests.unit.webhooks.test_webhook_ledger import NOW, A, B, C, engine, pending, push, verdict, write

__all__ = ["engine"]  # the fixture

OUTPUT = f"""{A}\tHEAD
{A}\trefs/heads/main
{B}\trefs/heads/功能/地址
{C}\trefs/tags/v1.0.0
{B}\trefs/tags/v1.0.0^{{}}
{C}\trefs/pull/3/head
"""


def poll(seen: dict[str, str], known: dict[str, str]) -> list[GitEvent]:
    return moves(known, seen, host="github", repository="acme/mgeo", url="https://github.com/acme/mgeo.git")


def test_ls_remote_gives_branches_and_tags_with_their_commits() -> None:
    assert parse_ls_remote(OUTPUT) == {"refs/heads/main": A, "refs/heads/功能/地址": B, "refs/tags/v1.0.0": B}


def test_other_output_is_refused() -> None:
    with pytest.raises(UserError):
        parse_ls_remote("fatal: repository not found")


def test_moved_new_and_deleted_refs_are_events() -> None:
    known = {"refs/heads/main": A, "refs/heads/gone": A, "refs/heads/same": A}
    seen = {"refs/heads/main": B, "refs/heads/same": A, "refs/heads/new": B, "refs/tags/v1": B}
    assert [(one.kind, one.ref, one.before, one.after) for one in poll(seen, known)] == [
        (EventKind.BRANCH_DELETED, "refs/heads/gone", A, ZERO),
        (EventKind.PUSH, "refs/heads/main", A, B),
        (EventKind.BRANCH_CREATED, "refs/heads/new", ZERO, B),
        (EventKind.TAG, "refs/tags/v1", ZERO, B),
    ]


def test_polling_beside_a_webhook_doubles_nothing(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_baseline(connection, "github", "acme/mgeo", {"refs/heads/main": A})
        known = known_refs(connection, "github", "acme/mgeo")
    write(engine, verdict(push(A, B), delivery_id="d1"))
    late = write(engine, verdict_of(poll({"refs/heads/main": B}, known)))
    assert late.state is DeliveryState.IGNORED
    assert pending(engine) == [(A, B)]


def test_a_poll_that_is_first_makes_the_late_webhook_old_news(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_baseline(connection, "github", "acme/mgeo", {"refs/heads/main": A})
        assert (
            record(connection, verdict_of(poll({"refs/heads/main": B}, {"refs/heads/main": A})), now=NOW).reason == ""
        )
        assert known_refs(connection, "github", "acme/mgeo") == {"refs/heads/main": B}
    assert write(engine, verdict(push(A, B), delivery_id="d1")).state is DeliveryState.IGNORED


def test_one_repositorys_refs_are_not_anothers(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_baseline(connection, "github", "acme/mgeo_2", {"refs/heads/main": A})
        set_baseline(connection, "github", "acme/mgeo%2", {"refs/heads/main": B})
        assert known_refs(connection, "github", "acme/mgeo_2") == {"refs/heads/main": A}
        assert known_refs(connection, "github", "acme/mgeo") == {}
