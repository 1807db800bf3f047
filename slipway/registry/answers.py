"""From a registry's refusal to an error that says what to do. Pure.

Status codes and error codes as in the OCI distribution specification; Harbor and Alibaba ACR differ as noted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from slipway.errors import RegistryRefused, RegistryUnavailable, SlipwayError

_BUSY = (408, 429)
_SAID_LIMIT = 300


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, registry: str, subject: str, anonymous: bool
) -> SlipwayError:
    """The error for an answer that is not a success; `headers` is looked up in lower case.

    `anonymous`: no credentials were known for this registry.
    """
    code, said = _said(body)
    heard = f" ({said})" if said else ""
    if status in _BUSY or status >= 500 or code == "TOOMANYREQUESTS":
        return RegistryUnavailable(
            f"registry {registry} answered {status}{heard}",
            subject=subject,
            next_step=_when(headers.get("retry-after", "")),
        )
    what, next_step = _refusal(status, code, registry, anonymous)
    return RegistryRefused(f"{what}: {status}{heard}", subject=subject, next_step=next_step)


def _refusal(status: int, code: str, registry: str, anonymous: bool) -> tuple[str, str]:
    if status == 401:
        return (
            f"registry {registry} wants credentials, and none are known"
            if anonymous
            else f"registry {registry} does not accept these credentials",
            f"run `docker login {registry}` or set the registry credentials block; "
            "check that the account may push to this repository",
        )
    if status == 403 or code == "DENIED":
        return (
            f"registry {registry} denies this",
            "give the account the right to push (Harbor: project role Developer; ACR: namespace with auto-creation)",
        )
    if status == 404:
        return (
            f"registry {registry} does not hold this",
            "check the name; Harbor and ACR need the project to exist first",
        )
    if status == 405 or code == "UNSUPPORTED":
        return f"registry {registry} does not offer this", "deleting needs REGISTRY_STORAGE_DELETE_ENABLED=true"
    if status == 412:  # Harbor's answer when a tag matches an immutability rule
        return (
            f"registry {registry} keeps this tag immutable",
            "use a new tag, or change the registry's immutability rule",
        )
    return f"registry {registry} refused the request", "read the registry's own words above and its log"


def _said(body: bytes) -> tuple[str, str]:
    """The first error's code and words; a body that is no error document is quoted as it is."""
    try:
        first = json.loads(body)["errors"][0]
        code = str(first.get("code", "")).upper()
        return code, f"{code}: {first.get('message', '')}"[:_SAID_LIMIT]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        text = " ".join(body.decode("utf-8", "replace").split())
        return "", text[:_SAID_LIMIT] if text and not text.startswith("<") else ""


def _when(retry_after: str) -> str:
    if retry_after.isdigit():
        return f"it asks to wait {retry_after} s; nothing was changed by this request"
    return "try again later; see the registry's own log or status page"
