"""The doctor on this very machine, and on one whose engine is away."""

import socket
import tempfile
from pathlib import Path

import pytest

from slipway.engine import Engine
from slipway.host.doctor import Finding, Port, examine
from slipway.image.base import load_recipe
from slipway.settings import Settings

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]


def look(home: Path, *ports: Port) -> dict[str, Finding]:
    recipes = [load_recipe(path) for path in sorted(ROOT.glob("docker/*/base.yaml"))]
    return {found.name: found for found in examine(Settings(home, home / "cache"), ports, recipes)}


def test_a_machine_that_can_ship_has_no_required_finding_open(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert [one for one in found.values() if one.required and not one.ok] == []
    assert Engine().version() in found["Docker Engine"].detail
    assert not any(tmp_path.iterdir()), "looking changes nothing"


def test_an_engine_that_is_away_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    engine = look(tmp_path)["Docker Engine"]
    assert not engine.ok
    assert engine.required
    assert "make up" in engine.mend


def test_an_engine_that_accepts_and_never_answers_does_not_keep_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/docker.sock")
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        found = look(Path(folder))
    assert not found["Docker Engine"].ok
    assert found["git"].ok


def test_a_port_taken_by_a_stranger_is_told_from_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = int(stranger.getsockname()[1])
        found = look(tmp_path, Port(taken, "the registry", container="nobody-registry"))[f"port {taken}"]
    assert not found.ok
    assert "the registry needs it" in found.detail
    assert "SLIPWAY_PORT_OFFSET" in found.mend
    assert look(tmp_path, Port(taken, "the registry"))[f"port {taken}"].ok


def test_missing_programs_come_with_the_command_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("slipway.host.doctor.can_install", lambda: True)
    found = look(tmp_path)
    assert not found["git"].ok
    assert found["git"].mend == "`apt-get install --yes --no-install-recommends git`"
    assert "buildah" in found["image builder"].mend
    assert "harbour" in found["base images"].detail
    assert "mmdebstrap" in found["base images"].mend
