"""Looking characters up gives what the tokenizer gives, or leaves the text to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mgeo.engines.characters import character_ids
from mgeo.engines.tokens import FolderTokenizer
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

_CHARACTERS = ["[PAD]", "[UNK]", *"路号栋abz019#-(é门"]


def _tokenizer(**parts: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({c: i for i, c in enumerate(_CHARACTERS)}, unk_token="[UNK]"))
    steps = [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), "")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("characters")
    _tokenizer().save(str(made / "tokenizer.json"))
    return made


_ANY = st.one_of(st.sampled_from("".join(_CHARACTERS) + " AB\n\u0301Ａ㎡ﬁ号"), st.characters(codec="utf-8"))


@settings(max_examples=300, deadline=None)
@given(text=st.text(_ANY, max_size=40))
@example(text="路" * 21 + "e\u0301")
@example(text="[UNK]路")
def test_every_text_gets_the_tokenizers_own_ids(folder: Path, text: str) -> None:
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.enable_truncation(20)
    assert FolderTokenizer(folder, 20)([text, "路1号"]) == [plain.encode(text).ids, plain.encode("路1号").ids]


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": pre_tokenizers.Whitespace()},
        {"normalizer": normalizers.Replace("路", "号")},
        {"post_processor": processors.TemplateProcessing(single="[PAD] $A", special_tokens=[("[PAD]", 0)])},
    ],
)
def test_a_tokenizer_that_does_more_is_left_alone(parts: dict[str, Any]) -> None:
    assert character_ids(json.loads(_tokenizer(**parts).to_str())) == {}
    assert character_ids(json.loads(_tokenizer().to_str()))
