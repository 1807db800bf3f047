"""Signs deliveries as each host does, written apart from the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

from slipway.webhooks.signatures import HostKind

SECRET = b"correct horse battery staple"
SIGNING_SECRET = b"whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef")


def hex_hmac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


def standard(secret: bytes, message_id: bytes, body: bytes, at: datetime) -> dict[str, bytes]:
    stamp = str(int(at.timestamp())).encode()
    key = base64.b64decode(secret.removeprefix(b"whsec_"))
    digest = hmac.new(key, message_id + b"." + stamp + b"." + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": b"v1," + base64.b64encode(digest),
    }


def gitee(secret: bytes, at: datetime) -> dict[str, bytes]:
    stamp = str(int(at.timestamp() * 1000)).encode()
    digest = hmac.new(secret, stamp + b"\n" + secret, hashlib.sha256).digest()
    return {"x-gitee-timestamp": stamp, "x-gitee-token": base64.b64encode(digest)}


def signature(kind: HostKind, headers: dict[str, bytes], body: bytes, secret: bytes, at: datetime) -> dict[str, bytes]:
    """The headers that prove knowledge of `secret`."""
    if kind is HostKind.GITHUB:
        return {"x-hub-signature-256": b"sha256=" + hex_hmac(secret, body)}
    if kind is HostKind.BITBUCKET:
        return {"x-hub-signature": b"sha256=" + hex_hmac(secret, body)}
    if kind is HostKind.GITEA:
        return {"x-gitea-signature": hex_hmac(secret, body)}
    if kind is HostKind.GITEE:
        return gitee(secret, at)
    if kind is HostKind.CODEUP:
        return {"x-codeup-token": secret}
    if kind is HostKind.GITLAB and not secret.startswith(b"whsec_"):
        return {"x-gitlab-token": secret}
    identity = headers.get("webhook-id") or headers.get("idempotency-key") or b"msg_0"
    return standard(secret, identity, body, at)


def secret_for(kind: HostKind) -> bytes:
    return SIGNING_SECRET if kind is HostKind.GENERIC else SECRET
