"""What dead runs left is swept up; what lives, serves or belongs to somebody else is not touched."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from slipway.engine import ContainerSpec, Engine
from slipway.errors import PrefectUnavailable
from slipway.filelock import held
from slipway.host import names
from slipway.host.harbour import Harbour, RouterPorts
from slipway.host.janitor import Janitor, JanitorReport, rollout_lock
from slipway.identity import Digest
from slipway.ledger.database import open_database
from slipway.ledger.slots import Slots
from slipway.rollout.blue_green import Slot, SlotState
from slipway.settings import Settings
from tests.ports import free_port

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(UTC)
DEAD, ALIVE = "0" * 8 + "-dead", "1" * 8 + "-alive"
WAITS_FOR_TERM = "trap 'echo ended in peace; exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    return Harbour(Settings.from_environment(), engine, ROOT).ensure_image()


@pytest.fixture
def janitor(tmp_path: Path, engine: Engine) -> Iterator[Janitor]:
    """The janitor of an instance of this test's own; its containers are gone afterwards."""
    # The router's socket is in there, and the paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="slipway-test-") as home:
        settings = Settings(Path(home), tmp_path / "cache", f"test-{uuid4().hex[:8]}")
        yield Janitor(settings, engine, Slots(open_database(f"sqlite:///{tmp_path / 'ledger.db'}")))
    for left in engine.labelled({"slipway.instance": settings.instance}):
        engine.remove(left.name)


def a_container(janitor: Janitor, image: str, role: str, flow_run: str, instance: str = "") -> str:
    """A running container of some run."""
    name = f"{janitor.settings.instance}-{role}-{uuid4().hex[:6]}"
    labels = names.labels(instance or janitor.settings.instance, role, flow_run)
    janitor.engine.start(ContainerSpec(image, name, labels, command=["sh", "-c", WAITS_FOR_TERM]))
    return name


def a_slot(janitor: Janitor, image: str, slot: Slot, *, live: bool, retire_at: datetime | None) -> str:
    """A container that stands in a slot, and its row in the ledger."""
    name = names.slot(janitor.settings.instance, "local", "mgeo", slot)
    labels = names.labels(janitor.settings.instance, "slot")
    janitor.engine.start(ContainerSpec(image, name, labels, command=["sh", "-c", WAITS_FOR_TERM]))
    digest = Digest("sha256:" + "a" * 64)
    janitor.slots.occupy("local", "mgeo", slot, SlotState(digest, f"r/mgeo@{digest}", live, retire_at))
    return name


def only_the_living(runs: frozenset[str]) -> frozenset[str]:
    return runs & {ALIVE}


def test_containers_and_folders_of_dead_runs_go_and_all_others_stay(janitor: Janitor, image: str) -> None:
    dead = a_container(janitor, image, "smoke", DEAD)
    alive = a_container(janitor, image, "smoke", ALIVE)
    staying = a_container(janitor, image, "registry", "")
    foreign = a_container(janitor, image, "smoke", DEAD, instance="somebody-elses")
    work = janitor.settings.home / "work"
    for run in (DEAD, ALIVE):
        (work / run / "checkout").mkdir(parents=True)
    try:
        report = janitor.sweep(only_the_living, NOW)
        assert report == JanitorReport(containers=(dead,), folders=(str(work / DEAD),))
        assert janitor.engine.find(dead) is None
        assert all(janitor.engine.find(name) for name in (alive, staying, foreign))
        assert [path.name for path in work.iterdir()] == [ALIVE]
        assert janitor.sweep(only_the_living, NOW).is_empty
    finally:
        janitor.engine.remove(foreign)


def test_a_run_that_begins_while_the_janitor_asks_is_not_taken_for_dead(janitor: Janitor, image: str) -> None:
    a_container(janitor, image, "smoke", DEAD)
    begun: list[str] = []

    def begin_meanwhile(_runs: frozenset[str]) -> frozenset[str]:
        begun.append(a_container(janitor, image, "smoke", "begun-after-the-look"))
        return frozenset()

    report = janitor.sweep(begin_meanwhile, NOW)
    assert begun[0] not in report.containers
    assert janitor.engine.find(begun[0])


