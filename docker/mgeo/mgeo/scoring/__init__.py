"""Compare pairs of Chinese addresses: score, verdict, differing elements. Standard library and numpy only."""

from mgeo.scoring.differences import Difference
from mgeo.scoring.prepared import Prepared
from mgeo.scoring.scorer import PairScorer, Thresholds, Verdict

__all__ = ["Difference", "PairScorer", "Prepared", "Thresholds", "Verdict"]
