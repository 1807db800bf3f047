"""The settings file: every problem at once, and never a secret in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.webhook.configuration import load, resolve
from slipway.errors import UserError
from slipway.webhooks.signatures import HostKind

GOOD = """
admin_token: {env: ADMIN}
sources:
  - kind: gitlab
    host: gitlab.example.com
    secrets: [{file: SECRET_FILE}, {env: OLD}]
    repositories: [{name: Acme/MGeo}, {name: acme/other, url: "ssh://git@mirror/acme/other"}]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "webhook.yaml"
    path.write_text(text.replace("SECRET_FILE", str(tmp_path / "secret")))
    return path


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-file\n")
    receiver = resolve(load(write(tmp_path, GOOD)), {"ADMIN": "admin-token", "OLD": "old-secret"})
    (source,) = receiver.sources
    assert source.secrets == (b"from-the-file", b"old-secret")
    assert (source.kind, source.host) == (HostKind.GITLAB, "gitlab.example.com")
    assert source.repositories == {"acme/mgeo": "", "acme/other": "ssh://git@mirror/acme/other"}
    assert "from-the-file" not in repr(receiver)


def test_the_example_is_valid() -> None:
    example = Path(__file__).parents[3] / "deployments" / "webhook" / "webhook.example.yaml"
    assert [source.kind for source in load(example).sources] == [HostKind.GITHUB, HostKind.GITLAB]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "admin_token: {env: A, file: b}\nsources: [{kind: svn, secrets: [], repositories: []}]\nbody_limit: 3\n"
    with pytest.raises(UserError) as told:
        load(write(tmp_path, text))
    for place in ("admin_token", "sources.0.kind", "sources.0.secrets", "sources.0.repositories", "body_limit"):
        assert place in str(told.value)


@pytest.mark.parametrize("text", [":\n  - [", "\x00", "- just\n- a list\n"])
def test_a_broken_file_is_told_plainly(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError):
        load(write(tmp_path, text))


@pytest.mark.parametrize("content", ["", "\n", None])
def test_an_empty_or_missing_secret_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "secret").write_text(content)
    with pytest.raises(UserError, match="secret"):
        resolve(load(write(tmp_path, GOOD)), {"ADMIN": "admin-token", "OLD": "old-secret"})
