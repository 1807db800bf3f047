"""A bounded memory of recent values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class LruCache(Generic[V]):
    """The most recently used values, together no heavier than *capacity*. For one thread; 0 remembers nothing.

    *weigh* says how much a value counts, by its key.
    """

    def __init__(self, capacity: int, weigh: Callable[[str], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[str, V] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        """Neither counts nor makes the value a recent one."""
        return key in self._values

    def get(self, key: str) -> V | None:
        value = self._values.get(key)
        if value is None:
            self.misses += 1
            return None
        self.hits += 1
        self._values.move_to_end(key)
        return value

    def put(self, key: str, value: V) -> None:
        if key not in self._values:
            self._weight += self._weigh(key)
        self._values[key] = value
        self._values.move_to_end(key)
        while self._weight > self._capacity:
            oldest, _ = self._values.popitem(last=False)
            self._weight -= self._weigh(oldest)
