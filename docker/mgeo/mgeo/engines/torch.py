"""sentence-transformers on torch: CPU or CUDA. Loads any BERT-type encoder folder, with or without modules.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from mgeo.cpus import usable_cpus
from mgeo.engines.base import Matrix, TokenIds, normalised, padded
from mgeo.engines.tokens import FolderTokenizer
from mgeo.problems import ModelError


class TorchEngine:
    """A folder without modules.json (an original MGeo checkpoint, say) gets mean pooling."""

    name = "torch"
    # torch splits each operator over the cores itself, and a GPU runs one batch at a time
    workers = 1

    def __init__(self, folder: Path, *, device: str = "cpu", max_tokens: int = 128) -> None:
        self.device = device
        self._tokenizer = FolderTokenizer(folder, max_tokens)
        torch.set_num_threads(usable_cpus())
        try:
            self._model = SentenceTransformer(str(folder), device=device, local_files_only=True).eval()
        except Exception as error:  # a damaged folder fails in as many ways as there are file formats
            raise ModelError(f"{folder} cannot be loaded by sentence-transformers: {error}") from error
        self.dimension = self.encode([[self._tokenizer.pad_id] * 4]).shape[1]

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        return self._tokenizer(texts)

    def encode(self, batch: Sequence[TokenIds]) -> Matrix:
        with torch.inference_mode():
            embedding = self._model(self._features(batch))["sentence_embedding"]
        return normalised(np.asarray(embedding.float().cpu().numpy()))

    def _features(self, batch: Sequence[TokenIds]) -> dict[str, torch.Tensor]:
        """Padded rows for an encoder; one long row with offsets for a table of static token vectors."""
        if isinstance(self._model[0], StaticEmbedding):
            offsets = np.cumsum([0, *map(len, batch[:-1])])
            flat = np.asarray([token for tokens in batch for token in tokens], dtype=np.int64)
            return {"input_ids": self._tensor(flat), "offsets": self._tensor(offsets)}
        ids, mask = padded(batch, self._tokenizer.pad_id)
        return {"input_ids": self._tensor(ids), "attention_mask": self._tensor(mask)}

    def _tensor(self, values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device)
