from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway.dependencies.wheelhouse import Wheels
from slipway.image.inputs import Base, Image, Inputs, recipe_folder
from slipway.model import Model
from tests.unit.values import NOON, REVISION, build_plan, digest


def inputs(**changes: Any) -> Inputs:
    known = Inputs(
        plan=build_plan(),
        base=Base("python", f"127.0.0.1:5050/slipway/python@{digest('b')}", digest("b")),
        wheels=Wheels(Path("/wheels"), "wheels-key-long-enough", 12, 10**6, True),
        tools=Wheels(Path("/tools"), "tools-key", 1, 10**4, True),
        model=Model(Path("/model"), "model-key", "toy-v1", True),
    )
    return replace(known, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": build_plan(revision="cd" * 20)},
        {"base": Base("python", "elsewhere", digest("c"))},
        {"wheels": Wheels(Path("/wheels"), "other", 12, 10**6, True)},
        {"tools": Wheels(Path("/tools"), "other", 1, 10**4, True)},
        {"model": Model(Path("/model"), "other", "toy-v1", True)},
    ],
)
def test_the_key_changes_with_every_input(changes: dict[str, Any]) -> None:
    assert inputs(**changes).key != inputs().key


def test_where_things_lie_and_whether_they_were_cached_does_not_matter() -> None:
    moved = inputs(
        wheels=Wheels(Path("/other"), "wheels-key-long-enough", 12, 10**6, False),
        model=Model(Path("/other"), "model-key", "toy-v1", False),
    )
    assert moved.key == inputs().key


def test_labels_name_revision_base_and_the_commits_time() -> None:
    labels = inputs().metadata().labels
    assert labels["org.opencontainers.image.revision"] == REVISION
    assert labels["org.opencontainers.image.created"] == "2026-11-20T12:00:00.000Z"
    assert labels["org.opencontainers.image.base.name"] == "python"
    assert labels["org.opencontainers.image.base.digest"] == digest("b")
    assert labels["org.opencontainers.image.title"] == "toy"


def test_tags_follow_the_services_rules() -> None:
    assert inputs().metadata().tags == ("main", f"sha-{REVISION[:7]}")


def test_a_release_remembers_base_lock_and_model() -> None:
    assert inputs().facts == {
        "flavour": "cpu",
        "base": f"127.0.0.1:5050/slipway/python@{digest('b')}",
        "lock": "cpu.lock (wheels-key-l, 12 wheels)",
        "model": "toy-v1",
        "model_key": "model-key",
        "model_chosen": "",
    }


def test_an_image_is_called_by_service_and_short_digest() -> None:
    image = Image(inputs(), "r", digest("a"), False, "buildah 1.28", NOON)
    assert image.subject == "toy@aaaaaaaaaaaa"


def test_the_revisions_own_base_recipe_wins_over_the_pipelines(tmp_path: Path) -> None:
    plan = build_plan(path=tmp_path / "checkout")
    assert recipe_folder(plan, tmp_path / "pipeline") == tmp_path / "pipeline" / "docker" / "python"
    own = tmp_path / "checkout" / "docker" / "python"
    own.mkdir(parents=True)
    assert recipe_folder(plan, tmp_path / "pipeline") == own
