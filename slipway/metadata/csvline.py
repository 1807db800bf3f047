"""The two ways docker/metadata-action reads CSV: strictly inside one rule, loosely for a pasted block of rules."""

from __future__ import annotations

import re

from slipway.errors import TagRuleError

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def fields(rule: str) -> list[str]:
    """Split one rule at its commas; a field that starts with `"` may hold commas, and `""` is a quote in it."""
    line = next((line for line in re.split(r"\r\n|\n|\r", rule) if line), "")
    if not line:
        raise TagRuleError("an empty tag rule", next_step="remove it, or write one such as type=sha")
    found: list[str] = []
    rest = line
    while True:
        field, rest = _strict_field(rest, rule)
        found.append(field)
        if not rest:
            return found
        rest = rest[1:]


def _strict_field(text: str, rule: str) -> tuple[str, str]:
    if not text.startswith('"'):
        field, comma, rest = text.partition(",")
        if '"' in field:
            raise _badly_quoted(rule)
        return field, comma + rest
    match = _QUOTED.match(text)
    if not match or text[match.end() : match.end() + 1] not in ("", ","):
        raise _badly_quoted(rule)
    return match[1].replace('""', '"'), text[match.end() :]


def _badly_quoted(rule: str) -> TagRuleError:
    return TagRuleError(
        f"tag rule {rule!r}: a quote opens or closes in the middle of a field",
        next_step='quote the whole field, as in type=match,"pattern=\\d,\\d"',
    )


def lines(block: str) -> list[str]:
    """The rules of a block as pasted from a workflow: one a line, `#` starts a comment, blank lines are left out.

    As in the action, quotes around a whole field are eaten here, so they cannot protect a comma in a block.
    """
    return [rule for raw in re.split(r"\r\n|\n|\r", block) if (rule := _loose_line(raw))]


def _loose_line(line: str) -> str:
    found: list[str] = []
    rest = line
    while True:
        field, rest = _loose_field(rest)
        found.append(field)
        if not rest.startswith(","):
            return ",".join(found).strip()
        rest = rest[1:]


def _loose_field(text: str) -> tuple[str, str]:
    match = _QUOTED.match(text)
    if match and text[match.end() : match.end() + 1] in ("", ",", "#"):
        return match[1].replace('""', '"'), text[match.end() :]
    end = next((i for i, char in enumerate(text) if char in ",#"), len(text))
    return text[:end], text[end:]
