"""What is remembered, and how much of it."""

from __future__ import annotations

from mgeo.cache import LruCache


def test_what_was_used_last_stays() -> None:
    cache = LruCache[int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)


def test_a_heavy_value_takes_the_place_of_several() -> None:
    cache = LruCache[int](10, len)
    for key in ("aaa", "bbb", "ccc", "dddddd"):
        cache.put(key, 0)
    assert ("aaa" in cache, "bbb" in cache, "ccc" in cache, "dddddd" in cache) == (False, False, True, True)


def test_a_value_put_again_counts_once() -> None:
    cache = LruCache[int](6, len)
    for value in range(5):
        cache.put("aaa", value)
    cache.put("bbb", 0)
    assert (cache.get("aaa"), len(cache)) == (4, 2)


def test_what_is_too_heavy_alone_is_not_kept() -> None:
    cache = LruCache[int](3, len)
    cache.put("aaaa", 0)
    assert len(cache) == 0
    assert "aaaa" not in cache
