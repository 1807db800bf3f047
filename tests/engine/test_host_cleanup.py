"""Cleaning up and the free-space gate on a real engine, a real registry and disks that really are too small."""

import gzip
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from slipway.dependencies.wheelhouse import Wheelhouse
from slipway.engine import ContainerSpec, Engine
from slipway.errors import NotEnoughSpace
from slipway.host import names
from slipway.host.cleanup import IDLE, Cleanup
from slipway.host.daemons import Daemon
from slipway.host.harbour import Harbour
from slipway.host.install import Start, start_engine
from slipway.host.registry_garbage import WRITING, RegistryGarbage
from slipway.host.removal import Kind, lease_name
from slipway.host.space import Marks, device_of, ensure_space, read_filesystems
from slipway.identity import Digest, Repository, Tag
from slipway.image.assemble import single_layer_manifest
from slipway.image.builder import find_builder
from slipway.ledger.database import open_database
from slipway.ledger.leases import Leases
from slipway.ledger.releases import Release, Releases
from slipway.ledger.slots import Slots
from slipway.registry.client import RegistryClient
from slipway.registry.manifest import digest_of
from slipway.rollout.blue_green import Slot, SlotState
from slipway.settings import Settings
from tests.ports import free_port

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
MB = 1_000_000
EVERYTHING = 10**15
LONG_AGO = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home", tmp_path / "cache", f"test-{uuid4().hex[:8]}", registry_port=free_port())


@pytest.fixture
def registry(settings: Settings, engine: Engine) -> Iterator[str]:
    """A registry of this test's own, `host:port`."""
    kept = Settings(settings.home, Settings.from_environment().cache, settings.instance, settings.registry_port)
    try:
        Harbour(kept, engine, ROOT).ensure_registry()
        yield settings.registry
    finally:
        engine.remove(names.registry(settings.instance))
        engine.remove_network(names.network(settings.instance))


@pytest.fixture
def cleanup(settings: Settings, engine: Engine) -> Cleanup:
    database = open_database(f"sqlite:///{settings.home / 'ledger.db'}")
    return Cleanup(
        settings=settings,
        engine=engine,
        wheelhouse=Wheelhouse(settings.cache / "wheels"),
        builder=None,
        leases=Leases(database),
        slots=Slots(database),
        releases=Releases(database),
        repositories=[f"{settings.registry}/test/mgeo"],
    )


