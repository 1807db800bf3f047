"""Secrets never reach a log, an error or the ledger: every line passes here first."""

from __future__ import annotations

import re

# A password may hold an @ itself, so the last one before the path ends the credentials.
_URL_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s\"]+@(?!sha256:)", re.IGNORECASE)
# The end of a name decides: GITHUB_TOKEN and db-password are keys, too; a tokenizer is none.
_NAME = r"(?:password|passwd|token|secret|authorization|(?:api|access|private|secret)[_-]?key)"
_KEYED = re.compile(
    rf"(?P<key>{_NAME}[\"']?\s*[:=]\s*[\"']?|--{_NAME}\s+)(?P<value>(?:(?:basic|bearer|token)\s+)?[^\s\"',;&]+)",
    re.IGNORECASE,
)
_known: set[str] = set()


def remember_secret(value: str) -> None:
    """Hide this exact value in everything said from now on; short values would blank out ordinary words."""
    if len(value) >= 6:
        _known.add(value)


def redact(text: str) -> str:
    """`text` with URL credentials, keyed secrets and every remembered value replaced by ***."""
    for value in sorted(_known.copy(), key=len, reverse=True):  # one secret may be the beginning of another
        text = text.replace(value, "***")
    text = _URL_CREDENTIALS.sub(r"\g<scheme>***@", text)
    return _KEYED.sub(r"\g<key>***", text)
