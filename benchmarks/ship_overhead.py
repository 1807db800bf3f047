"""What the pipeline costs: a ship through its deployment against the same work done by bare commands.

    python benchmarks/ship_overhead.py [--service toy|mgeo] [--repeat 3]

Starts an installation of its own on free ports, in a temporary folder, and removes it. Every pair of runs gets a
revision of its own, so that neither side finds the other's layers. The best of all repeats counts: the machine's other
work only ever adds. "flow" is the flow run's own time, "from the order" counts from the request to the run's end:
between the two lie the worker's poll and the fork of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bare_commands import Bare
from slipway.host import names
from slipway.settings import Settings
from slipway.workshop import Workshop
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
TOY = ROOT / "tests" / "fixtures" / "toy"
_GIT = ("git", "-c", "user.name=Bench", "-c", "user.email=bench@example.com")
_LOCAL_PORTS = 8080  # the first of the two that either service has in its `environments.yaml`
CODE = {"toy": "docker/toy/server.py", "mgeo": "docker/mgeo/mgeo/__init__.py"}


@dataclass(frozen=True)
class Took:
    """Seconds of one ship through the deployment."""

    flow: float
    ordered: float
    steps: dict[str, float]


@dataclass(frozen=True)
class Bench:
    """An installation, the repository that is shipped, and the bare commands beside it."""

    workshop: Workshop
    repository: Path
    service: str

    def git(self, *words: str) -> str:
        """One git command in the repository."""
        done = subprocess.run([*_GIT, *words], cwd=self.repository, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, name: str) -> None:
        """A new revision that differs in one line of one file."""
        with (self.repository / name).open("a") as file:
            file.write(f"\n# {time.time_ns()}\n")
        self.git("commit", "--quiet", "--all", "--message", f"touch {name}")

    def ship(self, **parameters: str) -> Took:
        """Through the deployment, like any other run. Raises when the run does not complete."""
        from deployments import runs

        started = time.monotonic()
        order = {"repository": str(self.repository), "service": self.service, **parameters}
        run = asyncio.run(runs.start("ship/ship", order))
        ended = asyncio.run(runs.follow(run, _Silent()))
        if not ended.completed:
            raise RuntimeError(ended.message)
        return Took(ended.seconds, time.monotonic() - started, {step.name: step.seconds for step in ended.steps})

    def empty(self) -> None:
        """Forget wheels, models and build layers; the base and the mirrors stay."""
        self.workshop.builder.prune()
        for name in ("wheels", "models"):
            shutil.rmtree(self.workshop.settings.cache / name, ignore_errors=True)

    def bare(self, folder: Path) -> Bare:
        """The bare commands, with this installation's base, registry, network and router."""
        release = self.workshop.releases.newest(1)[0]
        network = names.network(self.workshop.settings.instance)
        router = self.workshop.harbour.router_folder("local", self.service)
        recipe = ROOT / "docker" / "python"
        return Bare(folder, self.workshop.settings.registry, release.facts["base"], recipe, network, router)


class _Silent:
    def show(self, steps: object) -> None:
        """Nothing is shown while the clock runs."""


def compared(bench: Bench, bare: Bare, repeat: int, prepare: Callable[[], None]) -> tuple[list[Took], list[float]]:
    """The same kind of change shipped by the pipeline and by bare commands in turn."""
    flows, scripts = [], []
    for _ in range(repeat):
        prepare()
        bench.commit(CODE[bench.service])
        flows.append(bench.ship())
        prepare()
        bench.commit(CODE[bench.service])
        scripts.append(bare.ship(bench.repository, bench.service))
        print(
            f"  flow {flows[-1].flow:.1f} s {_shown(flows[-1].steps)}\n  bare {scripts[-1]:.1f} s {_shown(bare.took)}"
        )
    return flows, scripts


def decided(bench: Bench, repeat: int, prepare: Callable[[], dict[str, str]]) -> list[Took]:
    """Runs that have nothing to build."""
    found = [bench.ship(**prepare()) for _ in range(repeat)]
    print(f"  flow {min(took.flow for took in found):.2f} s {_shown(min(found, key=lambda took: took.flow).steps)}")
    return found


