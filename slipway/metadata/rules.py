"""Tag rules and the flavor, read as docker/metadata-action reads them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from slipway.errors import TagRuleError
from slipway.metadata.csvline import fields

DEFAULT_RULES: Final = ("type=schedule", "type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr")
PRIORITIES: Final = {
    "schedule": 1000.0,
    "semver": 900.0,
    "pep440": 900.0,
    "match": 800.0,
    "edge": 700.0,
    "ref": 600.0,
    "raw": 200.0,
    "sha": 100.0,
}
_DEFAULTS: Final[dict[str, dict[str, str]]] = {
    "schedule": {"pattern": "nightly"},
    "semver": {"value": "", "match": ""},
    "pep440": {"value": "", "match": ""},
    "match": {"group": "0", "value": ""},
    "edge": {"branch": ""},
    "ref": {},
    "raw": {},
    "sha": {"prefix": "sha-", "format": "short"},
}
_REQUIRED: Final = {"semver": "pattern", "pep440": "pattern", "match": "pattern", "ref": "event", "raw": "value"}
_CHOICES: Final = {("ref", "event"): ("branch", "tag", "pr"), ("sha", "format"): ("short", "long")}
_COMMON: Final = ("enable", "priority", "prefix", "suffix")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class TagRule:
    """One rule: its type, its attributes with the defaults filled in, and the text it was written as."""

    type: str
    attributes: Mapping[str, str]
    priority: float
    source: str

    def __getitem__(self, key: str) -> str:
        return self.attributes[key]


@dataclass(frozen=True)
class Flavor:
    """What holds for all tags: `latest` is auto, true or false; `*_on_latest` puts prefix or suffix on it, too."""

    latest: str = "auto"
    prefix: str = ""
    prefix_on_latest: bool = False
    suffix: str = ""
    suffix_on_latest: bool = False


def parse_rules(rules: Sequence[str]) -> tuple[TagRule, ...]:
    """All rules by descending priority, equal ones in the order written; none means the action's default ones."""
    parsed = [parse_rule(rule) for rule in rules or DEFAULT_RULES]
    return tuple(sorted(parsed, key=lambda rule: -rule.priority))


def parse_rule(source: str) -> TagRule:
    """Read `type=...,key=value,...`; a rule without a type is `raw`, a field without `=` is its value."""
    given = dict(_attribute(field) for field in fields(source))
    kind = given.pop("type", "raw")
    if kind not in PRIORITIES:
        raise TagRuleError(f"tag rule {source!r}: unknown type {kind!r}{_nearest(kind, tuple(PRIORITIES))}")
    required = _REQUIRED.get(kind)
    if required and required not in given:
        raise TagRuleError(f"tag rule {source!r}: {kind} needs {required}=")
    attributes = {"enable": "true", **_DEFAULTS[kind], **given}
    if kind == "ref" and given["event"] == "pr":
        attributes.setdefault("prefix", "pr-")
    _check_choices(kind, attributes, source)
    priority = _number(attributes["priority"], "priority", source) if "priority" in given else PRIORITIES[kind]
    return TagRule(kind, MappingProxyType(attributes), priority, source)


def _attribute(field: str) -> tuple[str, str]:
    at = field.find("=")
    if at < 1:
        return "value", field.strip()
    return field[:at].strip().lower(), field[at + 1 :].strip()


def _check_choices(kind: str, attributes: Mapping[str, str], source: str) -> None:
    for (owner, key), choices in _CHOICES.items():
        if kind == owner and attributes[key] not in choices:
            raise TagRuleError(f"tag rule {source!r}: {key} is {attributes[key]!r}, not one of {', '.join(choices)}")
    if kind == "match":
        _number(attributes["group"], "group", source)


def _number(text: str, key: str, source: str) -> float:
    if text and not _NUMBER.fullmatch(text):
        raise TagRuleError(f"tag rule {source!r}: {key} is {text!r}, not a number")
    return float(text or 0)


def unknown_attributes(rule: TagRule) -> tuple[str, ...]:
    """A note for each attribute that the action ignores in silence: mostly a typing mistake."""
    required = (_REQUIRED[rule.type],) if rule.type in _REQUIRED else ()
    known = (*_COMMON, *_DEFAULTS[rule.type], *required)
    return tuple(
        f"{rule.source}: attribute {key!r} means nothing here{_nearest(key, known)}"
        for key in rule.attributes
        if key not in known
    )


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def parse_flavor(entries: Sequence[str]) -> Flavor:
    """Read `latest=...`, `prefix=...,onlatest=...` and `suffix=...,onlatest=...`; later entries win."""
    found: dict[str, str] = {}
    for entry in entries:
        owner = ""
        for field in fields(entry):
            key, *rest = (part.strip() for part in field.split("="))
            key = key.lower()
            value = rest[0] if rest else None
            _check_flavor(key, value, entry)
            found[f"{owner}_on_latest" if key == "onlatest" else key] = value or ""
            owner = key if key in ("prefix", "suffix") else owner
    return Flavor(
        latest=found.get("latest", "auto"),
        prefix=found.get("prefix", ""),
        prefix_on_latest=found.get("prefix_on_latest") == "true",
        suffix=found.get("suffix", ""),
        suffix_on_latest=found.get("suffix_on_latest") == "true",
    )


def _check_flavor(key: str, value: str | None, entry: str) -> None:
    known = ("latest", "prefix", "suffix", "onlatest")
    if key not in known or value is None:
        raise TagRuleError(f"flavor entry {entry!r}: unknown {key!r}{_nearest(key, known)}")
    allowed = {"latest": ("auto", "true", "false"), "onlatest": ("true", "false")}.get(key)
    if allowed and value not in allowed:
        raise TagRuleError(f"flavor entry {entry!r}: {key} is {value!r}, not one of {', '.join(allowed)}")