def test_nothing_is_touched_when_nobody_can_say_who_lives(janitor: Janitor, image: str) -> None:
    name = a_container(janitor, image, "smoke", DEAD)

    def silent(_runs: frozenset[str]) -> frozenset[str]:
        raise PrefectUnavailable("the server does not answer")

    with pytest.raises(PrefectUnavailable):
        janitor.sweep(silent, NOW)
    assert janitor.engine.find(name)


def test_a_hook_removes_what_its_own_run_left_and_nothing_else(janitor: Janitor, image: str) -> None:
    mine, other = a_container(janitor, image, "bench", DEAD), a_container(janitor, image, "bench", "another")
    assert janitor.of_run(DEAD).containers == (mine,)
    assert janitor.engine.find(other)


def test_a_slot_past_its_time_is_stopped_in_peace_and_the_live_one_serves_on(janitor: Janitor, image: str) -> None:
    live = a_slot(janitor, image, Slot.BLUE, live=True, retire_at=NOW - timedelta(hours=1))
    retired = a_slot(janitor, image, Slot.GREEN, live=False, retire_at=NOW - timedelta(seconds=1))
    report = janitor.sweep(only_the_living, NOW)
    assert report.retired == ("local/mgeo/green",)
    assert janitor.engine.find(retired) is None
    found = janitor.engine.find(live)
    assert found
    assert found.status == "running"
    assert set(janitor.slots.read("local", "mgeo")) == {Slot.BLUE}


def test_a_slot_that_stands_by_for_a_rollback_stays_until_its_time(janitor: Janitor, image: str) -> None:
    waiting = a_slot(janitor, image, Slot.GREEN, live=False, retire_at=NOW + timedelta(seconds=60))
    assert janitor.sweep(only_the_living, NOW).is_empty
    assert janitor.engine.find(waiting)


def test_slots_are_left_alone_while_a_rollout_is_under_way(janitor: Janitor, image: str) -> None:
    retired = a_slot(janitor, image, Slot.GREEN, live=False, retire_at=NOW - timedelta(seconds=1))
    with held(rollout_lock(janitor.settings, "local", "mgeo"), deadline_s=1):
        report = janitor.sweep(only_the_living, NOW)
    assert report.retired == ()
    assert [name for name, _ in report.failed] == ["local/mgeo"]
    assert janitor.engine.find(retired)


def test_a_slot_to_which_the_router_still_sends_traffic_is_not_stopped(janitor: Janitor, image: str) -> None:
    """A rollback died between router and ledger: the ledger calls green retired, the router sends everything there."""
    green = a_slot(janitor, image, Slot.GREEN, live=False, retire_at=NOW - timedelta(seconds=1))
    harbour = Harbour(janitor.settings, janitor.engine, ROOT)
    router = harbour.ensure_router("local", "mgeo", 8000, RouterPorts(free_port(), free_port()))
    try:
        router.shift({Slot.BLUE: 0, Slot.GREEN: 100})
        assert janitor.sweep(only_the_living, NOW).retired == ()
        assert janitor.engine.find(green)
        router.shift({Slot.BLUE: 100, Slot.GREEN: 0})
        assert janitor.sweep(only_the_living, NOW).retired == ("local/mgeo/green",)
        assert janitor.engine.find(green) is None
    finally:
        janitor.engine.remove(names.router(janitor.settings.instance, "local", "mgeo"))
        janitor.engine.remove_network(names.network(janitor.settings.instance))


def test_folders_that_were_never_finished_go_after_a_day(janitor: Janitor) -> None:
    cache = janitor.settings.cache
    unfinished = [cache / "bases" / ".making-x", cache / "models" / ".training-y", cache / "wheels" / ".key-z"]
    finished = [cache / "bases" / "slim-1", cache / "models" / "m", cache / "wheels" / "k"]
    for folder in (*unfinished, *finished):
        (folder / "inside").mkdir(parents=True)
    assert janitor.sweep(only_the_living, NOW).is_empty
    report = janitor.sweep(only_the_living, datetime.now(UTC) + timedelta(days=1, minutes=1))
    assert set(report.folders) >= {str(folder) for folder in unfinished}
    assert not any(folder.exists() for folder in unfinished)
    assert all(folder.exists() for folder in finished)
