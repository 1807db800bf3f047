from __future__ import annotations

from pathlib import Path

import pytest

from slipway.errors import UserError
from slipway.host.harbour import RouterPorts
from slipway.rollout.environment import load_environment

FILE = """
local:
  services:
    toy: { live: 8080, preview: 8081 }
production:
  registry: registry.example.com
  services: {}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "environments.yaml"
    path.write_text(FILE)
    return path


def test_the_ports_of_an_installation_move_together(file: Path) -> None:
    assert load_environment(file, "local", 0).ports("toy") == RouterPorts(8080, 8081)
    assert load_environment(file, "local", 100).ports("toy") == RouterPorts(8180, 8181)


def test_an_environment_keeps_its_own_registry(file: Path) -> None:
    assert load_environment(file, "production", 0).registry == "registry.example.com"


def test_a_service_without_ports_says_the_line_to_add(file: Path) -> None:
    with pytest.raises(UserError, match="production has no ports for toy") as unknown:
        load_environment(file, "production", 0).ports("toy")
    assert "toy: { live:" in unknown.value.next_step


def test_an_unknown_environment_lists_those_there_are(file: Path) -> None:
    with pytest.raises(UserError) as unknown:
        load_environment(file, "prod", 0)
    assert unknown.value.next_step == "choose one of: local, production"


@pytest.mark.parametrize(
    "text",
    [
        "local: { services: { toy: { live: 8080 } } }",
        "local: { services: { toy: { live: 8080, preview: 8081, extra: 1 } } }",
        "local: { service: {} }",
        "local: {",
        "[local]",
        "nowhere: { services: {} }",
    ],
)
def test_a_file_that_cannot_be_used_is_the_users_to_mend(tmp_path: Path, text: str) -> None:
    path = tmp_path / "environments.yaml"
    path.write_text(text)
    with pytest.raises(UserError):
        load_environment(path, text.partition(":")[0], 0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        load_environment(tmp_path / "environments.yaml", "local", 0)


def test_the_committed_environments_are_usable() -> None:
    file = Path(__file__).parents[3] / "deployments" / "environments.yaml"
    ports = [load_environment(file, name, 0).ports("mgeo") for name in ("local", "staging", "production")]
    assert len({port for pair in ports for port in (pair.live, pair.preview)}) == 6
