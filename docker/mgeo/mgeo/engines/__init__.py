"""Engines turn tokens into sentence embeddings; they differ in speed and hardware, never in meaning."""

from mgeo.engines.base import Engine, Matrix, TokenIds
from mgeo.engines.loading import ENGINE_NAMES, load_engine

__all__ = ["ENGINE_NAMES", "Engine", "Matrix", "TokenIds", "load_engine"]
