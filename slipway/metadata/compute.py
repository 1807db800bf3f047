"""Tags and labels of one revision: the action's rules first, then our repairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from slipway.errors import TagRuleError
from slipway.metadata.context import PULL, GitContext
from slipway.metadata.csvline import fields
from slipway.metadata.labels import BaseImage, labels
from slipway.metadata.repair import Repair, repair
from slipway.metadata.rules import Flavor, TagRule, parse_flavor, parse_rules, unknown_attributes
from slipway.metadata.tags import Candidate, Outcome, evaluate, latest_tag


@dataclass(frozen=True)
class Metadata:
    """`tags` are bare names in order; `references` the same for every image; `version` is the first tag, or empty.

    `repairs` say which tags differ from what docker/metadata-action would make; `notes` which rules made no tag.
    """

    tags: tuple[str, ...]
    references: tuple[str, ...]
    version: str
    labels: dict[str, str]
    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]


def metadata(
    rules: Sequence[str],
    flavor: Sequence[str],
    context: GitContext,
    now: datetime,
    images: Sequence[str] = (),
    label_lines: Sequence[str] = (),
    base: BaseImage | None = None,
    other_refs: Sequence[str] = (),
) -> Metadata:
    """Compute tags and labels; rules, flavor and images are one string each, as in a workflow's inputs.

    `other_refs` are the repository's other branches and tags (full names), to see collisions. Raises TagRuleError for
    rules that the action would refuse.
    """
    parsed, flavoring = parse_rules(rules), parse_flavor(flavor)
    outcome = evaluate(parsed, flavoring, context, now)
    others = _others(parsed, flavoring, context, now, other_refs, outcome)
    tags, repairs = _repaired(outcome.candidates, others)
    version = tags[0] if tags else ""
    if tags and outcome.latest:
        tags = tuple(dict.fromkeys((*tags, latest_tag(flavoring))))
    unknown = tuple(note for rule in parsed for note in unknown_attributes(rule))
    return Metadata(
        tags=tags,
        references=tuple(f"{image}:{tag}" for image in _image_names(images) for tag in tags),
        version=version,
        labels=labels(context, now, version, label_lines, base),
        repairs=repairs,
        notes=outcome.notes + unknown,
    )


def _others(
    rules: Sequence[TagRule],
    flavor: Flavor,
    context: GitContext,
    now: datetime,
    refs: Sequence[str],
    outcome: Outcome,
) -> tuple[Candidate, ...]:
    """What the same rules would make of the other refs; nothing to ask when no tag differs from its name."""
    if all(candidate.raw == candidate.tag for candidate in outcome.candidates):
        return ()
    elsewhere = (replace(context, ref=ref) for ref in refs if ref != context.ref and not ref.startswith(PULL))
    return tuple(found for other in elsewhere for found in evaluate(rules, flavor, other, now).candidates)


def _repaired(
    candidates: Sequence[Candidate], others: Sequence[Candidate]
) -> tuple[tuple[str, ...], tuple[Repair, ...]]:
    tags: list[str] = []
    repairs: list[Repair] = []
    for candidate in candidates:
        change = repair(candidate, others)
        repairs += [change] if change else []
        tags.append(change.tag if change else candidate.tag)
    return tuple(dict.fromkeys(tags)), tuple(repairs)


def _image_names(images: Sequence[str]) -> tuple[str, ...]:
    """Lower-case names of `name`, `name=...` and `...,enable=...` entries; one single entry may list several names."""
    if len(images) == 1 and all("=" not in field for field in fields(images[0])):
        return tuple(field.strip().lower() for field in fields(images[0]))
    return tuple(name.lower() for entry in images for name in _enabled_image(entry))


def _enabled_image(entry: str) -> tuple[str, ...]:
    found = {"enable": "true"}
    for field in fields(entry):
        key, equals, value = field.partition("=")
        found[key.strip().lower() if equals else "name"] = (value if equals else key).strip()
    if not found.get("name") or set(found) - {"name", "enable"} or found["enable"] not in ("true", "false"):
        raise TagRuleError(f"image entry {entry!r}: expected a name, name=<name> or enable=true|false")
    return (found["name"],) if found["enable"] == "true" else ()
