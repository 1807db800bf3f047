"""Kinds of values in service.yaml, each with what makes it valid."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import pathspec
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from slipway.errors import TagRuleError
from slipway.metadata import lines
from slipway.metadata.rules import parse_flavor, parse_rules

Environment = Literal["local", "staging", "production"]

_BLOCK_OR_LIST: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _split(value: Any) -> Any:
    return lines(value) if isinstance(value, str) else value


def _known_rules(rules: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_rules(rules)
    except TagRuleError as refused:
        raise ValueError(refused.what) from refused
    return rules


def _known_flavor(entries: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_flavor(entries)
    except TagRuleError as refused:
        raise ValueError(refused.what) from refused
    return entries


def _readable_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    pathspec.PathSpec.from_lines("gitignore", globs)
    return globs


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("the path must stay inside the repository")
    return path


Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$", max_length=63)]
ImageName = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[._/-][a-z0-9]+)*$", max_length=200)]
RelativePath = Annotated[str, AfterValidator(_inside)]
UrlPath = Annotated[str, Field(pattern=r"^/\S*$")]
Argv = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Globs = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_readable_globs)]
TagRules = Annotated[
    tuple[str, ...], BeforeValidator(_split), AfterValidator(_known_rules), WithJsonSchema(_BLOCK_OR_LIST)
]
FlavorEntries = Annotated[
    tuple[str, ...], BeforeValidator(_split), AfterValidator(_known_flavor), WithJsonSchema(_BLOCK_OR_LIST)
]
Positive = Annotated[int, Field(gt=0)]
Json = dict[str, Any]
