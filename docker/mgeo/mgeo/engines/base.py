"""The protocol every engine speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
TokenIds = list[int]


class Engine(Protocol):
    """A loaded model. `encode` may be called from *workers* threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def workers(self) -> int:
        """How many batches run side by side at best speed."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids with special tokens, cut at the model's sequence length; one list per text."""
        ...

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        """[n, dimension], rows of length 1, in the order of *batch*."""
        ...


def normalised(matrix: Matrix) -> Matrix:
    """Rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, 1e-12), dtype=np.float32)


def padded(batch: Sequence[TokenIds], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and attention mask, both [n, longest]."""
    width = max(1, *map(len, batch))
    ids = np.full((len(batch), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(batch), width), dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return ids, mask
