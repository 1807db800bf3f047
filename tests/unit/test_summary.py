from __future__ import annotations

from typing import Any

from slipway.ledger.releases import Release
from slipway.rollout.blue_green import Slot
from slipway.rollout.deploy import Deployed
from slipway.summary import Shipped, layers_table, summary
from tests.unit.values import NOON, REVISION, digest

FACTS: dict[str, Any] = {
    "subject": "Faster | better",
    "author": "Ada",
    "tags": ["main", "sha-abababa"],
    "flavour": "cpu",
    "model": "toy-v1",
    "base": "python@sha256:1",
    "lock": "cpu.lock",
    "built_by": "buildah 1.28",
    "gates": {"smoke": "passed", "speed": "skipped"},
}
RELEASE = Release("toy", digest("a"), REVISION, "https://git.example.com/toy", FACTS, NOON)
DEPLOYED = Deployed("http://127.0.0.1:8080", Slot.GREEN, digest("a"), digest("b"), 1.5)
SMOKE = {"cases": [{"passed": True}, {"passed": False}], "degraded": True, "device": "cpu"}


def rows(text: str) -> dict[str, str]:
    """The table's rows; an escaped bar is part of a cell."""
    cells = [line.replace("\\|", "¦").split("|") for line in text.splitlines() if line.startswith("|")]
    assert all(len(row) == 4 for row in cells)
    return {row[1].strip(): row[2].strip() for row in cells}


def test_the_summary_says_what_it_is_where_it_serves_and_what_it_replaced() -> None:
    found = rows(summary(RELEASE, DEPLOYED, {"smoke": SMOKE}))
    assert found["serves at"] == "http://127.0.0.1:8080"
    assert found["revision"] == f"`{REVISION}` Faster ¦ better (Ada)"
    assert found["digest"] == f"`{digest('a')}`"
    assert found["slot"] == "green, replacing `bbbbbbbbbbbb` (standing by)"
    assert found["smoke"] == "1 of 2 cases on cpu (degraded: no GPU here)"
    assert found["gates"] == "smoke passed, speed skipped"


def test_a_first_release_replaces_nothing_and_evidence_may_be_missing() -> None:
    first = Deployed("http://127.0.0.1:8080", Slot.BLUE, digest("a"), None, 1.5)
    found = rows(summary(RELEASE, first, {}))
    assert found["slot"] == "blue, replacing nothing"
    assert found["smoke"] == "not run"


def test_what_was_shipped_names_release_and_place() -> None:
    assert Shipped.of(RELEASE, DEPLOYED) == Shipped(
        "toy", "http://127.0.0.1:8080", digest("a"), REVISION, ("main", "sha-abababa"), "green"
    )


def test_layers_show_their_sizes_their_steps_and_the_sum_against_the_budget() -> None:
    text = layers_table(
        [("/bin/sh -c #(nop) ADD file:" + "0" * 64 + " in /", 60_000_000), ("RUN a | b", 1_500_000)], 300
    )
    lines = text.splitlines()
    assert lines[0] == "## Layers: 62 MB unpacked, budget 300 MB without the model"
    assert lines[4] == "| 60.0 | `ADD in /` |"
    assert lines[5] == "| 1.5 | `RUN a \\| b` |"
