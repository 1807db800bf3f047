"""What a build gave, into the build registry by digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from slipway.identity import Digest, Repository, Tag
from slipway.image.assemble import settled_config, with_config
from slipway.image.builder import Builder, BuildRequest
from slipway.registry.client import RegistryClient


def build_and_settle(
    builder: Builder,
    request: BuildRequest,
    client: RegistryClient,
    repository: Repository,
    created: datetime,
    *,
    deadline_s: float,
    on_line: Callable[[str], None],
) -> Digest:
    """Build, push, and replace the builder's config by one that depends on content alone; the result's digest."""
    builder.build(request, deadline_s=deadline_s, on_line=on_line)
    raw = client.manifest(repository, Tag(request.destination.rsplit(":", 1)[1]))
    config = client.blob(repository, Digest(json.loads(raw.body)["config"]["digest"]))
    settled = settled_config(config, created, request.labels)
    client.put_blob(repository, settled)
    manifest = with_config(raw, settled)
    client.put_manifest(repository, manifest)
    if raw.digest != manifest.digest:
        client.delete_manifest(repository, raw.digest)
    return manifest.digest
