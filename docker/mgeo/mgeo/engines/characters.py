"""Tokens of texts whose characters are tokens as they stand: one look-up per character, without the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LOWERCASE = {"type": "Lowercase"}
# On these characters, alone or side by side, each of the three does nothing: ASCII without capitals and blanks, and
# the unified ideographs, have one width, one case and compose with nothing.
_HARMLESS = (
    {"type": "NFKC"},
    _LOWERCASE,
    {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": ""},
)
_ONE_BY_ONE = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}


def character_ids(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """Character -> id, from the content of a tokenizer.json; {} when that tokenizer does more than look them up."""
    model, normalizer = tokenizer.get("model") or {}, tokenizer.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer] if normalizer else [])
    simple = (
        model.get("type") == "WordLevel"
        and tokenizer.get("pre_tokenizer") == _ONE_BY_ONE
        and not tokenizer.get("post_processor")
        and not tokenizer.get("added_tokens")
        and all(step in _HARMLESS for step in steps)
    )
    if not simple:
        return {}
    found = {token: number for token, number in model["vocab"].items() if _is_plain(token)}
    capitals = {token.upper(): number for token, number in found.items()} if _LOWERCASE in steps else {}
    return capitals | found


def _is_plain(token: str) -> bool:
    return len(token) == 1 and ("!" <= token <= "@" or "[" <= token <= "~" or "\u4e00" <= token <= "\u9fff")
