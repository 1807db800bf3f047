"""What docker-py raises, as Slipway's own errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import requests
from docker.errors import APIError, DockerException, NotFound

from slipway.errors import EngineUnavailable, PermanentError, PortTaken


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """docker-py's failures become ours; `NotFound` stays, for those who expect it."""
    try:
        yield
    except NotFound:
        raise
    except APIError as refused:
        raise _refusal(refused) from refused
    except (DockerException, requests.exceptions.RequestException) as gone:
        raise EngineUnavailable(
            "the Docker Engine does not answer",
            tail=str(gone),
            next_step="start it (`systemctl start docker`, or `make up`), then run the same command again",
        ) from gone


def _refusal(refused: APIError) -> Exception:
    text = str(refused.explanation or refused)
    if "port is already allocated" in text or "address already in use" in text:
        port = re.search(r":(\d+)(?::| failed)", text)
        named = f"port {port[1]}" if port else "a port"
        return PortTaken(
            f"{named}, which Slipway needs, is taken by another program",
            tail=text,
            next_step="stop that program (`ss -ltnp` names it), or take others: SLIPWAY_PORT_OFFSET for services, "
            "SLIPWAY_REGISTRY_PORT for the registry",
        )
    if refused.is_server_error() and "connection refused" in text:
        return EngineUnavailable(
            "the engine could not reach the registry",
            tail=text,
            next_step="`slipway doctor` says whether it runs, `slipway up` starts the local one",
        )
    return PermanentError(
        "the Docker Engine refused",
        tail=text,
        next_step="mend what it names above, then run again; see `slipway doctor`",
    )