def an_image(registry: str, engine: Engine, megabytes: int = 1) -> str:
    """A new image that nobody can have here already, by its digest, in the registry and in the engine."""
    repository = Repository(registry, "test/mgeo")
    layer, content = io.BytesIO(), os.urandom(megabytes * MB)
    with tarfile.open(fileobj=layer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    config = _config(_unpacked_digest(layer.getvalue()))
    manifest = single_layer_manifest(config, layer.getvalue())
    with RegistryClient(registry, insecure=True) as client:
        client.put_blob(repository, layer.getvalue())
        client.put_blob(repository, config)
        client.put_manifest(repository, manifest)
    engine.pull(repository.at(manifest.digest))
    return repository.at(manifest.digest)


def _unpacked_digest(layer: bytes) -> str:
    return digest_of(gzip.decompress(layer))


def _config(diff_id: str) -> bytes:
    platform = {"architecture": "amd64", "os": "linux"}
    return json.dumps({**platform, "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()


def used(cleanup: Cleanup, name: str, when: datetime) -> None:
    """A run used it then, and is over."""
    cleanup.leases.take(name, "an earlier run", until=when, now=when)


def engine_disk(engine: Engine) -> int:
    return device_of(Path(engine.data_folder()))


def test_images_go_least_recently_used_first_until_the_goal_is_reached(
    cleanup: Cleanup, engine: Engine, registry: str
) -> None:
    newer, older = an_image(registry, engine), an_image(registry, engine)
    used(cleanup, newer, LONG_AGO + timedelta(hours=1))
    used(cleanup, older, LONG_AGO)
    try:
        report = cleanup.prune({engine_disk(engine): 1})
        assert [item.name for item in report.removed] == [older]
        assert not engine.has_image(older)
        assert engine.has_image(newer)
    finally:
        for image in (newer, older):
            engine.remove_image(image)


def test_no_image_that_anybody_needs_is_ever_removed(cleanup: Cleanup, engine: Engine, registry: str) -> None:
    leased, live, standby, running, unknown, idle = (an_image(registry, engine) for _ in range(6))
    for image in (leased, live, standby, running, idle):
        used(cleanup, image, LONG_AGO)
    now = datetime.now(UTC)
    cleanup.leases.take(leased, "a run", until=now + timedelta(hours=1), now=LONG_AGO)
    for slot, image in ((Slot.BLUE, live), (Slot.GREEN, standby)):
        state = SlotState(Digest(image.partition("@")[2]), image, live=image is live)
        cleanup.slots.occupy("local", "mgeo", slot, state)
    name = f"{cleanup.settings.instance}-user"
    engine.start(ContainerSpec(image=running, name=name, labels={}, command=["/sbin/docker-init", "--version"]))
    try:
        report = cleanup.prune({engine_disk(engine): EVERYTHING})
        assert [item.name for item in report.removed] == [idle]
        held = set(engine.image_references(f"{registry}/test/mgeo"))
        assert held == {leased, live, standby, running, unknown}
        assert cleanup.leases.last_used()[unknown] >= now, "what the ledger did not know is dated from now on"
        assert cleanup.leases.leased(datetime.now(UTC)) == {leased}
    finally:
        engine.remove(name)
        for image in (leased, live, standby, running, unknown, idle):
            engine.remove_image(image)


def test_an_image_that_the_engine_will_not_give_up_is_reported_and_the_rest_still_goes(
    cleanup: Cleanup, engine: Engine, registry: str
) -> None:
    stuck, idle = an_image(registry, engine), an_image(registry, engine)
    used(cleanup, stuck, LONG_AGO)
    used(cleanup, idle, LONG_AGO + timedelta(hours=1))
    name = f"{cleanup.settings.instance}-user"
    # Somebody runs it by its image id, by which it cannot be told from the reference that it is the same image.
    image_id = id_of(registry, stuck)
    engine.start(ContainerSpec(image=image_id, name=name, labels={}, command=["/sbin/docker-init", "--version"]))
    try:
        report = cleanup.prune({engine_disk(engine): EVERYTHING})
        assert [name for name, _ in report.failed] == [stuck]
        assert "container" in report.failed[0][1]
        assert [item.name for item in report.removed] == [idle]
        assert engine.has_image(stuck)
    finally:
        engine.remove(name)
        for image in (stuck, idle):
            engine.remove_image(image)


def id_of(registry: str, reference: str) -> str:
    with RegistryClient(registry, insecure=True) as client:
        manifest = client.manifest(Repository(registry, "test/mgeo"), Digest(reference.partition("@")[2]))
    return str(json.loads(manifest.body)["config"]["digest"])


# Folders, on a disk of their own.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True, timeout=10)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, timeout=10)


@pytest.fixture
def crowded(small_disk: Path, cleanup: Cleanup) -> Cleanup:
    """A cache on the small disk with three models of 8 MB, three wheelhouses of 8 MB and a leftover checkout."""
    cache = small_disk / "cache"
    for number in (1, 2, 3):
        for place in ("models", "wheels"):
            fill(cache / place / f"{place}-{number}", 8, LONG_AGO + timedelta(hours=number))
    wheelhouse = Wheelhouse(cache / "wheels")
    settings = Settings(cleanup.settings.home, cache, cleanup.settings.instance)
    return Cleanup(settings, cleanup.engine, wheelhouse, None, cleanup.leases, cleanup.slots, cleanup.releases, [])


def fill(folder: Path, megabytes: int, when: datetime) -> None:
    folder.mkdir(parents=True)
    (folder / "content").write_bytes(b"x" * megabytes * MB)
    os.utime(folder / "content", (when.timestamp(), when.timestamp()))


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_a_disk_above_its_high_mark_is_brought_below_the_low_one_and_no_further(crowded: Cleanup) -> None:
    cache = crowded.settings.cache
    report = ensure_space({cache: 10 * MB}, crowded.prune, Marks(high_water=0.8, low_water=0.65))
    assert left_in(cache / "wheels") == {"wheels-3"}, "the oldest wheelhouses went, as many as it took"
    assert left_in(cache / "models") == {"models-1", "models-2", "models-3"}
    (disk,) = read_filesystems([cache])
    assert disk.total - disk.free + 10 * MB <= 0.65 * disk.total
    assert report.cleaned.per_kind()[Kind.WHEELHOUSE][0] == 2
    assert report.cleaned.freed_bytes >= 16 * MB
    assert "| wheelhouse | 2 |" in report.to_markdown()


def test_a_disk_below_its_high_mark_is_left_alone(crowded: Cleanup) -> None:
    report = ensure_space({crowded.settings.cache: MB}, crowded.prune, Marks(high_water=0.9, low_water=0.5))
    assert report.cleaned.removed == ()
    assert len(left_in(crowded.settings.cache / "wheels")) == 3


def test_a_full_disk_is_refused_with_numbers_after_everything_unneeded_went(crowded: Cleanup) -> None:
    cache, now = crowded.settings.cache, datetime.now(UTC)
    live = Digest("sha256:" + "1" * 64)
    release = Release("mgeo", live, "f" * 40, "a repository", {"model_key": "models-1"}, now)
    crowded.releases.record(release)
    crowded.slots.occupy("local", "mgeo", Slot.BLUE, SlotState(live, f"r/mgeo@{live}", live=True))
    crowded.leases.take(lease_name(Kind.WHEELHOUSE, "wheels-1"), "a run", now + timedelta(hours=1), LONG_AGO)
    with pytest.raises(NotEnoughSpace) as refused:
        ensure_space({cache: 60 * MB}, crowded.prune)
    assert left_in(cache / "models") == {"models-1", "models-3"}, "the live release's model and the newest one stay"
    assert left_in(cache / "wheels") == {"wheels-1"}, "what a run has leased stays"
    said = str(refused.value)
    assert "60.0 MB needed" in said
    assert "free of 67.1 MB" in said
    assert str(cache) in said
    assert "2 x wheelhouse" in said
    assert "SLIPWAY_CACHE" in said


def test_work_that_no_cleaning_up_could_make_room_for_costs_nothing(crowded: Cleanup) -> None:
    with pytest.raises(NotEnoughSpace, match="nothing was built"):
        ensure_space({crowded.settings.cache: 80 * MB}, crowded.prune)
    assert len(left_in(crowded.settings.cache / "wheels")) == 3
    assert len(left_in(crowded.settings.cache / "models")) == 3


def test_folders_on_one_disk_are_added_up(crowded: Cleanup, small_disk: Path) -> None:
    needed = {crowded.settings.cache: 40 * MB, small_disk / "home" / "not" / "made" / "yet": 40 * MB}
    with pytest.raises(NotEnoughSpace, match=r"80\.0 MB needed"):
        ensure_space(needed, crowded.prune)


def test_a_builder_with_layers_cached_loses_them_last_unless_a_build_holds_them(
    crowded: Cleanup, small_disk: Path
) -> None:
    builder = find_builder(small_disk / "cache" / "buildah")
    fill(small_disk / "cache" / "buildah" / "storage", 1, LONG_AGO)
    with_builder = Cleanup(**{**vars(crowded), "builder": builder})
    kinds = [each.kind for each in with_builder.candidates(datetime.now(UTC))]
    assert kinds[-1] is Kind.LAYERS
    held = lease_name(Kind.LAYERS, "all")
    now = datetime.now(UTC)
    crowded.leases.take(held, "a build", now + timedelta(minutes=30), now - IDLE)
    report = with_builder.prune({device_of(small_disk): EVERYTHING})
    assert Kind.LAYERS not in report.per_kind()
    crowded.leases.give_back("a build")
    report = with_builder.prune({device_of(small_disk): EVERYTHING})
    assert Kind.LAYERS in report.per_kind()


# The registry's own disk.


def test_the_registry_gives_back_the_space_of_images_that_nothing_names(
    cleanup: Cleanup, engine: Engine, registry: str
) -> None:
    forgotten, tagged, live, released, recent = (an_image(registry, engine) for _ in range(5))
    everything = (forgotten, tagged, live, released, recent)
    for image in everything:
        used(cleanup, image, datetime.now(UTC) - timedelta(days=30))
        engine.remove_image(image)
    used(cleanup, recent, LONG_AGO)
    cleanup.slots.occupy("local", "mgeo", Slot.BLUE, SlotState(digest_in(live), live, live=True))
    cleanup.releases.record(Release("mgeo", digest_in(released), "f" * 40, "r", {}, LONG_AGO))
    repository, now = Repository(registry, "test/mgeo"), datetime.now(UTC)
    kept = Settings(
        cleanup.settings.home,
        Settings.from_environment().cache,
        cleanup.settings.instance,
        cleanup.settings.registry_port,
    )
    garbage = RegistryGarbage(Harbour(kept, engine, ROOT), cleanup)
    with RegistryClient(registry, insecure=True) as client:
        client.put_tag(repository, client.manifest(repository, digest_in(tagged)), Tag("v1"))
        cleanup.leases.take(WRITING, "a build", until=now + timedelta(hours=1), now=now)
        assert garbage.collect(client, now).removed == (), "nothing while somebody writes"
        cleanup.leases.give_back("a build")
        report = garbage.collect(client, now)
        assert [item.name for item in report.removed] == [forgotten]
        assert report.freed_bytes >= MB
        assert not client.holds(repository, digest_in(forgotten))
    for image in (tagged, live, released, recent):
        engine.pull(image)
        engine.remove_image(image)


def digest_in(reference: str) -> Digest:
    return Digest(reference.partition("@")[2])


# An engine whose own disk is small.


@pytest.fixture
def loop_disk() -> Iterator[Path]:
    """An ext4 file system of 256 MB in a file, mounted; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="slipway-test-") as folder:
        image, place = Path(folder, "disk"), Path(folder, "mounted")
        place.mkdir()
        with image.open("wb") as content:
            content.truncate(256 * MB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True, timeout=30)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, timeout=10)
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True, timeout=10)


@pytest.fixture
def small_engine(loop_disk: Path, settings: Settings, registry: str, spare_bridge: str) -> Iterator[Engine]:
    """A second engine that keeps its images on the small disk."""
    assert registry, "the registry runs in the machine's own engine, so it has to be there before"
    folder, run = loop_disk, loop_disk.parent / "run"
    arguments = ("-H", f"unix://{run}/docker.sock", "--data-root", f"{folder}/data", "--exec-root", f"{run}/exec")
    network = (f"--bridge={spare_bridge}", "--iptables=false")
    start = Start((*arguments, "--pidfile", f"{run}/docker.pid", *network), "small-dockerd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{run}/docker.sock")
        try:
            start_engine(settings, lambda _line: None, start)
            yield Engine()
        finally:
            Daemon(start.name, settings.home).stop()


def test_an_engine_with_a_full_disk_loses_old_images_and_never_the_live_one(
    cleanup: Cleanup, small_engine: Engine, registry: str
) -> None:
    live, *others = (an_image(registry, small_engine, 24) for _ in range(4))
    for age, image in enumerate((live, *others)):
        used(cleanup, image, LONG_AGO + timedelta(hours=age))
    cleanup.slots.occupy("local", "mgeo", Slot.BLUE, SlotState(digest_in(live), live, live=True))
    small = Cleanup(**{**vars(cleanup), "engine": small_engine})
    data = Path(small_engine.data_folder())
    room = read_filesystems([data])[0].free
    report = ensure_space({data: room + 10 * MB}, small.prune, Marks(high_water=1.0, low_water=0.99))
    assert [item.name for item in report.cleaned.removed] == [others[0]], "the oldest that nobody needs"
    assert small_engine.has_image(live)
    with pytest.raises(NotEnoughSpace) as refused:
        ensure_space({data: room + 90 * MB}, small.prune)
    assert "2 x image" in str(refused.value)
    assert str(data) in str(refused.value)
    assert set(small_engine.image_references(f"{registry}/test/mgeo")) == {live}
