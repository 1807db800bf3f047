"""A run tells the git host and people how it went, over real HTTP; what happens there never changes the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow, flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.variables import Variable
from pydantic import SecretStr

from flows.ship import ship
from slipway.errors import SmokeFailed
from slipway.ledger.deliveries import create_tables, record
from slipway.summary import Shipped
from slipway.webhooks.events import EventKind, GitEvent, event_id
from slipway.webhooks.polling import verdict_of
from slipway.webhooks.signatures import HostKind
from tasks.evidence import announce
from tasks.notify import VARIABLE, AppriseUrl
from tasks.turns import conclude
from tests.flows.conftest import World
from tests.flows.listening import TOKEN, Listener, listening
from tests.unit.values import NOON, REVISION, digest

STATES = {
    HostKind.GITHUB: ("pending", "success", "failure"),
    HostKind.GITEA: ("pending", "success", "failure"),
    HostKind.GITLAB: ("pending", "success", "failed"),
    HostKind.BITBUCKET: ("INPROGRESS", "SUCCESSFUL", "FAILED"),
}


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as heard:
        yield heard


@pytest.fixture
def account(listener: Listener) -> Iterator[Callable[[HostKind], None]]:
    """Makes the Secret block with which statuses are set on one host."""
    made: list[str] = []

    def make(kind: HostKind) -> None:
        made.append(f"slipway-account-{kind.value}")
        value = json.dumps({"kind": kind.value, "token": TOKEN, "api": listener.api(kind)})
        Secret(value=SecretStr(value)).save(made[-1], overwrite=True)

    yield make
    for name in made:
        Secret.delete(name)


@pytest.fixture
def people(listener: Listener) -> Iterator[None]:
    """Two services hear of runs: Prefect's own webhook block, and whatever Apprise knows by URL."""
    words = {"title": "{{subject}}", "message": "{{body}}"}
    custom = CustomWebhookNotificationBlock(
        name="people", url=f"{listener.url}/custom", json_data=words, headers=None, cookies=None
    )
    custom.save("people", overwrite=True)
    apprise = listener.url.replace("http://", "json://") + "/apprise"
    AppriseUrl(url=SecretStr(apprise)).save("people", overwrite=True)
    Variable.set(VARIABLE, ["custom-webhook/gone", "custom-webhook/people", "apprise-url/people"])
    yield
    Variable.unset(VARIABLE)


@pytest.fixture(scope="module")
def deployment() -> Iterator[UUID]:
    """Runs are told apart from those of other deployments, so they need one."""
    with get_client(sync_client=True) as client:
        made = client.create_deployment(client.create_flow(ship), name="telling")
        yield made
        client.delete_deployment(made)


def pushed(world: World, kind: HostKind) -> dict[str, Any]:
    """A push in the ledger, as the receiver records it; what its trigger passes on."""
    push = GitEvent(
        kind=EventKind.PUSH,
        host=kind.value,
        repository="acme/toy",
        url="https://git.example.com/acme/toy.git",
        ref="refs/heads/main",
        before="a" * 40,
        after=REVISION,
        forced=False,
        sender="mina",
        delivery_id="d1",
    )
    create_tables(world.workshop.ledger)
    with world.workshop.ledger.begin() as connection:
        record(connection, verdict_of([push]), now=NOON)
    vars(world.workshop.source)["remote_heads"] = lambda *_: {"main": REVISION}
    return {"branch": "main", "delivery": str(event_id(push))}


@flow(
    name="ship",
    flow_run_name="ship {ref} -> {environment}",
    on_running=ship.on_running_hooks,
    on_completion=ship.on_completion_hooks,
    on_failure=ship.on_failure_hooks,
)
def short(ref: str, environment: str, branch: str = "", delivery: str = "", fails: str = "") -> list[Shipped]:
    """What the hooks see of a ship, without the twenty tasks that it takes there."""
    if fails:
        raise SmokeFailed(fails)
    return announce.fn(
        delivery, [Shipped("toy", f"http://toy.{environment}", digest("a"), ref, ("main",), "blue")] if branch else []
    )


