from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from slipway.errors import LedgerError
from slipway.ledger.releases import Release, Releases
from tests.unit.values import NOON, digest


@pytest.fixture
def ledger(database: sa.Engine) -> Releases:
    return Releases(database)


def release(character: str = "a", minutes: int = 0, **changes: Any) -> Release:
    known = Release(
        service="toy",
        digest=digest(character),
        revision=character * 40,
        repository="https://git.example.com/toy",
        facts={"tags": ["main"], "author": "李雷"},
        released_at=NOON + timedelta(minutes=minutes),
    )
    return replace(known, **changes)


def test_a_release_comes_back_as_it_was_recorded(ledger: Releases) -> None:
    ledger.record(release())
    assert ledger.get("toy", digest("a")) == release()


def test_recording_again_refreshes_the_facts_and_makes_no_second_row(ledger: Releases) -> None:
    ledger.record(release())
    ledger.record(release(facts={"tags": ["main", "v1"]}))
    assert ledger.newest() == (release(facts={"tags": ["main", "v1"]}),)


def test_an_unknown_release_says_what_to_do(ledger: Releases) -> None:
    with pytest.raises(LedgerError, match="no release of toy") as unknown:
        ledger.get("toy", digest("a"))
    assert "ship its revision" in unknown.value.next_step


def test_a_release_of_another_slipway_says_how_to_replace_it() -> None:
    strange = release(facts={"service": {"name": "toy", "of_the_future": True}})
    with pytest.raises(LedgerError, match=f"slipway ship --service toy --ref {strange.revision}"):
        _ = strange.described


def test_two_services_may_share_a_digest(ledger: Releases) -> None:
    ledger.record(release())
    ledger.record(release(service="geo"))
    assert ledger.get("geo", digest("a")).service == "geo"
    assert len(ledger.newest()) == 2


def test_the_newest_releases_come_first_and_not_more_than_asked_for(ledger: Releases) -> None:
    for minutes, character in enumerate("abc"):
        ledger.record(release(character, minutes))
    assert [found.digest for found in ledger.newest(2)] == [digest("c"), digest("b")]


@pytest.mark.parametrize("words", ["a" * 64, "sha256:" + "a" * 64, "aaaa", "a" * 12])
def test_a_release_is_found_by_the_beginning_of_its_digest_or_revision(ledger: Releases, words: str) -> None:
    ledger.record(release("a"))
    ledger.record(release("b", 1))
    assert ledger.find(words).digest == digest("a")


def test_a_revision_finds_its_newest_release(ledger: Releases) -> None:
    ledger.record(release("a", revision="c" * 40))
    ledger.record(release("b", 1, revision="c" * 40))
    assert ledger.find("c" * 40).digest == digest("b")
    assert [found.digest for found in ledger.of_revision("toy", "c" * 40)] == [digest("b"), digest("a")]
    assert ledger.of_revision("geo", "c" * 40) == ()


@pytest.mark.parametrize("words", ["", "aaa", "ffff", "%", "____", "a%aa"])
def test_too_few_or_wild_characters_find_nothing(ledger: Releases, words: str) -> None:
    ledger.record(release("a"))
    with pytest.raises(LedgerError):
        ledger.find(words)


def test_a_build_is_remembered_by_its_inputs(ledger: Releases) -> None:
    assert ledger.built("inputs") is None
    ledger.remember_build("inputs", digest("a"), NOON)
    ledger.remember_build("inputs", digest("b"), NOON)
    assert ledger.built("inputs") == digest("b")


def test_evidence_is_per_digest_kind_and_machine(ledger: Releases) -> None:
    ledger.remember_evidence("toy", digest("a"), "smoke", "cpu-2c", {"passed": True}, NOON)
    assert ledger.evidence(digest("a"), "smoke", "cpu-2c") == {"passed": True}
    assert ledger.evidence(digest("a"), "smoke", "gpu") is None
    assert ledger.evidence(digest("a"), "benchmark", "cpu-2c") is None
    assert ledger.evidence(digest("b"), "smoke", "cpu-2c") is None


def test_all_evidence_shows_the_newest_of_each_kind_and_its_machine(ledger: Releases) -> None:
    ledger.remember_evidence("toy", digest("a"), "smoke", "gpu", {"n": 2}, NOON + timedelta(hours=1))
    ledger.remember_evidence("toy", digest("a"), "smoke", "cpu", {"n": 1}, NOON)
    ledger.remember_evidence("toy", digest("a"), "benchmark", "cpu", {"n": 3}, NOON)
    assert ledger.all_evidence(digest("a")) == {
        "smoke": {"machine": "gpu", "n": 2},
        "benchmark": {"machine": "cpu", "n": 3},
    }


def test_only_what_was_released_is_compared_with(ledger: Releases) -> None:
    for minutes, character in enumerate("abc"):
        ledger.remember_evidence("toy", digest(character), "benchmark", "cpu", {"of": character}, NOON)
        if character != "c":  # c was measured, but did not pass
            ledger.record(release(character, minutes))
    assert ledger.previous_evidence("toy", digest("d"), "benchmark", "cpu") == {"of": "b"}
    assert ledger.previous_evidence("toy", digest("b"), "benchmark", "cpu") == {"of": "a"}
    assert ledger.previous_evidence("toy", digest("d"), "benchmark", "gpu") is None
    assert ledger.previous_evidence("geo", digest("d"), "benchmark", "cpu") is None
