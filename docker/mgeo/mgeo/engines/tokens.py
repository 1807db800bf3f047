"""The tokenizer of a model folder, with or without a ready-made tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from mgeo.engines.base import TokenIds
from mgeo.engines.characters import character_ids
from mgeo.problems import ModelError


class FolderTokenizer:
    """Thread-safe: the underlying tokenizer is configured once and only read afterwards."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self._tokenizer = _load(folder)
        self._tokenizer.no_padding()
        self._limit = min(max_tokens, sequence_limit(folder))
        self._tokenizer.enable_truncation(self._limit)
        self._characters = character_ids(read_json(folder / "tokenizer.json"))
        self.pad_id: int = int(read_json(folder / "config.json").get("pad_token_id") or 0)

    def __call__(self, texts: Sequence[str]) -> list[TokenIds]:
        found = [self._by_character(text) for text in texts]
        others = [text for text, ids in zip(texts, found, strict=True) if ids is None]
        encoded = iter(self._tokenizer.encode_batch_fast(others) if others else ())
        return [next(encoded).ids if ids is None else ids for ids in found]

    def _by_character(self, text: str) -> TokenIds | None:
        """None when only the tokenizer knows."""
        if not self._characters:
            return None
        ids = [*map(self._characters.get, text)]
        return None if None in ids else cast(TokenIds, ids[: self._limit])


def sequence_limit(folder: Path) -> int:
    """The longest input the model was made for, in tokens."""
    stated = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    return int(stated or read_json(folder / "config.json").get("max_position_embeddings") or 512)


def read_json(path: Path) -> dict[str, Any]:
    """The object in *path*; {} when there is no such file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{path.name} in the model folder is not readable JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path.name} in the model folder holds no JSON object")
    return content


def _load(folder: Path) -> Any:
    ready, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
    try:
        if ready.exists():
            return Tokenizer.from_file(str(ready))
        if vocabulary.exists():
            return _bert_tokenizer(vocabulary, lowercase=_lowercase(folder))
    except Exception as error:  # the Rust library raises bare Exception
        raise ModelError(f"the tokenizer in {folder} cannot be read: {error}") from error
    raise ModelError(f"no tokenizer.json and no vocab.txt in {folder}")


def _lowercase(folder: Path) -> bool:
    return bool(read_json(folder / "tokenizer_config.json").get("do_lower_case", True))


def _bert_tokenizer(vocabulary: Path, *, lowercase: bool) -> Any:
    tokenizer = Tokenizer(models.WordPiece.from_file(str(vocabulary), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=specials
    )
    return tokenizer
