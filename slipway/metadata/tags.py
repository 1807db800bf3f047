"""From rules and a git context to tags, exactly as docker/metadata-action computes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from slipway.errors import TagRuleError
from slipway.metadata.context import GitContext
from slipway.metadata.expressions import SHORT_SHA, dates, everywhere
from slipway.metadata.handlebars import Values, is_raw, render
from slipway.metadata.rules import Flavor, TagRule
from slipway.metadata.versions import Numbers, pep440, semantic

_INVALID: Final = re.compile(r"[^a-zA-Z0-9._-]+")
_SLASHED: Final = re.compile(r"/(.+)/(.*)")
_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


@dataclass(frozen=True)
class Candidate:
    """A tag before and after the action's sanitiser, and the text of the rule that asked for it."""

    raw: str
    tag: str
    asked: str


@dataclass(frozen=True)
class Outcome:
    """Tags in order, the first is the version; `notes` say which rules made none and why."""

    candidates: tuple[Candidate, ...]
    latest: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What one rule yields: a value before prefix and suffix, and whether `latest=auto` means latest for it."""

    value: str = ""
    latest: bool = False
    note: str = ""
    absent: bool = False


@dataclass(frozen=True)
class _Scene:
    """What rules read from; `schedule` patterns know the dates only."""

    context: GitContext
    values: Values
    dates: Values


_NOTHING: Final = _Found(absent=True)


def sanitise(tag: str) -> str:
    """Runs of characters that a tag cannot hold become one `-`."""
    return _INVALID.sub("-", tag)


def evaluate(rules: Sequence[TagRule], flavor: Flavor, context: GitContext, now: datetime) -> Outcome:
    """Apply rules (already by priority). The first that yields a tag decides about `latest` when that is auto."""
    scene = _Scene(context, everywhere(context, now), dates(context, now))
    values = scene.values
    candidates: dict[str, Candidate] = {}
    notes: list[str] = []
    latest: bool | None = None
    for rule in rules:
        if not _enabled(rule, values):
            continue
        found = _READERS[rule.type](rule, scene)
        notes += [f"{rule.source}: {found.note}"] if found.note else []
        raw = "" if found.absent else _decorate(found.value, rule, flavor, values)
        if not raw:
            continue
        candidates.setdefault(sanitise(raw), Candidate(raw, sanitise(raw), rule.source))
        if latest is None:
            latest = found.latest if flavor.latest == "auto" else flavor.latest == "true"
    return Outcome(tuple(candidates.values()), bool(latest), tuple(notes))


def latest_tag(flavor: Flavor) -> str:
    """The tag `latest`, with the flavor's prefix and suffix where `onlatest=true`."""
    prefix = flavor.prefix if flavor.prefix_on_latest else ""
    suffix = flavor.suffix if flavor.suffix_on_latest else ""
    return sanitise(f"{prefix}latest{suffix}")


def _enabled(rule: TagRule, values: Values) -> bool:
    enabled = render(rule["enable"], values)
    if enabled not in ("true", "false"):
        raise TagRuleError(
            f"tag rule {rule.source!r}: enable is {enabled!r}, not true or false",
            next_step="workflow expressions (${{ ... }}) do not exist here; {{is_default_branch}} does",
        )
    return enabled == "true"


def _decorate(value: str, rule: TagRule, flavor: Flavor, values: Values) -> str:
    prefix = rule.attributes.get("prefix", flavor.prefix)
    suffix = rule.attributes.get("suffix", flavor.suffix)
    return f"{render(prefix, values)}{value}{render(suffix, values)}"


def _schedule(rule: TagRule, scene: _Scene) -> _Found:
    if "schedule" not in scene.context.event:
        return _NOTHING
    return _Found(render(rule["pattern"], scene.dates))


def _versioned(parse: Callable[[str], Numbers | None], name: str) -> _Reader:
    def read(rule: TagRule, scene: _Scene) -> _Found:
        if not scene.context.is_tag and not rule["value"]:
            return _NOTHING
        text = render(rule["value"], scene.values) if rule["value"] else scene.context.tag
        text, note = _matched(rule, text)
        numbers = parse(text.replace("/", "-"))
        if numbers is None:
            return _Found(absent=True, note=f"{text!r} is not a {name} version")
        if not numbers.is_preview:
            return _Found(render(rule["pattern"], numbers.values()), latest=True, note=note)
        return _Found(numbers.raw if is_raw(rule["pattern"]) else numbers.version, note=note)

    return read


