"""Boosted trees as plain arrays, evaluated for many rows at once with numpy alone."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE: Final = 128
_MOST_LEAVES: Final = 64
Masks = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class _Stacked:
    """The same trees side by side, so that all comparisons happen at once and not one level after the other.

    A tree's leaves are numbered from left to right, one bit each. An inner node that sends a row to the right rules
    out the leaves on its left (`kept` has the others); the row ends in the first leaf that no node rules out. Columns
    of the first three run over the trees' first inner nodes, then over their second ones, and so on.
    """

    feature: NDArray[np.intp]
    threshold: NDArray[np.float32]
    kept: Masks
    values: NDArray[np.float64]
    """[trees, leaves]"""


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees laid end to end; node i goes to left[i] when row[feature[i]] <= threshold[i], else to right[i].

    A leaf points at itself on both sides. The prediction is sigmoid(base + sum of the leaves' values).
    """

    base: float
    depth: int
    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    _stacked: _Stacked = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stacked", _stack(self))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Forest":
        """Raises KeyError or ValueError when *data* is not what `to_json` wrote."""
        return cls(
            base=float(data["base"]),
            depth=int(data["depth"]),
            roots=np.asarray(data["roots"], np.int32),
            feature=np.asarray(data["feature"], np.int32),
            threshold=np.asarray(data["threshold"], np.float64),
            left=np.asarray(data["left"], np.int32),
            right=np.asarray(data["right"], np.int32),
            value=np.asarray(data["value"], np.float64),
        )

    def to_json(self) -> dict[str, Any]:
        arrays = ("roots", "feature", "left", "right", "threshold", "value")
        return {"base": self.base, "depth": self.depth} | {k: getattr(self, k).tolist() for k in arrays}

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities [n] for *rows* [n, features]."""
        parts = [self._raw(rows[i : i + _ROWS_AT_ONCE]) for i in range(0, len(rows), _ROWS_AT_ONCE)]
        raw = np.concatenate(parts) if parts else np.zeros(0)
        return np.asarray(1.0 / (1.0 + np.exp(-raw)))

    def _raw(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        trees = self._stacked
        goes_left = rows.take(trees.feature, axis=1) <= trees.threshold
        left = np.where(goes_left, ~trees.kept.dtype.type(0), trees.kept)
        open_leaves = np.bitwise_and.reduce(left.reshape(len(rows), -1, len(trees.values)), axis=1)
        first = np.frexp((open_leaves & -open_leaves).astype(np.float64))[1] - 1
        return np.asarray(self.base + trees.values[np.arange(len(trees.values)), first].sum(axis=1))


def _stack(forest: Forest) -> _Stacked:
    trees = [_Tree.read(forest, int(root)) for root in forest.roots]
    width = max((len(tree.leaves) for tree in trees), default=1)
    if width > _MOST_LEAVES:
        raise ValueError(f"a tree has {width} leaves, more than {_MOST_LEAVES}")
    bits = 16 if width <= 16 else 32 if width <= 32 else 64
    everything = (1 << bits) - 1
    shape = (max(width - 1, 1), len(trees))
    feature, threshold = np.zeros(shape, np.intp), np.full(shape, np.inf)
    kept, values = np.full(shape, everything, f"uint{bits}"), np.zeros((len(trees), width))
    for column, tree in enumerate(trees):
        nodes = [node for node, _ in tree.inner]
        feature[: len(nodes), column] = forest.feature[nodes]
        threshold[: len(nodes), column] = forest.threshold[nodes]
        kept[: len(nodes), column] = [everything & ~ruled_out for _, ruled_out in tree.inner]
        values[column, : len(tree.leaves)] = forest.value[tree.leaves]
    return _Stacked(feature.ravel(), _rounded_down(threshold.ravel()), kept.ravel(), values)


@dataclass(frozen=True, slots=True)
class _Tree:
    """Inner nodes, each with the bits of the leaves on its left; leaves from left to right."""

    inner: list[tuple[int, int]]
    leaves: list[int]

    @classmethod
    def read(cls, forest: Forest, root: int) -> "_Tree":
        tree = cls([], [])
        tree._visit(forest, root)
        return tree

    def _visit(self, forest: Forest, node: int) -> None:
        left, right = int(forest.left[node]), int(forest.right[node])
        if left == node:
            self.leaves.append(node)
            return
        before = len(self.leaves)
        self._visit(forest, left)
        self.inner.append((node, (1 << len(self.leaves)) - (1 << before)))
        self._visit(forest, right)


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above: for a float32 x, x <= threshold stays exactly as it was."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
