"""Character n-grams of many texts at once, counted with arrays instead of sets and dictionaries."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_BITS: Final = 21
"""A code point fits into so many bits, three of them into one integer."""


def count_ngrams(texts: Sequence[str], length: int) -> tuple[NDArray[np.int64], csr_matrix]:
    """(keys in order, counts [texts, keys] as float32) of the n-grams of *length* characters, at most 3."""
    sizes = np.array([len(text) for text in texts], np.int64)
    characters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32).astype(np.int64)
    owners = np.repeat(np.arange(len(texts)), sizes)
    starts = max(len(characters) - length + 1, 0)
    keys = np.zeros(starts, np.int64)
    for offset in range(length):
        keys = (keys << _BITS) | characters[offset : offset + starts]
    whole = owners[:starts] == owners[length - 1 : length - 1 + starts]
    listed, columns = np.unique(keys[whole], return_inverse=True)
    ones = np.ones(len(columns), np.float32)
    return listed, csr_matrix((ones, (owners[:starts][whole], columns)), (len(texts), len(listed)))


def spelled(key: int, length: int) -> str:
    """The n-gram that a key stands for."""
    mask = (1 << _BITS) - 1
    return "".join(chr(key >> _BITS * place & mask) for place in reversed(range(length)))
