"""What pip meant: an index that is away, a wheel that is not the locked one, or no wheel for the target.

Read from pip's own log file and not from its screen: a page that could not be fetched is only mentioned there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from slipway.errors import DependencyError, HostNotReady, IndexUnavailable, NotEnoughSpace, SlipwayError
from slipway.redaction import redact

_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:,]+ ?", re.MULTILINE)
_UNFETCHED = re.compile(r"Could not fetch URL (?P<url>\S+): (?P<why>.*) - skipping")
_HTTP_ERROR = re.compile(r"HTTP error (?P<status>\d{3}) while getting (?P<url>\S+)")
_MISMATCH = re.compile(
    r"^ {4}(?P<what>\S.*):\n(?P<expected>(?: +(?:Expected sha256|Expected|or|Expected +or) +[0-9a-f]{64}\n)+)"
    r" +Got +(?P<got>[0-9a-f]{64})",
    re.MULTILINE,
)
_NOT_FOUND = re.compile(r"No matching distribution found for (?P<what>[^\s;]+)")
_PASSED_OVER = re.compile(
    r"Skipping link: (?:none of the wheel's tags \([^)]*\) are compatible|No sources permitted for [^:]+)[^:]*:"
    r" \S*/(?P<file>[^/#\s]+)"
)
_BROKEN = re.compile(
    r"^(?:ERROR: .*|pip\._vendor\S+ )HTTPS?ConnectionPool\(host='(?P<host>[^']+)', port=(?P<port>\d+)\): (?P<why>.*)",
    re.MULTILINE,
)
_AWAY = re.compile(
    r"connection error|timed out|max retries|too many \d+ error responses|\b(?:429|5\d\d) (?:server|client) error"
    r"|connection (?:aborted|reset|refused)|remotedisconnected|incompleteread|incomplete[- ]download|not enough bytes"
    r"|protocolerror|read timed out|name resolution|newconnectionerror|connection broken|proxyerror",
    re.IGNORECASE,
)
_SHOWN = 5


@dataclass(frozen=True)
class Mismatch:
    """A wheel whose content is not what the lock says: `what` as pip names it, SHA-256s in hex."""

    name: str
    what: str
    expected: tuple[str, ...]
    got: str


def read_log(text: str) -> str:
    """Pip's log without its time stamps and without secrets."""
    return redact(_STAMP.sub("", text))


def find_mismatch(log: str) -> Mismatch | None:
    """The first wheel that pip refused for its hash."""
    found = _MISMATCH.search(log)
    if not found:
        return None
    expected = tuple(re.findall(r"[0-9a-f]{64}", found["expected"]))
    return Mismatch(_name_in(found["what"]), found["what"], expected, found["got"])


def explain(log: str, tail: str) -> SlipwayError:
    """The error that a failed `pip download` stands for; `log` as `read_log` gives it, `tail` its last output."""
    if "No space left on device" in log + tail:
        return NotEnoughSpace(
            "the disk is full: the wheels could not be fetched", tail=tail, next_step="free some space"
        )
    if "No module named pip" in tail:
        return HostNotReady(
            "this Python has no pip", tail=tail, next_step="install it: python -m ensurepip, or uv pip install pip"
        )
    return (
        _explain_mismatch(log, tail)
        or _explain_answers(log, tail)
        or _explain_missing(log, tail)
        or _explain_the_rest(log, tail)
    )


def differs_each_time(first: Mismatch) -> IndexUnavailable:
    """The error for a wheel that a second download did not damage in the same way."""
    return IndexUnavailable(
        f"{first.name} was damaged on its way here: two downloads of it were not the same",
        subject=first.what,
        next_step="it is tried again on its own; if it goes on, look at the proxy or the index",
    )


