"""The encoder as ONNX: input_ids and attention_mask [n, t] in, L2-normalised sentence_embedding [n, d] out."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

OPSET: Final = 17


class _Static(torch.nn.Module):
    """Mean of the tokens' vectors, padding left out."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        keep = attention_mask.unsqueeze(-1).to(self.weight.dtype)
        mean = (self.weight[input_ids] * keep).sum(1) / keep.sum(1).clamp(min=1.0)
        return torch.nn.functional.normalize(mean, dim=1)


class _Layers(torch.nn.Module):
    """Any other sentence-transformers model, with its own pooling."""

    def __init__(self, encoder: SentenceTransformer) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        made: dict[str, Any] = self.encoder({"input_ids": input_ids, "attention_mask": attention_mask})
        return torch.nn.functional.normalize(made["sentence_embedding"], dim=1)


def export_onnx(encoder: SentenceTransformer, path: Path) -> None:
    """Write *encoder* to *path*; the graph holds no path and no time, so equal weights give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = encoder.to("cpu").eval()
    static = isinstance(encoder[0], StaticEmbedding)
    module = _Static(encoder[0].embedding.weight.detach().clone()) if static else _Layers(encoder)
    ids = torch.ones(2, 7, dtype=torch.long)
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0  # an all-ones example would let the tracer drop the mask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_embedding"],
            dynamic_axes={
                "input_ids": {0: "n", 1: "t"},
                "attention_mask": {0: "n", 1: "t"},
                "sentence_embedding": {0: "n"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def quantise(source: Path, target: Path) -> None:
    quantize_dynamic(source, target, weight_type=QuantType.QInt8)


def embed_with(model: Path, tokenizer_file: Path, texts: list[str], batch: int = 256) -> NDArray[np.float32]:
    """Embeddings [n, d] of *texts* as the service computes them, for checking an export against its source."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(texts), batch):
        rows = tokenizer.encode_batch(texts[start : start + batch])
        fed = {
            "input_ids": np.array([r.ids for r in rows], np.int64),
            "attention_mask": np.array([r.attention_mask for r in rows], np.int64),
        }
        parts.append(session.run(["sentence_embedding"], fed)[0])
    return np.concatenate(parts).astype(np.float32)
