"""What a digest names: the exact bytes of a manifest. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from slipway.identity import Digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MEDIA_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST)


def digest_of(data: bytes) -> Digest:
    """The content identity of `data`."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry holds it; `body` is never re-serialised, or the digest would change."""

    digest: Digest
    media_type: str
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, body: bytes, media_type: str) -> Manifest:
        """A manifest whose digest is computed from its bytes."""
        return cls(digest_of(body), media_type, body)

    @property
    def is_index(self) -> bool:
        """Whether it lists one manifest per platform rather than layers."""
        return self.media_type in (OCI_INDEX, DOCKER_LIST)
