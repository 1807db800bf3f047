"""Who sent these bytes? Constant time, on bytes, without reading the body as anything but bytes.

| host            | proof                                                           | covers            |
|-----------------|-----------------------------------------------------------------|-------------------|
| GitHub          | X-Hub-Signature-256: sha256=<hex HMAC>                          | body              |
| Gitea, Forgejo  | X-Gitea-Signature / X-Forgejo-Signature: <hex HMAC>             | body              |
| Bitbucket       | X-Hub-Signature: sha256=<hex HMAC>                              | body              |
| GitLab, signed  | webhook-signature (Standard Webhooks, secret `whsec_...`)       | id, time and body |
| GitLab, token   | X-Gitlab-Token: the secret itself                               | nothing           |
| Codeup          | X-Codeup-Token: the secret itself                               | nothing           |
| Gitee           | X-Gitee-Token: the secret, or HMAC of X-Gitee-Timestamp         | time              |
| anything else   | webhook-signature (Standard Webhooks)                           | id, time and body |

GitHub's X-Hub-Signature is SHA-1 and is never looked at. Where only a token is sent, TLS is all that protects the body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote_plus

from standardwebhooks import Webhook

Headers = Mapping[str, bytes]
"""Header names in lower case; values as they came over the wire."""

_SIGNED_SECRET = b"whsec_"


class HostKind(StrEnum):
    """The dialects of webhooks that Slipway speaks."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    GITEE = "gitee"
    BITBUCKET = "bitbucket"
    CODEUP = "codeup"
    GENERIC = "generic"


class Proof(StrEnum):
    """What a signature check found; anything but VALID is an answer of 401."""

    VALID = "valid signature"
    MISSING = "missing signature"
    BAD = "bad signature"
    STALE = "signature outside the replay window"


# Gitea also sends GitHub's headers, and Codeup may send GitLab's: the more particular host comes first.
_MARKS: tuple[tuple[HostKind, tuple[str, ...]], ...] = (
    (HostKind.GITEA, ("x-gitea-event", "x-forgejo-event")),
    (HostKind.CODEUP, ("codeup-event", "x-codeup-event", "x-codeup-token")),
    (HostKind.GITEE, ("x-gitee-event", "x-gitee-token")),
    (HostKind.GITLAB, ("x-gitlab-event", "x-gitlab-token")),
    (HostKind.BITBUCKET, ("x-event-key",)),
    (HostKind.GITHUB, ("x-github-event",)),
    (HostKind.GENERIC, ("webhook-signature",)),
)


def detect(headers: Headers) -> HostKind | None:
    """Which dialect a delivery speaks, by its headers alone."""
    return next((kind for kind, marks in _MARKS if any(mark in headers for mark in marks)), None)


def prove(kind: HostKind, headers: Headers, body: bytes, secret: bytes, *, now: datetime, window_s: float) -> Proof:
    """Whether the holder of `secret` sent this delivery. An empty secret proves nothing."""
    if not secret:
        return Proof.BAD
    if kind is HostKind.GITEE:
        return _gitee(headers, secret, now, window_s)
    if kind is HostKind.GENERIC or (kind is HostKind.GITLAB and secret.startswith(_SIGNED_SECRET)):
        return _standard(headers, body, secret, now, window_s)
    return _PLAIN[kind](headers, body, secret)


def covers_body(kind: HostKind) -> bool:
    """Whether equal signed bodies mean a replay: the proof binds the body, but no delivery id."""
    return kind in (HostKind.GITHUB, HostKind.GITEA, HostKind.BITBUCKET)


def _hmac_hex(names: tuple[str, ...], prefix: bytes) -> Callable[[Headers, bytes, bytes], Proof]:
    def check(headers: Headers, body: bytes, secret: bytes) -> Proof:
        sent = _first(headers, names)
        expected = prefix + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
        return _equal(sent, expected)

    return check


def _token(name: str) -> Callable[[Headers, bytes, bytes], Proof]:
    def check(headers: Headers, body: bytes, secret: bytes) -> Proof:
        del body
        return _equal(_first(headers, (name,)), secret)

    return check


_PLAIN: dict[HostKind, Callable[[Headers, bytes, bytes], Proof]] = {
    HostKind.GITHUB: _hmac_hex(("x-hub-signature-256",), b"sha256="),
    HostKind.GITEA: _hmac_hex(("x-gitea-signature", "x-forgejo-signature"), b""),
    HostKind.BITBUCKET: _hmac_hex(("x-hub-signature",), b"sha256="),
    HostKind.GITLAB: _token("x-gitlab-token"),
    HostKind.CODEUP: _token("x-codeup-token"),
}


def _gitee(headers: Headers, secret: bytes, now: datetime, window_s: float) -> Proof:
    """The secret itself, or base64(HMAC(secret, "<milliseconds>\\n<secret>")), URL-quoted or not."""
    sent, stamp = _first(headers, ("x-gitee-token",)), headers.get("x-gitee-timestamp", b"")
    if not sent:
        return Proof.MISSING
    if hmac.compare_digest(sent, secret):
        return Proof.VALID
    signed = base64.b64encode(hmac.new(secret, stamp + b"\n" + secret, hashlib.sha256).digest())
    matches = hmac.compare_digest(sent, signed) | hmac.compare_digest(sent, quote_plus(signed).encode())
    if not matches:
        return Proof.BAD
    return Proof.VALID if _is_fresh(stamp, 1000.0, now, window_s) else Proof.STALE


def _standard(headers: Headers, body: bytes, secret: bytes, now: datetime, window_s: float) -> Proof:
    """Standard Webhooks. The library signs; clock and comparison are ours, since its own ones raise on odd input."""
    sent, stamp = headers.get("webhook-signature", b""), headers.get("webhook-timestamp", b"")
    identity = headers.get("webhook-id", b"")
    if not (sent and stamp and identity):
        return Proof.MISSING
    try:
        text, message_id, signer = body.decode(), identity.decode(), Webhook(secret.decode())
        moment = datetime.fromtimestamp(int(stamp), tz=UTC)
        expected = signer.sign(message_id, moment, text).encode()
    except (ValueError, OverflowError, OSError, RuntimeError, binascii.Error):
        return Proof.BAD
    matches = False
    for one in sent.split(b" ")[:16]:
        matches |= hmac.compare_digest(one, expected)
    if not matches:
        return Proof.BAD
    return Proof.VALID if _is_fresh(stamp, 1.0, now, window_s) else Proof.STALE


def _is_fresh(stamp: bytes, per_second: float, now: datetime, window_s: float) -> bool:
    try:
        return abs(now.timestamp() - int(stamp) / per_second) <= window_s
    except (ValueError, OverflowError):
        return False


def _first(headers: Headers, names: tuple[str, ...]) -> bytes:
    return next((headers[name] for name in names if headers.get(name)), b"")


def _equal(sent: bytes, expected: bytes) -> Proof:
    if not sent:
        return Proof.MISSING
    return Proof.VALID if hmac.compare_digest(sent, expected) else Proof.BAD