def _matched(rule: TagRule, text: str) -> tuple[str, str]:
    """The first group of `match=`, so that `mgeo/v1.2.3` can be a version."""
    if not rule["match"]:
        return text, ""
    found = _compile(rule["match"], "", rule).search(text)
    if not found:
        return text, f"{rule['match']} does not match {text!r}"
    if not found.re.groups or found[1] is None:
        raise TagRuleError(f"tag rule {rule.source!r}: match= has no first group for {text!r}")
    return found[1], ""


def _match(rule: TagRule, scene: _Scene) -> _Found:
    if not scene.context.is_tag and not rule["value"]:
        return _NOTHING
    text = render(rule["value"], scene.values) if rule["value"] else scene.context.tag
    slashed = _SLASHED.fullmatch(rule["pattern"])
    pattern, flags = (slashed[1], slashed[2]) if slashed else (rule["pattern"], "")
    groups = _groups(_compile(pattern, flags, rule), text, every="g" in flags)
    if not groups:
        return _Found(absent=True, note=f"{rule['pattern']} does not match {text!r}")
    wanted = rule["group"]
    group = groups[int(wanted)] if re.fullmatch(r"0|[1-9]\d*", wanted) and int(wanted) < len(groups) else None
    if group is None:
        return _Found(absent=True, note=f"{rule['pattern']} has no group {wanted} in {text!r}")
    return _Found(group, latest=True)


def _groups(pattern: re.Pattern[str], text: str, *, every: bool) -> list[str | None]:
    """The match and its groups; with the `g` flag, all matches without groups."""
    if every:
        return [found[0] for found in pattern.finditer(text)]
    found = pattern.search(text)
    return [found[0], *found.groups()] if found else []


def _compile(pattern: str, flags: str, rule: TagRule) -> re.Pattern[str]:
    """A JavaScript regular expression: ASCII classes, `(?<name>`, and a `$` that is the very end."""
    translated = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    if "m" not in flags:
        translated = re.sub(r"(\\.)|(\[(?:\\.|[^\]])*\])|\$", lambda m: m[0] if m[1] or m[2] else r"\Z", translated)
    try:
        return re.compile(translated, re.ASCII | sum(_FLAGS.get(flag, 0) for flag in flags))
    except re.error as wrong:
        raise TagRuleError(f"tag rule {rule.source!r}: {pattern!r} is no regular expression: {wrong}") from wrong


def _edge(rule: TagRule, scene: _Scene) -> _Found:
    wanted = rule["branch"] or scene.context.default_branch
    return _Found("edge") if scene.context.is_branch and scene.context.branch == wanted else _NOTHING


def _ref(rule: TagRule, scene: _Scene) -> _Found:
    names = {"branch": scene.context.branch, "tag": scene.context.tag, "pr": scene.context.pull_request}
    here = {"branch": scene.context.is_branch, "tag": scene.context.is_tag, "pr": scene.context.is_pull_request}
    event = rule["event"]
    return _Found(names[event], latest=event == "tag") if here[event] else _NOTHING


def _raw(rule: TagRule, scene: _Scene) -> _Found:
    return _Found(render(rule["value"], scene.values))


def _sha(rule: TagRule, scene: _Scene) -> _Found:
    if not scene.context.sha:
        return _NOTHING
    return _Found(scene.context.sha[:SHORT_SHA] if rule["format"] == "short" else scene.context.sha)


_Reader = Callable[[TagRule, _Scene], _Found]
_READERS: Final[dict[str, _Reader]] = {
    "schedule": _schedule,
    "semver": _versioned(semantic, "semantic"),
    "pep440": _versioned(pep440, "PEP 440"),
    "match": _match,
    "edge": _edge,
    "ref": _ref,
    "raw": _raw,
    "sha": _sha,
}
