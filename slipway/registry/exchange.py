"""One HTTP exchange with a registry: deadline over all of it, bounded body, failures as our errors."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from slipway.errors import RegistryRefused, RegistryUnavailable, SlipwayError
from slipway.registry.answers import failure
from slipway.registry.auth import RegistryAuth
from slipway.registry.credentials import Credentials

_HUB_HOSTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


@dataclass(frozen=True)
class Answer:
    """A registry's answer with its whole body; header names in any case."""

    status: int
    url: httpx.URL
    headers: httpx.Headers
    body: bytes
    next_page: str


class Exchange:
    """Talks to one registry; all requests between two calls of `start` share one deadline."""

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None,
        *,
        insecure: bool,
        deadline_s: float,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self.registry = registry
        self._anonymous = credentials is None
        self._deadline_s = deadline_s
        self._ends = 0.0
        base = httpx.URL(f"{'http' if insecure else 'https'}://{_HUB_HOSTS.get(registry, registry)}")
        self._http = httpx.Client(
            base_url=base,
            auth=RegistryAuth(base, credentials, self._remaining),
            headers={"User-Agent": "slipway"},
            transport=transport,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def start(self) -> None:
        """A new call begins, and with it its deadline."""
        self._ends = time.monotonic() + self._deadline_s

    def ask(
        self, method: str, url: str, *, subject: str, limit: int, also_ok: tuple[int, ...] = (), **options: Any
    ) -> Answer:
        """Send and read at most `limit` bytes of body; anything but 2xx or `also_ok` raises."""
        try:
            request = self._http.build_request(method, url, timeout=self._remaining(), **options)
            response = self._http.send(request, stream=True, follow_redirects=method in ("GET", "HEAD"))
            try:
                body = self._read(response, limit, subject)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error, subject) from error
        status, headers = response.status_code, response.headers
        if not response.is_success and status not in also_ok:
            raise failure(status, headers, body, registry=self.registry, subject=subject, anonymous=self._anonymous)
        return Answer(status, response.url, headers, body, response.links.get("next", {}).get("url", ""))

    def _remaining(self) -> float:
        return max(self._ends - time.monotonic(), 0.001)

    def _read(self, response: httpx.Response, limit: int, subject: str) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                raise RegistryRefused(
                    f"registry {self.registry} sent more than {limit // 2**20} MiB for a small document",
                    subject=subject,
                    next_step="check that the address is a registry and the reference is not a layer",
                )
            if time.monotonic() > self._ends:
                raise httpx.ReadTimeout("the body came too slowly")
        return bytes(body)

    def _unreachable(self, error: Exception, subject: str) -> SlipwayError:
        said = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in said:
            return RegistryRefused(
                f"the certificate of registry {self.registry} is not trusted: {said}",
                subject=subject,
                next_step="install the registry's CA on this machine (and in /etc/docker/certs.d for the engine)",
            )
        if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said:
            return RegistryRefused(
                f"registry {self.registry} does not speak TLS",
                subject=subject,
                next_step="use its https address, or mark this registry as insecure if it is your own",
            )
        late = isinstance(error, httpx.TimeoutException)
        what = f"did not answer within {self._deadline_s:g} s" if late else f"cannot be reached ({said})"
        return RegistryUnavailable(
            f"registry {self.registry} {what}",
            subject=subject,
            next_step="check the address, that the registry runs, and the network between",
        )
