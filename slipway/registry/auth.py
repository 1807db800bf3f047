"""Logging in to a registry: basic, or the distribution specification's bearer token (ACR, Harbor, GHCR, Docker Hub)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

import httpx

from slipway.errors import RegistryRefused, RegistryUnavailable
from slipway.redaction import remember_secret
from slipway.registry.answers import failure
from slipway.registry.credentials import Credentials

_PARAMETER = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_REPOSITORY = re.compile(r"/v2/(?P<name>.+)/(?:manifests|blobs|tags)/")
_ACTIONS = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}
_CLIENT_ID = "slipway"


@dataclass(frozen=True)
class Challenge:
    """What a 401 asks for."""

    scheme: str
    realm: str
    service: str
    scope: str


def parse_challenge(headers: list[str]) -> Challenge | None:
    """The strongest scheme offered in `WWW-Authenticate`; None when neither bearer nor basic is."""
    offers = {}
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        found = dict(_PARAMETER.findall(rest))
        offers[scheme.lower()] = Challenge(
            scheme.lower(), found.get("realm", ""), found.get("service", ""), found.get("scope", "")
        )
    return offers.get("bearer") or offers.get("basic")


class RegistryAuth(httpx.Auth):
    """Answers the registry's own challenges, and nobody else's: a redirect's target never sees credentials."""

    def __init__(self, base: httpx.URL, credentials: Credentials | None, remaining: Callable[[], float]) -> None:
        """`remaining` gives the seconds left of the call that is going on; a token request may use no more."""
        self._base = base
        self._credentials = credentials
        self._remaining = remaining
        self._headers: dict[tuple[str, str], str] = {}

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send with the header known for this repository and action; on a 401 log in once and send again."""
        if not self._is_ours(request.url):
            yield request
            return
        key = _key(request)
        if key in self._headers:
            request.headers["Authorization"] = self._headers[key]
        response = yield request
        if response.status_code != 401 or not self._is_ours(response.url):
            return
        challenge = parse_challenge(response.headers.get_list("www-authenticate"))
        if challenge is None:
            return
        if challenge.scheme == "bearer":
            answer = yield self._token_request(challenge)
            answer.read()
            header = self._bearer(answer)
        elif self._credentials and self._credentials.password:
            header = basic_header(self._credentials)
        else:
            return
        self._headers[key] = header
        request.headers["Authorization"] = header
        yield request

    def _is_ours(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)

    def _token_request(self, challenge: Challenge) -> httpx.Request:
        realm = httpx.URL(challenge.realm)
        if realm.scheme != "https" and self._base.scheme == "https":
            raise RegistryRefused(
                f"registry {self._base.host} wants credentials sent unencrypted to {realm.host}",
                next_step="have the registry's token realm changed to https",
            )
        wanted = {name: getattr(challenge, name) for name in ("service", "scope") if getattr(challenge, name)}
        extensions = {"timeout": httpx.Timeout(self._remaining()).as_dict()}
        if self._credentials and self._credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": _CLIENT_ID,
                "refresh_token": self._credentials.identity_token,
            }
            return httpx.Request("POST", realm, data={**form, **wanted}, extensions=extensions)
        headers = {"Authorization": basic_header(self._credentials)} if self._credentials else {}
        params = realm.params.merge(wanted)
        return httpx.Request("GET", realm, params=params, headers=headers, extensions=extensions)

    def _bearer(self, answer: httpx.Response) -> str:
        if answer.status_code != 200:
            raise failure(
                answer.status_code,
                answer.headers,
                answer.content,
                registry=self._base.netloc.decode(),
                subject=f"login at {answer.request.url.host}",
                anonymous=self._credentials is None,
            )
        try:
            said = answer.json()
            token = said.get("token") or said["access_token"]
        except (ValueError, KeyError, AttributeError) as broken:
            raise RegistryUnavailable(
                f"the token service {answer.request.url.host} answered without a token",
                next_step="try again later; see the registry's own log",
            ) from broken
        remember_secret(str(token))
        return f"Bearer {token}"


def basic_header(credentials: Credentials) -> str:
    """The header of HTTP basic authentication; its encoded form is remembered as a secret, too."""
    encoded = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    remember_secret(encoded)
    return f"Basic {encoded}"


def _key(request: httpx.Request) -> tuple[str, str]:
    found = _REPOSITORY.match(request.url.path)
    return (found["name"] if found else "", _ACTIONS.get(request.method, "push"))
