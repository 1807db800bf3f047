"""Picks an engine by name; heavy libraries are imported only for the engine that needs them."""

from __future__ import annotations

from pathlib import Path

from mgeo.engines.base import Engine
from mgeo.engines.stub import StubEngine
from mgeo.problems import ModelError

ENGINE_NAMES = ("onnx", "onnx-int8", "torch", "stub")


def load_engine(name: str, folder: Path, *, device: str, max_tokens: int, workers: int = 0) -> Engine:
    """Raises ModelError when the folder does not hold what the engine needs."""
    if name == "stub":
        return StubEngine(max_tokens)
    if name == "torch":
        try:
            from mgeo.engines.torch import TorchEngine
        except ImportError as error:
            raise ModelError(
                f"this image has no torch ({error}); use the torch or cuda flavour, or engine onnx"
            ) from error
        return TorchEngine(folder, device=device, max_tokens=max_tokens)
    from mgeo.engines.onnx import OnnxEngine

    return OnnxEngine(folder, name=name, max_tokens=max_tokens, workers=workers)
