"""Write a model folder: encoder, ONNX, scorer, divisions, report, model card, manifest."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from mgeo.addresses import Division
from mgeo.scoring.scorer import PairScorer
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from training.card import model_card
from training.divisions import write_divisions
from training.encoder import Say
from training.evaluate import auc, labels_of
from training.onnx_export import embed_with, export_onnx, quantise
from training.report import as_markdown
from training.scorer import Material, features

INT8_BUDGET: Final = 0.002
"""Largest loss of related AUC at which the int8 model may ship."""
EXPORT_TOLERANCE: Final = 1e-4
MANIFEST: Final = "manifest.json"


class ExportError(RuntimeError):
    """The ONNX model does not compute what the encoder computes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model was made from."""

    seed: int
    timestamp: int
    budget: str
    base: Path | None
    labelled_pairs: int

    @property
    def version(self) -> str:
        """<base>-<finetune>-<timestamp>."""
        base = self.base.resolve().name if self.base else "mgeo"
        made = "labelled" if self.labelled_pairs else "generated"
        return f"{base}-{made}-{datetime.fromtimestamp(self.timestamp, UTC):%Y%m%d%H%M%S}"


def write_folder(
    target: Path,
    facts: Facts,
    encoder: SentenceTransformer,
    scorer: PairScorer,
    divisions: list[Division],
    checked: Material,
    report: dict[str, Any],
    say: Say,
) -> str:
    """Write everything below *target*, replacing what an earlier training left there; returns the version."""
    _clear(target)
    encoder.to("cpu").save(str(target), create_model_card=False)
    tokenizer = target / "tokenizer.json"
    export_onnx(encoder, target / "onnx" / "model.onnx")
    _same_as_encoder(encoder, target, [p.b for p in checked.pairs[:256]])
    write_divisions(divisions, target / "divisions.tsv")
    _json(target / "scoring.json", scorer.to_json(), indent=None)
    report = report | {"int8": _int8(target, tokenizer, scorer, checked, say)}
    _json(target / "report.json", report)
    (target / "report.md").write_text(as_markdown(report), encoding="utf-8")
    (target / "README.md").write_text(
        model_card(facts.version, facts.budget, facts.labelled_pairs, report), encoding="utf-8"
    )
    _write_manifest(target, facts, report)
    say(f"wrote {facts.version} to {target}")
    return facts.version


def _clear(target: Path) -> None:
    """Only a folder that a training wrote is replaced."""
    if target.exists() and any(target.iterdir()):
        if not (target / MANIFEST).is_file():
            raise FileExistsError(f"{target} is not empty and holds no {MANIFEST}: name an empty folder")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)


def _same_as_encoder(encoder: SentenceTransformer, target: Path, texts: list[str]) -> None:
    wanted = encoder.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    got = embed_with(target / "onnx" / "model.onnx", target / "tokenizer.json", texts)
    if (gap := float(np.abs(wanted - got).max())) > EXPORT_TOLERANCE:
        raise ExportError(f"onnx/model.onnx differs from the encoder by {gap:.5f}, more than {EXPORT_TOLERANCE}")


def _int8(target: Path, tokenizer: Path, scorer: PairScorer, checked: Material, say: Say) -> dict[str, Any]:
    """Make the int8 model and keep it only when it costs no more than `INT8_BUDGET`."""
    full, small = target / "onnx" / "model.onnx", target / "onnx" / "model_int8.onnx"
    quantise(full, small)
    related = labels_of(checked.pairs) >= 1
    rows = features(scorer, checked)
    losses = []
    for model in (full, small):
        rows[:, 0] = _cosines(model, tokenizer, checked)
        losses.append(auc(scorer.score_rows(rows), related))
    loss = round(losses[0] - losses[1], 5)
    kept = loss <= INT8_BUDGET
    if not kept:
        small.unlink()
    say(f"int8: related AUC {losses[1]} against {losses[0]}, {'kept' if kept else 'dropped'}")
    return {"related_auc_loss": loss, "budget": INT8_BUDGET, "kept": kept}


def _cosines(model: Path, tokenizer: Path, material: Material) -> NDArray[np.float32]:
    texts = list(dict.fromkeys(text for pair in material.pairs for text in (pair.a, pair.b)))
    vectors = embed_with(model, tokenizer, texts)
    place = {text: i for i, text in enumerate(texts)}
    left = vectors[[place[pair.a] for pair in material.pairs]]
    right = vectors[[place[pair.b] for pair in material.pairs]]
    return np.asarray((left * right).sum(axis=1), np.float32)


def _write_manifest(target: Path, facts: Facts, report: dict[str, Any]) -> None:
    files = {
        path.relative_to(target).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    made = {"seed": facts.seed, "budget": facts.budget, "labelled_pairs": facts.labelled_pairs}
    _json(target / MANIFEST, {"version": facts.version, **made, "metrics": report["overall"], "files": files})


def _json(path: Path, value: Any, indent: int | None = 2) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")