def _explain_mismatch(log: str, tail: str) -> SlipwayError | None:
    wrong = find_mismatch(log)
    if not wrong:
        return None
    if any(wrong.name in _words(url) for url, _ in _away(log)):
        return IndexUnavailable(
            f"one of the indexes does not answer, and another has a different {wrong.name}",
            subject=wrong.what,
            tail=_list(_away(log)),
            next_step="it is tried again on its own; if it goes on, check that index",
        )
    expected = " or ".join(f"sha256:{digest}" for digest in wrong.expected[:_SHOWN])
    more = f" or {len(wrong.expected) - _SHOWN} more" if len(wrong.expected) > _SHOWN else ""
    return DependencyError(
        f"{wrong.name} is not what was locked\n    locked: {expected}{more}\n    found:  sha256:{wrong.got}",
        subject=wrong.what,
        tail=tail,
        next_step="find out why the index has other content under this name; lock again only when that is explained",
    )


def _explain_answers(log: str, tail: str) -> SlipwayError | None:
    unfetched = [(found["url"], found["why"]) for found in _UNFETCHED.finditer(log)]
    unfetched += [(found["url"], f"{found['status']} Error") for found in _HTTP_ERROR.finditer(log)]
    refused = [(url, why) for url, why in unfetched if re.search(r"\b40[13]\b", why)]
    untrusted = [(url, why) for url, why in unfetched if "ssl certificate" in why]
    if _away(log):
        return IndexUnavailable(
            "the package index does not answer",
            subject=_away(log)[0][0],
            tail=_list(_away(log)),
            next_step="it is tried again on its own; if it goes on, check the network and pip's configuration",
        )
    if refused:
        return DependencyError(
            "the package index refused the credentials, or wants some",
            subject=refused[0][0],
            tail=_list(refused),
            next_step="put them where pip looks: ~/.netrc, keyring or pip's configuration",
        )
    if untrusted:
        return DependencyError(
            "the certificate of the package index is not trusted here",
            subject=untrusted[0][0],
            tail=tail,
            next_step="point pip at the right authority: pip config set global.cert <file>",
        )
    return None


def _explain_missing(log: str, tail: str) -> SlipwayError | None:
    missing = _NOT_FOUND.search(log)
    if not missing:
        return None
    name, _, version = missing["what"].partition("==")
    files = [found["file"] for found in _PASSED_OVER.finditer(log)]
    near = [file for file in files if _name_in(name) in _words(file) and f"-{version}" in file]
    there = f"; there is only {', '.join(near[:_SHOWN])}" if near else ""
    return DependencyError(
        f"no index has a wheel of {missing['what']} that fits the image{there}",
        tail=tail,
        next_step="lock a version with a fitting wheel, or configure an index (pip's find-links counts) that has one",
    )


def _explain_the_rest(log: str, tail: str) -> SlipwayError:
    if _AWAY.search(tail):
        return IndexUnavailable(
            "the connection to the package index broke",
            tail=tail.splitlines()[-1],
            next_step="it is tried again on its own; if it goes on, check the network and the index",
        )
    said = tail or "\n".join(log.splitlines()[-_SHOWN:])
    return DependencyError("pip could not fetch the locked wheels", tail=said, next_step="read pip's words above")


def _away(log: str) -> list[tuple[str, str]]:
    """Addresses that did not answer, or answered 429 or 5xx, with the reason."""
    pages = [(found["url"], found["why"]) for found in _UNFETCHED.finditer(log) if _AWAY.search(found["why"])]
    files = [
        (found["url"], f"HTTP {found['status']}")
        for found in _HTTP_ERROR.finditer(log)
        if found["status"] == "429" or found["status"].startswith("5")
    ]
    hosts = [(f"{found['host']}:{found['port']}", found["why"]) for found in _BROKEN.finditer(log)]
    return pages + files + hosts


def _list(answers: list[tuple[str, str]]) -> str:
    return "\n".join(dict.fromkeys(f"{url}: {why}" for url, why in answers[:_SHOWN]))


def _name_in(what: str) -> str:
    return canonicalize_name(re.split(r"[\s\[=<>~!@]", what, maxsplit=1)[0])


def _words(url: str) -> set[str]:
    """The package names that an index page or a wheel's file name could stand for."""
    return {canonicalize_name(part.split("-")[0]) for part in url.split("/")} | {
        canonicalize_name(part) for part in url.split("/")
    }
