"""Every engine gives the same meaning; folders of all known shapes load; damaged ones say what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mgeo.engines import load_engine
from mgeo.problems import ModelError
from sentence_transformers import SentenceTransformer

TEXTS = ["北京市海淀区中关村大街1号", "海淀中关村大街", "上路弄88号2号楼3单元", "กขค", "一"]


def engine(name: str, folder: Path, **options: int):  # type: ignore[no-untyped-def]
    return load_engine(name, folder, device="cpu", **{"max_tokens": 48, **options})


def vectors(name: str, folder: Path):  # type: ignore[no-untyped-def]
    loaded = engine(name, folder)
    return loaded.encode(loaded.tokenize(TEXTS))


def test_a_plain_bert_folder_embeds_like_sentence_transformers(bert_folder: Path) -> None:
    wanted = SentenceTransformer(str(bert_folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    assert np.allclose(vectors("torch", bert_folder), wanted, atol=1e-5)


def test_onnx_agrees_with_torch(onnx_folder: Path) -> None:
    assert np.allclose(vectors("onnx", onnx_folder), vectors("torch", onnx_folder), atol=1e-4)


def test_int8_stays_close(onnx_folder: Path) -> None:
    cosine = (vectors("onnx-int8", onnx_folder) * vectors("onnx", onnx_folder)).sum(axis=1)
    assert cosine.min() > 0.97


@pytest.mark.parametrize("name", ["onnx", "torch", "stub"])
def test_a_batch_gives_what_single_texts_give(onnx_folder: Path, name: str) -> None:
    loaded = engine(name, onnx_folder)
    tokens = loaded.tokenize(TEXTS)
    alone = np.concatenate([loaded.encode([ids]) for ids in tokens])
    assert np.allclose(loaded.encode(tokens), alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)


def test_long_texts_are_cut_at_what_the_model_was_made_for(onnx_folder: Path) -> None:
    (ids,) = engine("onnx", onnx_folder, max_tokens=5000).tokenize(["路" * 400])
    assert len(ids) == 64


@pytest.mark.parametrize("mode", ["cls_token", "max_tokens", "mean_tokens"])
def test_pooling_follows_the_folder(onnx_folder: Path, tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(onnx_folder, folder)
    SentenceTransformer(str(onnx_folder), device="cpu").save(str(folder))
    config = {
        "word_embedding_dimension": 32,
        **{f"pooling_mode_{m}": m == mode for m in ("cls_token", "max_tokens", "mean_tokens")},
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    assert np.allclose(vectors("onnx", folder), vectors("torch", folder), atol=1e-4)


def test_missing_files_are_named(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder, ignore=shutil.ignore_patterns("onnx"))
    with pytest.raises(ModelError, match=r"onnx/model\.onnx"):
        engine("onnx", folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(ModelError, match=r"vocab\.txt"):
        engine("torch", folder)


def test_damaged_files_are_named(onnx_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(onnx_folder, folder)
    (folder / "onnx/model.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded"):
        engine("onnx", folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="tokenizer"):
        engine("onnx", folder)
    (folder / "config.json").write_text("[")
    with pytest.raises(ModelError):
        engine("torch", folder)


def test_an_image_without_torch_says_so(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mgeo.engines.torch", None)
    with pytest.raises(ModelError, match="torch or cuda flavour"):
        engine("torch", bert_folder)
