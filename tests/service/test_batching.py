"""Which texts share a batch: pure arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mgeo.batching import choose, fair_budget, spare_tokens, split

lengths = st.lists(st.integers(0, 600), min_size=1, max_size=80)
budgets = st.integers(1, 2048)
spares = st.integers(0, 64)


def padded(chosen: list[int], sizes: list[int]) -> int:
    return len(chosen) * max(sizes[i] for i in chosen)


@given(lengths, budgets, spares)
def test_a_batch_holds_the_oldest_and_fits_the_budget(sizes: list[int], budget: int, spare: int) -> None:
    chosen = choose(sizes, budget, spare)
    assert 0 in chosen
    assert len(set(chosen)) == len(chosen)
    assert len(chosen) == 1 or padded(chosen, sizes) <= budget


@given(lengths, budgets, spares)
def test_a_batch_takes_neighbours_in_length(sizes: list[int], budget: int, spare: int) -> None:
    chosen = choose(sizes, budget, spare)
    inside = range(min(sizes[i] for i in chosen) + 1, max(sizes[i] for i in chosen))
    assert not [i for i in range(len(sizes)) if i not in chosen and sizes[i] in inside]


@given(lengths, budgets, spares)
def test_split_loses_nothing_and_keeps_the_budget(sizes: list[int], budget: int, spare: int) -> None:
    batches = split(sizes, budget, spare)
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert all(len(batch) == 1 or padded(batch, sizes) <= budget for batch in batches)


@given(lengths, budgets, spares)
def test_no_text_brings_more_padding_than_is_spare(sizes: list[int], budget: int, spare: int) -> None:
    for batch in split(sizes, budget, spare):
        rising = [sizes[i] for i in batch]
        assert rising == sorted(rising)
        assert all(n * (rising[n] - rising[n - 1]) <= spare for n in range(1, len(rising)))


def test_equal_lengths_fill_the_budget() -> None:
    assert len(choose([16] * 40, 256, 4)) == 16


def test_a_long_text_does_not_ride_with_short_ones() -> None:
    assert choose([100, 5, 5, 5], 256, 4) == [0]


def test_a_fair_share_of_a_budget_may_be_padded_as_much_as_a_full_one() -> None:
    assert len(choose([8, 5, 6, 7, 9], fair_budget(70, 2, 256), spare_tokens(256))) > 2


def test_one_pair_is_shared_by_two_idle_workers() -> None:
    first = choose([20, 20], fair_budget(40, 2, 256), 4)
    assert len(first) == 1


def test_a_lone_worker_takes_all_it_can() -> None:
    assert choose([13, 9], fair_budget(22, 1, 256), 4) == [1, 0]
