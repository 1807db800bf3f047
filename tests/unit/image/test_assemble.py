from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from slipway.image.assemble import settled_config, single_layer_manifest, with_config
from slipway.registry.manifest import DOCKER_MANIFEST, OCI_MANIFEST, Manifest, digest_of
from tests.unit.values import NOON

LABELS = {"c": "4", "b": "3"}


def built(**changes: Any) -> bytes:
    """A config as a Docker-format builder writes it."""
    config = {
        "architecture": "amd64",
        "created": "2026-11-20T11:59:31.5Z",
        "container": "f00",
        "docker_version": "20.10",
        "parent": "sha256:1",
        "config": {"Cmd": ["serve"], "Hostname": "builder-7", "User": "65532", "Labels": {"b": "2", "a": "1"}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:2"]},
        "history": [
            {"created": "2026-11-20T11:59:30Z", "created_by": "COPY . /app", "comment": "buildkit.v0"},
            {"created": "2026-11-20T11:59:31Z", "created_by": "USER 65532", "empty_layer": True},
        ],
    }
    return json.dumps(config | changes).encode()


def test_a_config_keeps_content_and_loses_what_differs_from_build_to_build() -> None:
    settled = json.loads(settled_config(built(), NOON, LABELS))
    assert settled["config"] == {"Cmd": ["serve"], "User": "65532", "Labels": {"a": "1", "b": "3", "c": "4"}}
    assert settled["rootfs"] == {"type": "layers", "diff_ids": ["sha256:2"]}
    assert settled["created"] == "2026-11-20T12:00:00Z"
    assert settled["history"] == [
        {"created_by": "COPY . /app", "created": "2026-11-20T12:00:00Z"},
        {"created_by": "USER 65532", "empty_layer": True, "created": "2026-11-20T12:00:00Z"},
    ]
    assert not {"container", "docker_version", "parent"} & settled.keys()


def test_two_builds_that_differ_in_clock_and_machine_settle_to_the_same_bytes() -> None:
    other = built(created="2027-01-01T00:00:00Z", container="bar", docker_version="27", parent="sha256:9")
    assert settled_config(built(), NOON, LABELS) == settled_config(other, NOON, LABELS)


def test_settling_twice_changes_nothing_and_other_content_does() -> None:
    once = settled_config(built(), NOON, LABELS)
    assert settled_config(once, NOON, LABELS) == once
    assert settled_config(built(), NOON + timedelta(seconds=1), LABELS) != once
    assert settled_config(built(rootfs={"type": "layers", "diff_ids": ["sha256:3"]}), NOON, LABELS) != once


def test_the_order_of_labels_does_not_show_and_their_values_do() -> None:
    turned = dict(reversed(list(LABELS.items())))
    assert settled_config(built(), NOON, turned) == settled_config(built(), NOON, LABELS)
    assert settled_config(built(), NOON, {**LABELS, "c": "5"}) != settled_config(built(), NOON, LABELS)


def test_a_config_without_labels_gets_them() -> None:
    assert json.loads(settled_config(built(config={}), NOON, LABELS))["config"]["Labels"] == LABELS


def test_a_config_without_history_settles() -> None:
    config = {key: value for key, value in json.loads(built()).items() if key != "history"}
    assert json.loads(settled_config(json.dumps(config).encode(), NOON, LABELS))["history"] == []


def test_a_bootstrapped_base_is_one_layer_under_its_config() -> None:
    manifest = single_layer_manifest(b"config", b"layer")
    body = json.loads(manifest.body)
    assert manifest.media_type == body["mediaType"] == OCI_MANIFEST
    assert manifest.digest == f"sha256:{hashlib.sha256(manifest.body).hexdigest()}"
    assert body["config"]["digest"] == digest_of(b"config")
    assert [layer["digest"] for layer in body["layers"]] == [digest_of(b"layer")]
    assert [part["size"] for part in (body["config"], *body["layers"])] == [len(b"config"), len(b"layer")]


def test_another_config_leaves_layers_and_media_types_alone() -> None:
    config_type = "application/vnd.docker.container.image.v1+json"
    layers = [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest_of(b"l"), "size": 1}]
    body = {"schemaVersion": 2, "config": {"mediaType": config_type, "digest": digest_of(b"a"), "size": 1}}
    before = Manifest.of(json.dumps(body | {"layers": layers}).encode(), DOCKER_MANIFEST)
    after = with_config(before, b"new config")
    changed = json.loads(after.body)
    assert after.media_type == DOCKER_MANIFEST
    assert changed["layers"] == layers
    assert changed["config"] == {"mediaType": config_type, "digest": digest_of(b"new config"), "size": 10}
    assert after.digest == digest_of(after.body) != before.digest
