"""Manifests and configs written by us: a bootstrapped base, and a built image without its builder's fingerprints.

Pure: bytes in, bytes out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from slipway.registry.manifest import OCI_MANIFEST, Manifest, digest_of

# What Docker-format builders add that differs from build to build, or names the machine that built.
_FINGERPRINTS = ("container", "container_config", "parent", "docker_version", "author")


def single_layer_manifest(config: bytes, layer: bytes) -> Manifest:
    """The manifest of an image of one gzipped layer."""
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    }
    return Manifest.of(_dump(body), OCI_MANIFEST)


def settled_config(config: bytes, created: datetime, labels: Mapping[str, str]) -> bytes:
    """A config that depends on the image's content alone, with these labels; `created` is the commit's time."""
    kept: dict[str, Any] = {key: value for key, value in json.loads(config).items() if key not in _FINGERPRINTS}
    when = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    kept["created"] = when
    kept["config"].pop("Hostname", None)
    kept["config"]["Labels"] = {**(kept["config"].get("Labels") or {}), **labels}
    kept["history"] = [
        {**{key: value for key, value in step.items() if key in ("created_by", "empty_layer")}, "created": when}
        for step in kept.get("history", [])
    ]
    return _dump(kept)


def with_config(manifest: Manifest, config: bytes) -> Manifest:
    """The same layers under another config."""
    body = json.loads(manifest.body)
    body["config"] = _descriptor(body["config"]["mediaType"], config)
    return Manifest.of(_dump(body), manifest.media_type)


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def _dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
