"""The registry client against a real registry, and credential helpers as real programs."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from slipway.errors import DeadlineExceeded, HostNotReady, RegistryRefused, RegistryUnavailable
from slipway.identity import Digest, Repository, Tag
from slipway.registry.client import RegistryClient
from slipway.registry.credentials import Credentials, read_credentials
from slipway.registry.manifest import OCI_MANIFEST, Manifest, digest_of

pytestmark = pytest.mark.engine

CONFIG = b'{"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}'


class Registry(Protocol):
    """What the `registry` fixture gives."""

    host: str


@pytest.fixture
def client(registry: Registry) -> Iterator[RegistryClient]:
    with RegistryClient(registry.host, insecure=True, deadline_s=10) as one:
        yield one


@pytest.fixture
def repository(registry: Registry) -> Repository:
    return Repository(registry.host, f"test/{uuid4().hex}")


def store_image(client: RegistryClient, repository: Repository, layer: bytes) -> Manifest:
    """An image of one layer under its digest; odd white space, so that re-serialising would change the digest."""
    config, digest = client.put_blob(repository, CONFIG), client.put_blob(repository, layer)
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": len(CONFIG)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(layer)}],
    }
    manifest = Manifest.of(json.dumps(content, indent=5).encode() + b"\n", OCI_MANIFEST)
    client.put_manifest(repository, manifest)
    return manifest


def test_the_registry_answers(client: RegistryClient) -> None:
    client.ping()


def test_what_was_stored_comes_back_byte_for_byte(client: RegistryClient, repository: Repository) -> None:
    stored = store_image(client, repository, b"layer" * 1000)
    assert client.manifest(repository, stored.digest) == stored
    assert client.blob(repository, digest_of(b"layer" * 1000)) == b"layer" * 1000


def test_promotion_gives_a_tag_the_same_digest(client: RegistryClient, repository: Repository) -> None:
    stored = store_image(client, repository, b"one")
    client.put_tag(repository, client.manifest(repository, stored.digest), Tag("v1"))
    client.put_tag(repository, client.manifest(repository, Tag("v1")), Tag("stable"))
    assert client.tags(repository) == ("stable", "v1")
    assert client.digest(repository, Tag("stable")) == stored.digest
    assert client.manifest(repository, Tag("stable")).body == stored.body


def test_a_tag_moves_to_another_digest(client: RegistryClient, repository: Repository) -> None:
    first, second = store_image(client, repository, b"one"), store_image(client, repository, b"two")
    client.put_tag(repository, first, Tag("main"))
    client.put_tag(repository, second, Tag("main"))
    assert client.digest(repository, Tag("main")) == second.digest
    assert client.manifest(repository, first.digest) == first


def test_a_repository_that_is_not_there_has_no_tags(client: RegistryClient, repository: Repository) -> None:
    assert client.tags(repository) == ()
    assert client.digest(repository, Tag("v1")) is None


def test_a_digest_that_is_not_there_is_refused_by_name(client: RegistryClient, repository: Repository) -> None:
    absent = Digest("sha256:" + "0" * 64)
    with pytest.raises(RegistryRefused, match=r"MANIFEST_UNKNOWN|NAME_UNKNOWN") as raised:
        client.manifest(repository, absent)
    assert raised.value.subject == repository.at(absent)


def test_a_manifest_whose_layers_are_absent_is_refused(client: RegistryClient, repository: Repository) -> None:
    elsewhere = store_image(client, repository, b"one")
    with pytest.raises(RegistryRefused, match=r"(?i)unknown"):
        client.put_tag(Repository(repository.registry, f"{repository.name}/copy"), elsewhere, Tag("v1"))


def test_a_deleted_manifest_takes_its_tags_along(client: RegistryClient, repository: Repository) -> None:
    stored = store_image(client, repository, b"one")
    client.put_tag(repository, stored, Tag("v1"))
    client.delete_manifest(repository, stored.digest)
    client.delete_manifest(repository, stored.digest)
    assert client.digest(repository, Tag("v1")) is None


def test_https_to_a_plain_registry_says_so(registry: Registry) -> None:
    with (
        RegistryClient(registry.host, deadline_s=10) as one,
        pytest.raises(RegistryRefused, match="does not speak TLS"),
    ):
        one.ping()


def test_a_registry_that_is_down_is_a_temporary_error(unused_tcp_port: int) -> None:
    one = RegistryClient(f"127.0.0.1:{unused_tcp_port}", insecure=True, deadline_s=5)
    with one, pytest.raises(RegistryUnavailable, match="cannot be reached"):
        one.ping()


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Docker config that asks `docker-credential-planted`, which tests write as a script of their own."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "config.json").write_text('{"credHelpers": {"registry.example.com": "planted"}}', encoding="utf-8")
    return tmp_path


def ask(folder: Path, script: str) -> Credentials | None:
    program = folder / "docker-credential-planted"
    program.write_text(f"#!/bin/sh\nread server\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return read_credentials("registry.example.com", folder / "config.json", deadline_s=1)


def test_a_helper_is_asked_for_this_registry_on_stdin(helper: Path) -> None:
    script = 'printf \'{"ServerURL": "%s", "Username": "%s", "Secret": "pa55word"}\' "$server" "$server-$1"'
    assert ask(helper, script) == Credentials("registry.example.com-get", "pa55word")


def test_a_helper_may_hold_an_identity_token(helper: Path) -> None:
    found = ask(helper, 'printf \'{"Username": "<token>", "Secret": "refresh-me"}\'')
    assert found == Credentials("<token>", identity_token="refresh-me")


def test_a_helper_without_an_entry_means_no_credentials(helper: Path) -> None:
    assert ask(helper, 'echo "credentials not found in native keychain"; exit 1') is None


def test_a_helper_that_fails_is_named_with_its_words(helper: Path) -> None:
    with pytest.raises(RegistryRefused, match="docker-credential-planted") as raised:
        ask(helper, 'echo "keychain is locked" >&2; exit 1')
    assert "keychain is locked" in raised.value.tail


def test_a_helper_that_hangs_is_stopped_at_its_deadline(helper: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        ask(helper, "sleep 60")


def test_a_helper_that_is_not_installed_is_named(helper: Path) -> None:
    with pytest.raises(HostNotReady, match="docker-credential-planted"):
        read_credentials("registry.example.com", helper / "config.json", deadline_s=1)


def test_what_a_helper_prints_out_of_protocol_is_not_repeated(helper: Path) -> None:
    with pytest.raises(RegistryRefused) as raised:
        ask(helper, "echo raw-planted-secret")
    assert "raw-planted-secret" not in str(raised.value)
    assert raised.value.__cause__ is None
