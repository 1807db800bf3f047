"""The unit of training and evaluation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and how they relate: 0 different, 1 partial, 2 match; *group* is the query, *region* its province."""

    a: str
    b: str
    label: int
    group: int
    region: str = ""
    perturbations: tuple[str, ...] = ()
    decisive: bool = False
    """Made to differ in one element; such pairs are too frequent to set thresholds by."""
