"""An engine without a model: embeddings are hashed character bigrams. For API tests and dry runs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from mgeo.engines.base import Matrix, TokenIds, normalised

_DIMENSION = 64


class StubEngine:
    """Deterministic, instant, and good enough for equal texts to score 1."""

    name = "stub"
    device = "cpu"
    dimension = _DIMENSION
    workers = 1

    def __init__(self, max_tokens: int = 128) -> None:
        self._max_tokens = max_tokens

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        return [[ord(char) for char in text[: self._max_tokens]] for text in texts]

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        matrix = np.zeros((len(batch), _DIMENSION), dtype=np.float32)
        for row, tokens in enumerate(batch):
            for pair in zip(tokens, [*tokens[1:], 0], strict=True):
                matrix[row, zlib.crc32(repr(pair).encode()) % _DIMENSION] += 1
        return normalised(matrix)
