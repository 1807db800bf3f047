"""ONNX Runtime on the CPU, fp32 or int8.

One thread per batch and several batches at once: on short texts that beats splitting each operator over the cores,
because no operator has to wait for its slowest part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mgeo.cpus import usable_cpus
from mgeo.engines.base import Matrix, TokenIds, normalised, padded
from mgeo.engines.tokens import FolderTokenizer, read_json
from mgeo.problems import ModelError

_FILES = {
    "onnx": ("onnx/model.onnx", "model.onnx"),
    "onnx-int8": ("onnx/model_int8.onnx", "onnx/model_quantized.onnx", "onnx/model_qint8_avx512.onnx"),
}
_OWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
Pooling = Callable[[Matrix, NDArray[np.int64]], Matrix]


class OnnxEngine:
    """Loads `onnx/model*.onnx` of a sentence-transformers folder."""

    device = "cpu"

    def __init__(self, folder: Path, *, name: str = "onnx", max_tokens: int = 128, workers: int = 0) -> None:
        self.name = name
        self.workers = workers or usable_cpus()
        self._tokenizer = FolderTokenizer(folder, max_tokens)
        self._session = _open(_find(folder, name))
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        self._output, self._pool = _choose_output(self._session, folder)
        self.dimension = self.encode([[self._tokenizer.pad_id] * 4]).shape[1]

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        return self._tokenizer(texts)

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        ids, mask = padded(batch, self._tokenizer.pad_id)
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = np.zeros_like(ids)
        (output,) = self._session.run([self._output], feeds)
        return normalised(self._pool(output, mask) if self._pool else output)


def _find(folder: Path, name: str) -> Path:
    for candidate in _FILES[name]:
        if (folder / candidate).exists():
            return folder / candidate
    raise ModelError(f"engine {name} needs {_FILES[name][0]} in {folder}, and there is none")


def _open(path: Path) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class
        raise ModelError(f"{path.name} cannot be loaded: {error}") from error
    unknown = {entry.name for entry in session.get_inputs()} - _OWN_INPUTS
    if unknown:
        raise ModelError(f"{path.name} wants inputs nobody can give: {', '.join(sorted(unknown))}")
    return session


def _choose_output(session: Any, folder: Path) -> tuple[str, Pooling | None]:
    """The sentence embedding when the graph has one, else token embeddings and how to pool them."""
    outputs = {entry.name: len(entry.shape) for entry in session.get_outputs()}
    if "sentence_embedding" in outputs:
        return "sentence_embedding", None
    for name, rank in outputs.items():
        if rank == 3:
            return name, _pooling(folder)
    raise ModelError(f"the ONNX model has neither sentence nor token embeddings, only {', '.join(outputs)}")


def _pooling(folder: Path) -> Pooling:
    config = read_json(folder / "1_Pooling" / "config.json")
    chosen = [mode for mode in _POOLINGS if config.get(f"pooling_mode_{mode}")] or ["mean_tokens"]
    return _POOLINGS[chosen[0]]


def _mean(tokens: Matrix, mask: NDArray[np.int64]) -> Matrix:
    weights = mask.astype(np.float32)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(np.matmul(weights[:, None, :], tokens)[:, 0])


def _first(tokens: Matrix, mask: NDArray[np.int64]) -> Matrix:  # noqa: ARG001 - the signature of a pooling
    return np.asarray(tokens[:, 0], dtype=np.float32)


def _maximum(tokens: Matrix, mask: NDArray[np.int64]) -> Matrix:
    return np.asarray(np.where(mask[:, :, None] > 0, tokens, -np.inf).max(axis=1), dtype=np.float32)


_POOLINGS: dict[str, Pooling] = {"mean_tokens": _mean, "cls_token": _first, "max_tokens": _maximum}
