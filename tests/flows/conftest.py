"""Flows with a real Prefect and nothing else: every adapter of the workshop is a stand-in that notes it was called."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.tasks import Task
from prefect.testing.utilities import prefect_test_harness

import tasks
from slipway.dependencies.wheelhouse import Wheels
from slipway.model import Model
from slipway.rollout.blue_green import Slot
from slipway.rollout.deploy import Deployed
from slipway.settings import Settings
from slipway.verify.facts import Machine
from slipway.verify.report import BenchmarkReport
from slipway.verify.samples import Samples
from slipway.verify.smoke import SmokeCase, SmokeReport
from slipway.workshop import Workshop
from tasks import outside
from tests.unit.values import checkout, digest

TOY = Path(__file__).parents[1] / "fixtures" / "toy"


@pytest.fixture(scope="package", autouse=True)
def prefect() -> Iterator[None]:
    """A Prefect server of its own for all flow tests, gone before tests of another folder meet theirs."""
    quiet = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    with prefect_test_harness(server_startup_timeout=120), temporary_settings(quiet):
        yield


def all_tasks() -> dict[str, Task[..., Any]]:
    """Every task of tasks/, by module and name."""
    found: dict[str, Task[..., Any]] = {}
    for module in pkgutil.iter_modules(tasks.__path__):
        content = vars(importlib.import_module(f"tasks.{module.name}"))
        found |= {
            f"{module.name}.{name}": value
            for name, value in content.items()
            if isinstance(value, Task) and value.fn.__module__ == f"tasks.{module.name}"
        }
    return found


class World:
    """What the stand-ins were asked for, in order, and what goes wrong: `breaks[step]` is raised, one by one."""

    def __init__(self, tmp_path: Path) -> None:
        self.steps: list[str] = []
        self.breaks: dict[str, list[Exception]] = defaultdict(list)
        self.changed: tuple[str, ...] = ()
        self.smoke = SmokeReport(True, False, "cpu", (SmokeCase("double", True, 0.5, None),))
        self.serves = False
        self.model = tmp_path / "model"
        self.model.mkdir()
        self.workshop = self._workshop(Settings(home=tmp_path / "home", cache=tmp_path / "cache"))

    def does(self, step: str, answer: Any) -> Callable[..., Any]:
        """A stand-in that notes the step, breaks when it should, and otherwise gives this answer."""

        def act(*_words: Any, **_options: Any) -> Any:
            self.steps.append(step)
            if self.breaks[step]:
                raise self.breaks[step].pop(0)
            return answer() if callable(answer) else answer

        return act

    def fetch(self, lock: Path, **_options: Any) -> Wheels:
        """The wheelhouse: the service's wheels or the build tools, by the name of their lock."""
        step = "tools" if lock.name == "tools.lock" else "wheels"
        wheels: Wheels = self.does(step, Wheels(lock, f"{step}-key", 3, 1000, True))()
        return wheels

    def deployer(self, _environment: str) -> Any:
        """An environment that knows nothing but what this world says."""
        deployed = Deployed("http://127.0.0.1:8080", Slot.BLUE, digest("a"), None, 0.1)
        return SimpleNamespace(
            roll_out=self.does("roll out", deployed),
            roll_back=self.does("roll back", deployed),
            serves=lambda *_: self.serves,
            standing=lambda *_: deployed,
            url=lambda *_: deployed.url,
        )

    def _workshop(self, settings: Settings) -> Workshop:
        workshop = Workshop(settings, Path(__file__).parents[2])
        vars(workshop).update(
            source=SimpleNamespace(
                check_out=self.does("check out", checkout(path=TOY)),
                changed_paths=lambda *_: self.changed,
                last_change=lambda *_: None,
                remote_heads=lambda *_: {},
            ),
            wheelhouse=SimpleNamespace(fetch=self.fetch),
            models=SimpleNamespace(
                prepare=self.does("model", Model(self.model, "model-key", "toy-v1", True)),
                find=self.does("find model", Model(self.model, "old-key", "toy-v0", True)),
            ),
            builder=SimpleNamespace(name="a builder"),
            engine=SimpleNamespace(pull=lambda *_: None, layers=lambda *_: (("COPY . /app", 1000),)),
            machine=Machine("cpu", 2, 2**33),
            registry=lambda *_: nullcontext(SimpleNamespace(holds=lambda *_: True)),
            deployer=self.deployer,
            cleanup=lambda: SimpleNamespace(prune=None),
        )
        return workshop


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Everything outside, replaced; retries come at once."""
    world = World(tmp_path)
    samples = Samples(concurrency=1, latencies_s=(0.01,) * 300, round_sizes=(300,), wall_s=3)
    report = BenchmarkReport(machine="m", time_to_ready_s=1, single=(samples,), rss_mb=50, image_mb=100)
    room = SimpleNamespace(to_markdown=lambda: "room enough")
    for target, stand_in in {
        "tasks.outside.Workshop": lambda *_: world.workshop,
        "tasks.host.needed_by_folder": lambda *_: {},
        "tasks.host.ensure_space": world.does("space", room),
        "tasks.host.kill_children": world.does("kill children", None),
        "tasks.dependencies.BaseStore": lambda *_: SimpleNamespace(provide=world.does("base", digest("b"))),
        "tasks.image.stage": lambda *_: tmp_path,
        "tasks.image.build_and_settle": world.does("build", digest("a")),
        "tasks.verify.run_smoke": world.does("smoke", lambda: world.smoke),
        "tasks.verify.run_benchmark": world.does("benchmark", report),
        "slipway.verify.plot.plot_png": lambda *_: b"png",
        "tasks.registry.give_tags": world.does("tags", ("main",)),
    }.items():
        monkeypatch.setattr(target, stand_in)
    for task in all_tasks().values():
        monkeypatch.setattr(task, "retry_delay_seconds", 0)
        monkeypatch.setattr(task, "retry_jitter_factor", None)
    outside.workshop.cache_clear()
    yield world
    outside.workshop.cache_clear()
