"""One delivery in, one verdict out. No clock, no socket, no disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import parse_qs

from slipway.webhooks import bitbucket, generic, gitee, github, gitlab
from slipway.webhooks.events import GitEvent, body_digest
from slipway.webhooks.shapes import Json, Malformed, NotOurs, parse_json
from slipway.webhooks.signatures import Headers, HostKind, Proof, covers_body, detect, prove

REFUSAL = "refused"
"""What a forger is told, whatever the reason."""


class DeliveryState(StrEnum):
    """What became of a delivery; `accepted` ones carry events."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Source:
    """One webhook as its owner set it up: who signs, with which active secrets, for which repositories.

    `repositories` maps a repository's full name (lower case) to the URL to clone it from, or "" for the delivery's own.
    """

    kind: HostKind
    host: str
    secrets: tuple[bytes, ...]
    repositories: dict[str, str]


@dataclass(frozen=True)
class Verdict:
    """What to answer, what to record, and what to send on. `reason` is for the operator, `answer` for the sender."""

    state: DeliveryState
    status: int
    answer: str
    reason: str = ""
    host: str = ""
    repository: str = ""
    delivery_id: str = ""
    digest: str = ""
    events: tuple[GitEvent, ...] = ()


class _Parser(Protocol):
    def __call__(self, body: Json, *, event: str, host: str, delivery_id: str) -> list[GitEvent]: ...


@dataclass(frozen=True)
class _Dialect:
    event_headers: tuple[str, ...]
    id_headers: tuple[str, ...]
    repository_of: Callable[[Json], str]
    parse: _Parser


# GitLab's X-Gitlab-Event-UUID is shared by webhooks that set off one another, so it comes last.
_DIALECTS: dict[HostKind, _Dialect] = {
    HostKind.GITHUB: _Dialect(("x-github-event",), ("x-github-delivery",), github.repository_of, github.parse),
    HostKind.GITEA: _Dialect(
        ("x-gitea-event", "x-forgejo-event"),
        ("x-gitea-delivery", "x-forgejo-delivery"),
        github.repository_of,
        github.parse,
    ),
    HostKind.GITLAB: _Dialect(
        ("x-gitlab-event",),
        ("webhook-id", "idempotency-key", "x-gitlab-event-uuid"),
        gitlab.repository_of,
        gitlab.parse,
    ),
    HostKind.CODEUP: _Dialect(("codeup-event", "x-codeup-event"), (), gitlab.repository_of, gitlab.parse),
    HostKind.GITEE: _Dialect(("x-gitee-event",), (), gitee.repository_of, gitee.parse),
    HostKind.BITBUCKET: _Dialect(
        ("x-event-key",), ("x-request-uuid", "x-request-id"), bitbucket.repository_of, bitbucket.parse
    ),
    HostKind.GENERIC: _Dialect((), ("webhook-id",), generic.repository_of, generic.parse),
}


def judge(headers: Headers, body: bytes, sources: tuple[Source, ...], *, now: datetime, window_s: float) -> Verdict:
    """The verdict on one delivery. Never raises, whatever the bytes are."""
    kind = detect(headers)
    if kind is None:
        return refused(Proof.MISSING.value)
    signers, best = [], Proof.MISSING
    for source in (one for one in sources if one.kind is kind):
        proof = _best([prove(kind, headers, body, key, now=now, window_s=window_s) for key in source.secrets])
        best = _best([best, proof])
        if proof is Proof.VALID:
            signers.append(source)
    if not signers:
        return refused(best.value, host=kind.value)
    return _read(kind, headers, body, signers)


def refused(reason: str, *, status: int = 401, host: str = "", repository: str = "") -> Verdict:
    """A rejection that tells its sender nothing but the status."""
    return Verdict(DeliveryState.REJECTED, status, REFUSAL, reason, host, repository)


def _best(proofs: list[Proof]) -> Proof:
    order = (Proof.VALID, Proof.STALE, Proof.BAD, Proof.MISSING)
    return min(proofs, key=order.index, default=Proof.MISSING)


def _read(kind: HostKind, headers: Headers, body: bytes, signers: list[Source]) -> Verdict:
    """A delivery whose signature holds: whose repository is it, and what does it say?"""
    dialect = _DIALECTS[kind]
    try:
        found = parse_json(_content(headers, body))
        repository = dialect.repository_of(found)
        source = next((one for one in signers if not repository or repository.lower() in one.repositories), None)
        if source is None:
            return refused("the repository is not on the list", status=403, host=signers[0].host, repository=repository)
        verdict = Verdict(
            DeliveryState.ACCEPTED,
            202,
            "accepted",
            host=source.host,
            repository=repository,
            delivery_id=_delivery_id(kind, dialect, headers, body),
            digest=body_digest(body) if covers_body(kind) else "",
        )
    except Malformed as wrong:
        return Verdict(DeliveryState.REJECTED, 400, str(wrong), f"malformed: {wrong}", signers[0].host)
    return _events(dialect, headers, found, source, verdict)


def _content(headers: Headers, body: bytes) -> bytes:
    """The JSON itself: GitHub and Gitea put it into a form unless they are told not to."""
    if not headers.get("content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        return body
    try:
        return parse_qs(body, max_num_fields=10)[b"payload"][0]
    except (ValueError, KeyError) as wrong:
        raise Malformed("the form has no `payload`; choose application/json as the content type") from wrong


def _events(dialect: _Dialect, headers: Headers, found: Json, source: Source, verdict: Verdict) -> Verdict:
    event = _header(headers, dialect.event_headers)
    try:
        events = dialect.parse(found, event=event, host=source.host, delivery_id=verdict.delivery_id)
    except NotOurs as reason:
        return replace(verdict, state=DeliveryState.IGNORED, status=200, answer="ignored", reason=str(reason))
    except Malformed as wrong:
        return replace(
            verdict, state=DeliveryState.REJECTED, status=400, answer=str(wrong), reason=f"malformed: {wrong}"
        )
    if any(event.repository.lower() not in source.repositories for event in events):
        return refused("the repository is not on the list", status=403, host=source.host, repository=verdict.repository)
    url = source.repositories[verdict.repository.lower()]
    return replace(verdict, events=tuple(one.model_copy(update={"url": url}) if url else one for one in events))


def _delivery_id(kind: HostKind, dialect: _Dialect, headers: Headers, body: bytes) -> str:
    """The host's own id; "" where there is none (then the events' own ids are what keeps them single)."""
    if kind is HostKind.GITEE and headers.get("x-gitee-timestamp"):
        return f"{_printable(headers['x-gitee-timestamp'])}-{body_digest(body)[:32]}"
    return _header(headers, dialect.id_headers)


def _header(headers: Headers, names: tuple[str, ...]) -> str:
    return next((_printable(headers[name]) for name in names if headers.get(name)), "")


def _printable(value: bytes) -> str:
    """A header as short plain text; anything odd becomes its hash, which is as unique."""
    text = value.decode("ascii", "replace")
    if len(text) <= 200 and text.isascii() and text.isprintable():
        return text
    return "sha256:" + hashlib.sha256(value).hexdigest()
