"""What cleaning up takes first, how far it goes, and what it never touches."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from slipway.host.removal import Candidate, CleanupReport, Kind, Removed, choose, lease_name

NOW = datetime(2026, 11, 20, tzinfo=UTC)
IDLE_SINCE = NOW - timedelta(minutes=15)
DISK, OTHER = 1, 2
A, B = "127.0.0.1:5050/mgeo@sha256:" + "a" * 64, "127.0.0.1:5050/mgeo@sha256:" + "b" * 64


def candidate(kind: Kind, name: str, hours: float, size: int = 10, device: int = DISK) -> Candidate:
    return Candidate(kind, name, size, NOW - timedelta(hours=hours), device)


def chosen(candidates: list[Candidate], goal: int = 1000, protected: frozenset[str] = frozenset()) -> list[str]:
    return [each.name for each in choose(candidates, protected, {DISK: goal}, IDLE_SINCE)]


def test_the_least_recently_used_image_goes_first_and_no_more_than_needed() -> None:
    images = [candidate(Kind.IMAGE, A, 1), candidate(Kind.IMAGE, B, 5)]
    assert chosen(images, goal=10) == [B]
    assert chosen(images, goal=11) == [B, A]


def test_a_leased_image_stays_under_every_name_it_has() -> None:
    elsewhere = A.replace("127.0.0.1:5050", "registry.example")
    assert chosen([candidate(Kind.IMAGE, elsewhere, 9)], protected=frozenset({A})) == []


def test_what_was_used_a_moment_ago_stays() -> None:
    assert chosen([candidate(Kind.IMAGE, A, 0.2), candidate(Kind.WHEELHOUSE, "k", 0)]) == []


def test_cheap_things_go_before_dear_ones_however_recently_used() -> None:
    found = [
        candidate(Kind.LAYERS, "all", 99),
        candidate(Kind.WHEELHOUSE, "wheels", 50),
        candidate(Kind.IMAGE, A, 1),
        candidate(Kind.CHECKOUT, "left", 30),
    ]
    assert chosen(found) == ["left", A, "wheels", "all"]


def test_the_newest_model_and_the_newest_of_each_base_stay() -> None:
    found = [
        candidate(Kind.MODEL, "old-model", 9),
        candidate(Kind.MODEL, "new-model", 8),
        candidate(Kind.BASE, "slim-1111", 7),
        candidate(Kind.BASE, "slim-2222", 6),
        candidate(Kind.BASE, "harbour-3333", 99),
    ]
    assert chosen(found) == ["old-model", "slim-1111"]


def test_the_model_of_a_live_release_stays_even_when_newer_ones_exist() -> None:
    found = [candidate(Kind.MODEL, "live", 9), candidate(Kind.MODEL, "old", 8), candidate(Kind.MODEL, "new", 7)]
    assert chosen(found, protected=frozenset({lease_name(Kind.MODEL, "live")})) == ["old"]


def test_a_wheelhouse_lease_protects_no_model_of_the_same_key() -> None:
    found = [candidate(Kind.MODEL, "k", 9), candidate(Kind.MODEL, "new", 1), candidate(Kind.WHEELHOUSE, "k", 9)]
    assert chosen(found, protected=frozenset({lease_name(Kind.WHEELHOUSE, "k")})) == ["k"]
    assert choose(found, frozenset({lease_name(Kind.WHEELHOUSE, "k")}), {DISK: 99}, IDLE_SINCE)[0].kind is Kind.MODEL


def test_only_disks_with_a_goal_lose_anything() -> None:
    found = [candidate(Kind.IMAGE, A, 9, device=OTHER), candidate(Kind.IMAGE, B, 5)]
    assert chosen(found) == [B]
    assert choose(found, frozenset(), {DISK: 0}, IDLE_SINCE) == ()


@given(
    hours=st.lists(st.floats(min_value=0, max_value=1000), max_size=20),
    keep=st.sets(st.integers(min_value=0, max_value=19)),
    goal=st.integers(min_value=0, max_value=300),
)
def test_nothing_protected_or_fresh_is_ever_chosen(hours: list[float], keep: set[int], goal: int) -> None:
    found = [candidate(Kind.IMAGE, f"r/x@sha256:{i:064x}", age, size=7) for i, age in enumerate(hours)]
    protected = frozenset(each.name for i, each in enumerate(found) if i in keep)
    picked = choose(found, protected, {DISK: goal}, IDLE_SINCE)
    assert not {each.name for each in picked} & protected
    assert all(each.last_used <= IDLE_SINCE for each in picked)
    assert sum(each.bytes for each in picked[:-1]) < max(goal, 1)
    assert list(picked) == sorted(picked, key=lambda each: (each.last_used, each.name))


def test_the_report_counts_per_kind_and_names_what_stayed() -> None:
    removed = (Removed(Kind.IMAGE, A, 2_000_000_000), Removed(Kind.IMAGE, B, 0), Removed(Kind.MODEL, "m", 5_000_000))
    report = CleanupReport(removed, failed=(("x", "a container uses it"),))
    assert report.freed_bytes == 2_005_000_000
    assert "| image | 2 | 2.0 GB |" in report.to_markdown()
    assert "| model | 1 | 5.0 MB |" in report.to_markdown()
    assert "`x` stayed: a container uses it" in report.to_markdown()
    assert CleanupReport().in_words() == "nothing could be removed"
