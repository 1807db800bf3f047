"""Credentials from a Docker config.json (plain entries; helpers are tested where processes may run)."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import UserError
from slipway.registry.credentials import Credentials, config_path, read_credentials

AUTH = base64.b64encode(b"robot:pa:ss-word").decode()


def read(tmp_path: Path, registry: str, content: Any) -> Credentials | None:
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_credentials(registry, path, deadline_s=5)


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("registry.example.com", "registry.example.com"),
        ("registry.example.com:5000", "https://registry.example.com:5000"),
        ("registry.example.com", "https://registry.example.com/v2/"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_the_entry_of_a_registry_is_found_however_docker_wrote_it(tmp_path: Path, registry: str, key: str) -> None:
    found = read(tmp_path, registry, {"auths": {"other.example.com": {"auth": "eDp5"}, key: {"auth": AUTH}}})
    assert found == Credentials("robot", "pa:ss-word")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"auths": {}},
        {"auths": {"registry.example.com": {}}},
        {"auths": {"example.com": {"auth": AUTH}}},
        {"auths": None},
    ],
)
def test_no_entry_means_no_credentials(tmp_path: Path, content: dict[str, Any]) -> None:
    assert read(tmp_path, "registry.example.com", content) is None


def test_no_file_means_no_credentials(tmp_path: Path) -> None:
    assert read_credentials("registry.example.com", tmp_path / "none.json", deadline_s=5) is None


def test_an_identity_token_wins_over_the_user_name(tmp_path: Path) -> None:
    entry = {"auth": base64.b64encode(b"<token>:").decode(), "identitytoken": "refresh-me"}
    assert read(tmp_path, "r.example.com", {"auths": {"r.example.com": entry}}) == Credentials(
        "<token>", identity_token="refresh-me"
    )


@pytest.mark.parametrize(
    "content", ["{", "[]", {"auths": {"r.io": {"auth": "%%%"}}}, {"auths": {"r.io": {"auth": "eA=="}}}]
)
def test_a_broken_file_is_the_users_to_mend_and_is_named(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UserError, match=r"config\.json") as raised:
        read(tmp_path, "r.io", content)
    assert raised.value.next_step


@pytest.mark.parametrize("helper", ["../../bin/sh", "a b", "x;y", "/abs"])
def test_a_helper_name_that_is_a_path_or_a_command_is_refused(tmp_path: Path, helper: str) -> None:
    with pytest.raises(UserError, match="credential helper"):
        read(tmp_path, "r.io", {"credHelpers": {"r.io": helper}})


def test_neither_secret_shows_in_the_representation() -> None:
    shown = repr(Credentials("robot", "pa:ss-word", "refresh-me"))
    assert "robot" in shown
    assert "pa:ss-word" not in shown
    assert "refresh-me" not in shown


def test_the_config_folder_follows_the_environment() -> None:
    assert config_path({"DOCKER_CONFIG": "/etc/robot"}, Path("/home/x")) == Path("/etc/robot/config.json")
    assert config_path({}, Path("/home/x")) == Path("/home/x/.docker/config.json")
