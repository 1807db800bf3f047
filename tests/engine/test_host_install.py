"""A Docker Engine that is not running is started, and stays; one that cannot run says why."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.errors import HostNotReady
from slipway.host.daemons import Daemon
from slipway.host.install import TOOLS, Start, ensure_engine, ensure_tools, start_engine
from slipway.settings import Settings

pytestmark = pytest.mark.engine


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, and an engine socket in it, to which this process looks for its engine."""
    with tempfile.TemporaryDirectory(prefix="slipway-test-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        yield Path(folder)


def second_engine(place: Path, bridge: str, *more: str) -> Start:
    """An engine beside the machine's own: nothing shared with it, no network of its own."""
    arguments = (
        *("-H", f"unix://{place}/docker.sock", "--data-root", f"{place}/data", "--exec-root", f"{place}/exec"),
        *("--pidfile", f"{place}/docker.pid", f"--bridge={bridge}", "--iptables=false", *more),
    )
    return Start(arguments, name="second-dockerd")


def settings_in(place: Path) -> Settings:
    return Settings(home=place / "home", cache=place / "cache")


def test_an_engine_that_does_not_run_is_started_and_stays(place: Path, spare_bridge: str) -> None:
    lines: list[str] = []
    daemon = Daemon("second-dockerd", place / "home")
    try:
        version = ensure_engine(settings_in(place), lines.append, second_engine(place, spare_bridge))
        assert version[0].isdigit()
        pid = daemon.pid
        assert pid
        assert os.getsid(pid) == pid, "it must outlive the terminal that started it"
        assert "starting dockerd" in lines[0]
        assert ensure_engine(settings_in(place), lines.append, second_engine(place, spare_bridge)) == version
        assert daemon.pid == pid, "an engine that answers is left alone"
        assert len(lines) == 1
    finally:
        daemon.stop()
    assert daemon.pid is None


def test_an_engine_that_cannot_run_says_why_at_once_and_leaves_nothing(place: Path, spare_bridge: str) -> None:
    with pytest.raises(HostNotReady) as failed:
        start_engine(settings_in(place), lambda _line: None, second_engine(place, spare_bridge, "--no-such-option"))
    assert "no-such-option" in failed.value.tail
    assert str(Daemon("second-dockerd", place / "home").log) in failed.value.next_step
    assert Daemon("second-dockerd", place / "home").pid is None


def test_an_engine_elsewhere_is_never_replaced_by_one_here(place: Path) -> None:
    with pytest.raises(HostNotReady, match="DOCKER_HOST") as refused:
        ensure_engine(settings_in(place), lambda _line: None)
    assert str(place) in refused.value.what
    assert not (place / "home").exists()


def test_tools_that_are_here_are_not_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = path_with(tmp_path, dict.fromkeys((*TOOLS, "apt-get"), "exit 0"))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    lines: list[str] = []
    ensure_tools(lines.append)
    assert lines == []


def path_with(folder: Path, programs: dict[str, str]) -> Path:
    """A folder of small shell programs."""
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


STALE_UNTIL_UPDATED = """
echo "$@" >> {log}
case "$*" in
  *update*) touch {log}.updated ;;
  *) test -e {log}.updated || {{ echo "E: Unable to locate package skopeo" >&2; exit 100; }} ;;
esac
"""


def test_package_lists_are_read_anew_only_when_they_are_too_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "asked"
    path_with(tmp_path, {"apt-get": STALE_UNTIL_UPDATED.format(log=log)})
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("slipway.host.install.is_here", lambda name: name != "skopeo")
    monkeypatch.setattr("slipway.host.install._os_release", lambda: {"ID": "debian"})
    ensure_tools(lambda _line: None)
    assert [line.split()[2:][0] for line in log.read_text().splitlines()] == ["install", "update", "install"]
    ensure_tools(lambda _line: None)
    assert [line.split()[2:][0] for line in log.read_text().splitlines()][3:] == ["install"]


def test_elsewhere_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.host.install.is_here", lambda name: name != "buildah")
    monkeypatch.setattr("slipway.host.install._os_release", lambda: {"ID": "fedora", "ID_LIKE": "rhel"})
    with pytest.raises(HostNotReady, match="buildah") as refused:
        ensure_tools(lambda _line: None)
    assert "install Docker Engine" in refused.value.next_step
