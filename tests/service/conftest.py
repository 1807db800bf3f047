"""Models to test with: a tiny BERT encoder with random weights in the shapes folders come in, and the default model."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

_SERVICE = Path(__file__).parents[2] / "docker" / "mgeo"
_CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache" / "slipway") / "tests"
_KEPT = 3
_CHARACTERS = "北京市海淀区中关村大街上路弄号楼单元室南门小区花园0123456789"


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shape of an original MGeo checkpoint: config.json, vocab.txt, weights; no modules.json, no tokenizer.json."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(_CHARACTERS)]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    torch.manual_seed(7)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **shape)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


@pytest.fixture(scope="session")
def onnx_folder(bert_folder: Path) -> Path:
    """The same folder with onnx/model.onnx and onnx/model_int8.onnx that give token embeddings."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(bert_folder, attn_implementation="eager").eval()

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return hidden

    target = bert_folder / "onnx"
    target.mkdir()
    ones = torch.ones(2, 4, dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        Tokens(),
        (ones, ones),
        str(target / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "n", 1: "t"} for name in (*names, "last_hidden_state")},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(target / "model.onnx", target / "model_int8.onnx", weight_type=QuantType.QInt8)
    return bert_folder


@pytest.fixture(scope="session")
def default_model() -> Path:
    """What `python -m training` makes; read-only. Trained once per state of the code that decides its content."""
    from training.train import Options, train

    folder = _CACHE / f"mgeo-{_training_key()}"
    if not folder.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE, prefix=".training-") as unfinished:
            train(Options(Path(unfinished) / "model", 0, 0), lambda _: None)
            try:
                (Path(unfinished) / "model").rename(folder)
            except OSError:  # another run was faster; equal inputs make equal models
                if not folder.exists():
                    raise
        for old in sorted(_CACHE.glob("mgeo-*"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _training_key() -> str:
    digest = hashlib.sha256()
    for root in ("training", "mgeo/addresses", "mgeo/scoring"):
        for path in sorted((_SERVICE / root).rglob("*")):
            if path.suffix in (".py", ".yaml"):
                digest.update(f"{path.relative_to(_SERVICE)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:24]
