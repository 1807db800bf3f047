"""Python's garbage collector beside a model that stays."""

import gc

_VALUES_BETWEEN_COLLECTIONS = 10_000


def spare_the_collector() -> None:
    """What is loaded stays until the end, and a large batch makes thousands of values that soon go by themselves."""
    gc.freeze()
    gc.set_threshold(_VALUES_BETWEEN_COLLECTIONS)
