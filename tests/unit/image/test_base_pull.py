"""How a pinned base is copied: TLS everywhere but on this machine, and credentials that stand in no command line."""

from __future__ import annotations

from pathlib import Path

from slipway.image.base import Login, copy_command

DIGEST = "sha256:" + "5" * 64
PINNED = f"docker.io/library/python:3.11-slim@{DIGEST}"


def test_a_registry_elsewhere_is_verified_and_entered_with_its_credentials() -> None:
    command = copy_command(PINNED, "registry.example.com/slipway/python:k", Login(False, Path("/run/login.json")))
    assert not [word for word in command if "tls-verify" in word]
    assert command[command.index("--dest-authfile") + 1] == "/run/login.json"
    assert command[-1] == "docker://registry.example.com/slipway/python:k"


def test_only_a_registry_of_this_machine_speaks_plain_http() -> None:
    command = copy_command(PINNED, "127.0.0.1:5050/slipway/python:k", Login(plain=True))
    assert [word for word in command if "tls-verify" in word] == ["--dest-tls-verify=false"]
    assert "--dest-authfile" not in command
    both = copy_command(f"127.0.0.1:5050/python@{DIGEST}", "127.0.0.1:5050/slipway/python:k", Login(plain=True))
    assert {"--src-tls-verify=false", "--dest-tls-verify=false"} < set(both)


def test_the_digest_alone_says_what_is_pulled_also_from_a_registry_with_a_port() -> None:
    for pinned, source in {
        PINNED: f"docker://docker.io/library/python@{DIGEST}",
        f"mirror.example.com:5000/python@{DIGEST}": f"docker://mirror.example.com:5000/python@{DIGEST}",
        f"mirror.example.com:5000/python:3@{DIGEST}": f"docker://mirror.example.com:5000/python@{DIGEST}",
    }.items():
        assert copy_command(pinned, "r/x:k", Login(plain=False))[-2] == source
