"""Planted secrets: a registry's password and a git token in a URL do their work and are found nowhere afterwards."""

from __future__ import annotations

import base64
import crypt
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect_docker import DockerRegistryCredentials

from slipway.engine import ContainerSpec
from slipway.host import names
from tests.engine.conftest import GitRepository, Harness
from tests.engine.outages import shipping
from tests.engine.runs import until
from tests.ports import free_port

pytestmark = pytest.mark.engine

USER, PASSWORD = "ada", "Zw7-planted-registry-password"
TOKEN = "glpat-planted0git0token0in0a0url"
ENCODED = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
NEEDLES = (PASSWORD, ENCODED, TOKEN, base64.b64encode(f"oauth2:{TOKEN}".encode()).decode())
CONFIG = """version: 0.1
storage: {filesystem: {rootdirectory: /data}, delete: {enabled: true}}
http: {addr: ":5000"}
auth: {htpasswd: {realm: planted, path: /registry/htpasswd}}
"""


@dataclass(frozen=True)
class LockedRegistry:
    """A registry that wants a password: its `host:port`, and the folder of its data."""

    host: str
    data: Path


@pytest.fixture
def locked(harness: Harness, tmp_path: Path) -> Iterator[LockedRegistry]:
    folder, port, work = tmp_path / "registry", free_port(), harness.workshop
    (folder / "data").mkdir(parents=True)
    (folder / "config.yml").write_text(CONFIG)
    (folder / "htpasswd").write_text(f"{USER}:{crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH))}\n")
    name = f"{work.settings.instance}-locked"
    spec = ContainerSpec(
        image=work.harbour.ensure_image(),
        name=name,
        labels=names.labels(work.settings.instance, "registry"),
        command=["docker-registry", "serve", "/registry/config.yml"],
        network=names.network(work.settings.instance),
        volumes={str(folder): "/registry", str(folder / "data"): "/data"},
        ports={"5000/tcp": ("127.0.0.1", port)},
    )
    work.engine.start(spec)
    try:
        until(lambda: answered(f"http://127.0.0.1:{port}/v2/") == 401)
        yield LockedRegistry(f"127.0.0.1:{port}", folder / "data")
    finally:
        work.engine.remove(name)


def answered(url: str) -> int:
    with suppress(httpx.HTTPError):
        return httpx.get(url).status_code
    return 0


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Every command line of the machine that is seen within the block."""
    seen, over = set[str](), threading.Event()

    def look() -> None:
        while not over.wait(0.03):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def asked(harness: Harness, what: str, **filters: Any) -> str:
    """Everything that the Prefect server has of one kind."""
    found: list[Any] = []
    while True:
        body = {"offset": len(found), "limit": 200, **filters}
        page = httpx.post(f"{harness.workshop.settings.prefect_api}/{what}/filter", json=body).raise_for_status().json()
        found += page
        if len(page) < 200:
            return json.dumps(found)


def stored(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every file below a folder, unpacked where it is packed."""
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            with suppress(gzip.BadGzipFile, EOFError):
                content = gzip.decompress(content)
            yield str(file), content.decode(errors="replace")


@pytest.fixture(params=["block", "docker config"])
def login(request: pytest.FixtureRequest, locked: LockedRegistry, tmp_path: Path) -> Iterator[Path]:
    """The password where a user would put it; the folder for DOCKER_CONFIG."""
    folder = tmp_path / "docker"
    folder.mkdir()
    if request.param == "docker config":
        (folder / "config.json").write_text(json.dumps({"auths": {locked.host: {"auth": ENCODED}}}))
        yield folder
        return
    block = DockerRegistryCredentials(username=USER, password=PASSWORD, registry_url=locked.host)
    block.save("slipway-registry", overwrite=True)
    try:
        yield folder
    finally:
        DockerRegistryCredentials.delete("slipway-registry")


def test_planted_secrets_work_and_are_found_nowhere(
    harness: Harness, toy: GitRepository, locked: LockedRegistry, login: Path
) -> None:
    toy.git("remote", "add", "origin", f"https://oauth2:{TOKEN}@git.example.com/team/toy.git")
    environ = {"SLIPWAY_REGISTRY": locked.host, "DOCKER_CONFIG": str(login)}
    with command_lines() as lines, shipping(toy.path, environ=environ) as end:
        ended = end()
    assert not ended["kind"], ended
    release = harness.workshop.releases.of_revision("toy", toy.git("rev-parse", "HEAD"))[0]
    assert str(release.facts["image"]).startswith(locked.host)
    assert release.repository == "https://git.example.com/team/toy.git"

    run = {"flow_runs": {"id": {"any_": [ended["run"]]}}}
    places = {
        "what the run printed": ended["said"],
        "process list": "\n".join(lines),
        **{what: asked(harness, what, **run) for what in ("flow_runs", "task_runs", "artifacts")},
        "logs": asked(harness, "logs", logs={"flow_run_id": {"any_": [ended["run"]]}}),
        **dict(stored(harness.workshop.settings.home)),
        **dict(stored(locked.data)),
    }
    for word, where in (("build toy", "task_runs"), ("STEP", "logs"), (release.digest, "artifacts")):
        assert word in places[where], f"the search would find nothing in {where}"
    assert any("buildah" in line and "push" in line for line in lines)
    assert any("git.example.com" in text for name, text in places.items() if str(locked.data) in name)
    assert not [(needle, name) for needle in NEEDLES for name, text in places.items() if needle in text]
