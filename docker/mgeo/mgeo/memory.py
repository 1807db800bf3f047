"""Memory beside a model that stays: the garbage collector's and the C library's."""

import ctypes
import gc

_VALUES_BETWEEN_COLLECTIONS = 10_000


def settle_memory() -> None:
    """What is loaded stays until the end, and a large batch makes thousands of values that soon go by themselves.

    What loading needed beyond that goes back to the system, where the C library can do so (glibc).
    """
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
    gc.freeze()
    gc.set_threshold(_VALUES_BETWEEN_COLLECTIONS)
