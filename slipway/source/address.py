"""Where a repository is, taken apart so that its credentials travel apart from its address.

Git itself would keep a token that came in a URL: in its config, on its helpers' command lines and in its messages.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from slipway.errors import SourceError, UserError

# A user name without a password is a token when it is as long as one: the shortest in use today have 20 characters.
_TOKEN_LENGTH = 20


@dataclass(frozen=True)
class Address:
    """`location` may be shown, stored and passed to git; `settings` (git config) and `secrets` may not."""

    location: str
    local: bool
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """Names the mirror of this repository: the same for every credential."""
        return hashlib.sha256(self.location.encode()).hexdigest()[:32]


def parse_address(repository: str) -> Address:
    """Read a URL, an scp-like `user@host:path` or a local path; raises `SourceError` without repeating the input."""
    text = repository.strip()
    if not text or text.startswith("-"):
        raise SourceError(
            "that is not the address of a repository",
            next_step="give a URL, user@host:path, or a folder such as '.'",
        )
    if "://" in text:
        return _parse_url(text)
    return Address(text, local=":" not in text.partition("/")[0])


def refuse_credentials(repository: str) -> None:
    """Raise `UserError`, without repeating it, for an address with a secret in it: run parameters are kept as text."""
    if parse_address(repository).secrets:
        raise UserError(
            "the repository's URL holds credentials, and a run's parameters are stored in plain text",
            next_step="leave them out and give them to git: `git credential approve`, or an SSH key; "
            "a token that a run was already given has to be revoked",
        )


def _parse_url(text: str) -> Address:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as broken:
        raise SourceError(
            "the address of the repository is not a valid URL",
            next_step="percent-encode '/', '@', '#' and ':' in its user name and password",
        ) from broken
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    if parts.scheme in ("http", "https"):
        return _web(_without_userinfo(parts, host), f"{parts.scheme}://{host}", user, password)
    login = f"{quote(user)}@{host}" if user else host
    return Address(_without_userinfo(parts, login), local=False, secrets=(password,) if password else ())


def _without_userinfo(parts: SplitResult, netloc: str) -> str:
    return urlunsplit(parts._replace(netloc=netloc))


def _web(location: str, origin: str, user: str, password: str) -> Address:
    if not user and not password:
        return Address(location, local=False)
    if not password and len(user) < _TOKEN_LENGTH:
        return Address(location, local=False, settings=((f"credential.{origin}.username", user),))
    # A header, and not an askpass answer: git hands an accepted answer to the credential helpers, and some store it.
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    secrets = [basic, password, quote(password, safe="")]
    if len(user) >= _TOKEN_LENGTH:
        secrets += [user, quote(user, safe="")]
    return Address(
        location,
        local=False,
        settings=((f"http.{location}.extraHeader", f"Authorization: Basic {basic}"),),
        secrets=tuple(dict.fromkeys(secret for secret in secrets if secret)),
    )