def run(deployment: UUID, which: Flow[..., Any] = short, **parameters: Any) -> tuple[State[Any], str]:
    """One run through its deployment, as the worker's process does it: how it ended, and its page."""
    given = {"ref": REVISION, "environment": "local", **parameters}
    with get_client(sync_client=True) as client:
        created = client.create_flow_run_from_deployment(deployment, parameters=given)
    state: Any = run_flow(which, created, return_type="state")
    return state, f"/runs/flow-run/{created.id}"


@pytest.mark.usefixtures("people")
def test_a_ship_tells_its_host_and_people_that_it_failed_and_that_it_works_again(
    world: World, listener: Listener, account: Callable[[HostKind], None], deployment: UUID
) -> None:
    account(HostKind.GITLAB)
    push = pushed(world, HostKind.GITLAB)
    world.breaks["smoke"] = [SmokeFailed("case 2 scored 0.1")]
    failed, first = run(deployment, ship, repository="/somewhere", **push)
    again, second = run(deployment, ship, repository="/somewhere", **{**push, "delivery": ""})
    assert (failed.is_failed(), again.is_completed()) == (True, True)
    assert [(one.host, one.state) for one in listener.statuses] == [
        (HostKind.GITLAB, "pending"),
        (HostKind.GITLAB, "failed"),
    ]
    assert "case 2 scored 0.1" in listener.statuses[-1].content["description"]
    for heard in listener.notices.values():
        name = f"ship {REVISION} -> local"
        assert [one["title"] for one in heard] == [f"{name} failed", f"{name} works again"]
        assert [page in one["message"] for page, one in zip((first, second), heard, strict=True)] == [True, True]


@pytest.mark.parametrize("kind", list(STATES))
def test_a_commit_is_pending_and_then_what_the_run_came_to(
    world: World, listener: Listener, account: Callable[[HostKind], None], deployment: UUID, kind: HostKind
) -> None:
    account(kind)
    push = pushed(world, kind)
    pages = [run(deployment, **push)[1]] * 2
    conclude(push["delivery"], "")
    pages += [run(deployment, fails="case 2 scored 0.1", **push)[1]] * 2
    pending, success, failure = STATES[kind]
    assert [one.state for one in listener.statuses] == [pending, success, pending, failure]
    assert {(one.host, one.revision) for one in listener.statuses} == {(kind, REVISION)}
    assert [page in one.link for page, one in zip(pages, listener.statuses, strict=True)] == [True] * 4
    assert listener.statuses[1].content["description"].startswith("shipped toy")
    assert "case 2 scored 0.1" in listener.statuses[3].content["description"]
    assert all("slipway/local" in one.content.values() for one in listener.statuses)
    assert listener.refused == []


def test_a_host_in_trouble_is_asked_again_and_one_that_stays_so_costs_the_run_nothing(
    world: World,
    listener: Listener,
    account: Callable[[HostKind], None],
    deployment: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.hosts.time", SimpleNamespace(sleep=lambda _seconds: None))
    account(HostKind.GITHUB)
    listener.answers = [503, 429, 201, 503, 503, 503]
    state, _ = run(deployment, **pushed(world, HostKind.GITHUB))
    assert state.is_completed()
    assert listener.answers == [], "three tries each"


def test_a_host_without_an_account_and_a_run_of_a_person_tell_nobody(
    world: World, listener: Listener, account: Callable[[HostKind], None], deployment: UUID
) -> None:
    account(HostKind.GITHUB)
    run(deployment, **pushed(world, HostKind.GITLAB))
    run(deployment, branch="main")
    assert (listener.statuses, listener.refused) == ([], [])


@pytest.mark.usefixtures("world", "people")
def test_people_hear_of_each_failure_of_what_works_again_and_of_a_release_and_of_nothing_else(
    listener: Listener, deployment: UUID
) -> None:
    again: dict[str, Any] = {"branch": "notices"}
    pages = [run(deployment, fails=f"case {number}", **again)[1] for number in (1, 2)]
    pages += [run(deployment, **again)[1] for _ in range(2)]
    run(deployment, branch="")  # nothing was shipped, and nothing was wrong before
    for heard in listener.notices.values():
        name = f"ship {REVISION} -> local"
        titles = [f"{name} failed", f"{name} failed", f"{name} works again", f"{name}: released"]
        assert [one["title"] for one in heard] == titles
        assert [page in one["message"] for page, one in zip(pages, heard, strict=True)] == [True] * 4
        assert "case 2" in heard[1]["message"]
        assert digest("a") in heard[3]["message"]
