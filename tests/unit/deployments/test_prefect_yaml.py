"""prefect.yaml against the code it runs: what it names exists, what it passes is taken, when it says so is a time."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import prefect._vendor.croniter  # noqa: F401 it starts a process when first imported, which no unit test may
import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger

from slipway.webhooks.events import EventKind, GitEvent, PullRequest, PullRequestAction, labels, payload

ROOT = Path(__file__).parents[3]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
BY_NAME = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
TRIGGERS = [
    pytest.param(one, trigger, id=trigger["name"]) for one in DEPLOYMENTS for trigger in one.get("triggers", [])
]
TEMPLATE = "{{"


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    file, _, name = deployment["entrypoint"].partition(":")
    flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(flow, Flow)
    return flow


def event(branch: str = "", tag: str = "", request: PullRequest | None = None) -> GitEvent:
    kind = EventKind.PULL_REQUEST if request else EventKind.TAG if tag else EventKind.PUSH
    ref = "refs/pull/7/head" if request else f"refs/tags/{tag}" if tag else f"refs/heads/{branch}"
    return GitEvent(
        kind=kind,
        host="github",
        repository="acme/mgeo",
        url="https://github.com/acme/mgeo.git",
        ref=ref,
        before="a" * 40,
        after="b" * 40,
        forced=False,
        sender="mina",
        delivery_id="d1",
        pull_request=request,
    )


def request(action: PullRequestAction = PullRequestAction.OPENED, *, from_fork: bool = False) -> PullRequest:
    return PullRequest(
        number=7,
        action=action,
        source_branch="topic",
        target_branch="main",
        source_repository="mina/mgeo",
        from_fork=from_fork,
    )


def fired_by(one: GitEvent) -> list[str]:
    """The deployments that this event starts, by the same matching that the server does."""
    found = []
    for deployment in DEPLOYMENTS:
        for spec in deployment.get("triggers", []):
            trigger = DeploymentEventTrigger.model_validate(spec)
            if trigger.enabled and one.name in trigger.expect and trigger.match.matches(labels(one)):
                found.append(deployment["name"])
    return found


@BY_NAME
def test_every_parameter_is_one_the_flow_takes(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    taken = inspect.signature(flow.fn).parameters
    given = [deployment.get("parameters", {}), *(trigger["parameters"] for trigger in deployment.get("triggers", []))]
    given += [schedule.get("parameters", {}) for schedule in deployment.get("schedules", [])]
    assert not {name for parameters in given for name in parameters} - set(taken)


@BY_NAME
def test_what_the_schedule_runs_needs_nothing_more(deployment: dict[str, Any]) -> None:
    taken = inspect.signature(flow_of(deployment).fn).parameters
    required = {name for name, one in taken.items() if one.default is inspect.Parameter.empty}
    if deployment.get("schedules"):
        assert required <= set(deployment.get("parameters", {}))


@BY_NAME
def test_defaults_are_valid_for_the_flow(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment)
    given = {name: value for name, value in deployment.get("parameters", {}).items() if TEMPLATE not in str(value)}
    taken = inspect.signature(flow.fn).parameters
    filler: dict[str, Any] = {"repository": "x", "ref": "x", "number": 1, "service": "x"}
    missing = [name for name, one in taken.items() if one.default is inspect.Parameter.empty and name not in given]
    required = {name: filler[name] for name in missing}
    flow.validate_parameters({**required, **given})


@pytest.mark.parametrize(
    "deployment", [one for one in DEPLOYMENTS if one.get("schedules")], ids=lambda one: one["name"]
)
def test_every_schedule_is_a_time(deployment: dict[str, Any]) -> None:
    for schedule in deployment["schedules"]:
        assert CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"])


@BY_NAME
def test_names_are_unique_and_every_entry_says_what_it_is_for(deployment: dict[str, Any]) -> None:
    assert [one["name"] for one in DEPLOYMENTS].count(deployment["name"]) == 1
    assert deployment["description"]
    assert deployment["work_pool"]["name"] == "slipway"


@pytest.mark.parametrize("trigger", [pytest.param(one.values[1], id=str(one.id)) for one in TRIGGERS])
def test_what_a_trigger_passes_is_in_every_event_it_expects(trigger: dict[str, Any]) -> None:
    known = payload(event(request=request()))
    request_facts = known.pop("pull_request")
    for template in trigger["parameters"].values():
        if TEMPLATE not in str(template):
            continue
        path = template.strip("{} ").split("|")[0].strip().removeprefix("event.")
        first, _, rest = path.partition(".")
        assert first in ("id", "payload")
        if rest.startswith("pull_request."):
            assert rest.removeprefix("pull_request.") in request_facts
        elif first == "payload":
            assert rest in known


@pytest.mark.parametrize(("deployment", "trigger"), TRIGGERS)
def test_a_trigger_gives_all_that_the_flow_requires(deployment: dict[str, Any], trigger: dict[str, Any]) -> None:
    taken = inspect.signature(flow_of(deployment).fn).parameters
    required = {name for name, one in taken.items() if one.default is inspect.Parameter.empty}
    assert required | {"delivery"} <= {*trigger["parameters"], *deployment.get("parameters", {})}


def test_a_push_to_main_is_shipped_and_a_push_to_a_topic_is_not() -> None:
    assert fired_by(event(branch="main")) == ["ship"]
    assert fired_by(event(branch="topic")) == []
    assert fired_by(event(branch="mainline")) == []


def test_a_new_main_is_shipped_and_a_deleted_one_is_not() -> None:
    created = event(branch="main").model_copy(update={"kind": EventKind.BRANCH_CREATED})
    assert fired_by(created) == ["ship"]
    assert fired_by(created.model_copy(update={"kind": EventKind.BRANCH_DELETED})) == []


def test_version_tags_are_shipped_and_others_are_not() -> None:
    assert fired_by(event(tag="v1.2.0")) == ["ship"]
    assert fired_by(event(tag="nightly")) == []


def test_requests_are_tested_while_open_and_those_from_forks_only_once_switched_on() -> None:
    assert fired_by(event(request=request())) == ["pull-request"]
    assert fired_by(event(request=request(PullRequestAction.UPDATED))) == ["pull-request"]
    assert fired_by(event(request=request(PullRequestAction.MERGED))) == []
    assert fired_by(event(request=request(from_fork=True))) == []


def test_code_from_forks_gets_the_local_registry_and_says_that_it_is_from_a_fork() -> None:
    (fork,) = [one for one in DEPLOYMENTS if one["name"] == "pull-request-from-fork"]
    assert fork["work_pool"]["job_variables"]["env"]["SLIPWAY_REGISTRY"] == ""
    assert fork["parameters"]["from_fork"] is True
    (trigger,) = fork["triggers"]
    assert trigger["match"]["slipway.pull_request.from_fork"] == "true"