def measured(bench: Bench, folder: Path, repeat: int) -> list[tuple[str, list[Took], list[float], float]]:
    """(case, through the deployment, bare, the ratio or the seconds aimed at) of every case."""
    bench.ship()
    bare = bench.bare(folder)

    def emptied() -> None:
        bench.empty()
        bare.empty()

    def documented() -> dict[str, str]:
        before = bench.git("rev-parse", "HEAD")
        (bench.repository / "NOTES.md").write_text(str(time.time_ns()))
        bench.git("add", "--all")
        bench.git("commit", "--quiet", "--message", "notes")
        return {"before": before}

    try:
        bare.ship(bench.repository, bench.service)
        warm = compared(bench, bare, repeat, lambda: None)
        bench.ship()
        rows = [("code-only change", *warm, 1.3), ("unchanged commit", decided(bench, repeat, dict), [], 3.0)]
        rows.append(("docs-only change", decided(bench, repeat, documented), [], 3.0))
        rows.append(("cold", *compared(bench, bare, repeat, emptied), 1.15))
    finally:
        bare.remove()
    return rows


def table(rows: list[tuple[str, list[Took], list[float], float]]) -> str:
    """The best of each case, with ratios."""
    lines = ["| case | flow s | from the order s | bare s | flow / bare | aim |", "|---|---:|---:|---:|---:|---:|"]
    for case, flows, scripts, aim in rows:
        flow, ordered = min(took.flow for took in flows), min(took.ordered for took in flows)
        ratio = f"{min(scripts):.2f} | {flow / min(scripts):.2f}" if scripts else "- | -"
        lines.append(f"| {case} | {flow:.2f} | {ordered:.2f} | {ratio} | {aim}{'x' if scripts else ' s'} |")
    return "\n".join(lines)


@contextmanager
def installed(service: str) -> Iterator[tuple[Bench, Path]]:
    """An installation with caches of its own (the base's bootstrap is shared), and a folder for the bare commands."""
    folder, shared = Path(tempfile.mkdtemp(prefix="slipway-bench-")), Settings.from_environment()
    settings = replace(
        shared,
        home=folder / "home",
        cache=folder / "cache",
        instance=f"slipway-bench-{os.getpid()}",
        registry_port=free_port(),
        prefect_port=free_port(),
        port_offset=free_port(row=2) - _LOCAL_PORTS,
        environments=str(TOY / "environments.yaml") if service == "toy" else "",
    )
    (folder / "cache").mkdir()
    (shared.cache / "bases").mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "bases").symlink_to(shared.cache / "bases")
    os.environ.update(settings.as_environment(), PREFECT_API_URL=settings.prefect_api, PREFECT_LOGGING_LEVEL="WARNING")
    os.environ["PREFECT_HOME"] = str(settings.home / "prefect")
    from deployments.installation import Installation

    installation = Installation(Workshop(settings, ROOT))
    try:
        installation.up(print)
        yield Bench(installation.workshop, _repository(service, folder / "repository"), service), folder
    finally:
        installation.down(print)
        if installation.workshop.settings.cache.exists():
            installation.workshop.builder.prune()
        shutil.rmtree(folder, ignore_errors=True)


def _repository(service: str, path: Path) -> Path:
    if service == "toy":
        shutil.copytree(TOY, path)
        subprocess.run(["git", "init", "--quiet", str(path)], check=True)
        subprocess.run([*_GIT, "add", "--all"], cwd=path, check=True)
        subprocess.run([*_GIT, "commit", "--quiet", "--message", "the toy"], cwd=path, check=True)
    else:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(path)], check=True)
        described = path / "docker" / service / "service.yaml"
        # A machine that is slower for a moment must not end the measurement at the speed gate; the toy says the same.
        described.write_text(re.sub(r"(allowed_regression:) \S+", r"\1 10", described.read_text()))
        subprocess.run([*_GIT, "commit", "--quiet", "--all", "--message", "no speed gate"], cwd=path, check=True)
    return path


def _shown(steps: dict[str, float]) -> str:
    return json.dumps({name: round(seconds, 2) for name, seconds in steps.items()}, ensure_ascii=False)


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--service", choices=sorted(CODE), default="toy")
    words.add_argument("--repeat", type=int, default=3)
    asked = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the installation goes with us
    with installed(asked.service) as (bench, folder):
        rows = measured(bench, folder / "bare", asked.repeat)
    print(f"\n{asked.service}, best of {asked.repeat}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
