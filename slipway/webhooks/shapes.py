"""Reading other people's JSON: every value is checked before it is believed."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from slipway.webhooks.events import ZERO, EventKind, is_zero

Json = dict[str, Any]

_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REPOSITORY = re.compile(r"[^\s/\\:?#%*<>|\"'.-][^\s\\:?#%*<>|\"']*")
_SCP_URL = re.compile(r"[\w.-]+@[\w.-]+:[\w./~-][^\s]*")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[/.]$")
_SCHEMES = frozenset({"http", "https", "ssh", "git", "file"})
_LONGEST = 1024


class Malformed(ValueError):
    """A verified delivery whose body is not what its host documents; the message names the field, never its value."""


class NotOurs(Exception):
    """A verified delivery that asks for nothing; its text is the reason shown on the deliveries page."""


def parse_json(body: bytes) -> Json:
    """The body as one JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise Malformed("the body is not JSON (application/json in UTF-8 is expected)") from broken
    if not isinstance(value, dict):
        raise Malformed("the body is not a JSON object")
    return value


def member(value: Json, path: str) -> Json:
    """The object at a dotted path."""
    found = _dig(value, path)
    if not isinstance(found, dict):
        raise Malformed(f"`{path}` is missing or not an object")
    return found


def listing(value: Json, path: str) -> list[Json]:
    """The list of objects at a dotted path; empty when there is none."""
    found = _dig(value, path)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Malformed(f"`{path}` is not a list of objects")
    return found


def text(value: Json, *paths: str) -> str:
    """The first non-empty string among these dotted paths."""
    for path in paths:
        found = _dig(value, path)
        if found not in (None, ""):
            return _printable(found, path)
    raise Malformed(f"`{'` or `'.join(paths)}` is missing")


def optional_text(value: Json, *paths: str) -> str:
    """As `text`, but "" when nothing is there."""
    if all(_dig(value, path) in (None, "") for path in paths):
        return ""
    return text(value, *paths)


def person(value: Json, *paths: str) -> str:
    """A display name for people; odd characters are dropped, a missing one is ""."""
    found = next((name for name in (_dig(value, path) for path in paths) if isinstance(name, str) and name), "")
    return "".join(filter(str.isprintable, found))[:100]


def number(value: Json, *paths: str) -> int:
    """The first whole number above 0 among these dotted paths."""
    for path in paths:
        found = _dig(value, path)
        if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 2**53:
            return found
    raise Malformed(f"`{'` or `'.join(paths)}` is missing or not a number")


def flag(value: Json, path: str) -> bool | None:
    """A boolean, or None where the host does not say."""
    found = _dig(value, path)
    return found if isinstance(found, bool) else None


def revision(value: Json, *paths: str) -> str:
    """A full commit SHA."""
    found = text(value, *paths).lower()
    if not _REVISION.fullmatch(found):
        raise Malformed(f"`{paths[0]}` is not a full commit SHA")
    return ZERO if is_zero(found) else found


def optional_revision(value: Json, *paths: str) -> str:
    """As `revision`, but "" when nothing is there."""
    return revision(value, *paths) if optional_text(value, *paths) else ""


def ref(found: str) -> str:
    """A branch or tag ref that git itself would accept; other refs are not ours."""
    if not found.startswith("refs/"):
        raise Malformed("`ref` does not start with refs/")
    if not found.startswith(("refs/heads/", "refs/tags/")):
        raise NotOurs("neither a branch nor a tag")
    if _BAD_REF.search(found) or found.split("/", 2)[2].startswith(("-", "/", ".")):
        raise Malformed("`ref` is not a valid ref name")
    return found


def branch(found: str) -> str:
    """A branch's short name that git itself would accept."""
    return ref(f"refs/heads/{found}").removeprefix("refs/heads/")


def repository(found: str) -> str:
    """A full repository name such as acme/mgeo, without surrounding slashes or .git."""
    name = found.strip("/").removesuffix(".git")
    if not _REPOSITORY.fullmatch(name) or ".." in name or "//" in name:
        raise Malformed("the repository's name is not valid")
    return name


def clone_url(found: str) -> str:
    """A URL that git can clone, its credentials removed; helpers such as `ext::` are refused."""
    if _SCP_URL.fullmatch(found):
        return found
    try:
        parts = urlsplit(found)
    except ValueError as broken:
        raise Malformed("the repository's URL is not valid") from broken
    if parts.scheme not in _SCHEMES:
        raise Malformed("the repository's URL is not valid")
    if parts.scheme in ("http", "https"):
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(parts)


def name_in_url(url: str) -> str:
    """The repository's full name as its clone URL or home page says it."""
    path = url.partition(":")[2] if _SCP_URL.fullmatch(url) else urlsplit(clone_url(url)).path
    return repository(path)


def kind_of(ref_name: str, before: str, after: str) -> EventKind:
    """What moving `ref_name` from `before` to `after` means."""
    is_tag = ref_name.startswith("refs/tags/")
    if is_zero(after):
        return EventKind.TAG_DELETED if is_tag else EventKind.BRANCH_DELETED
    if is_tag:
        return EventKind.TAG
    return EventKind.BRANCH_CREATED if is_zero(before) else EventKind.PUSH


def _dig(value: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _printable(found: Any, path: str) -> str:
    """Text that every database and log takes: no control characters, no lone surrogates, not endless."""
    if not isinstance(found, str) or len(found) > _LONGEST or not found.isprintable():
        raise Malformed(f"`{path}` is not plain text of at most {_LONGEST} characters")
    return found
