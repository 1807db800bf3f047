"""The work of one ship done by bare commands, one after the other, as a script of a model team would do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from slipway.rollout.haproxy import Router
from slipway.service.loading import find_services
from slipway.service.model import Service
from slipway.verify.load import measure, measure_in_rounds

_READY_DEADLINE_S = 120.0


@dataclass
class Bare:
    """A folder and a builder's storage of its own; registry, network and router (its folder) are the installation's.

    `base` is the base image by reference, `recipe` the folder that names the tools of the build.
    """

    folder: Path
    registry: str
    base: str
    recipe: Path
    network: str
    router: Path
    took: dict[str, float] = field(default_factory=dict)
    turn: int = 0

    def ship(self, repository: Path, name: str) -> float:
        """Everything, from the clone to the switch; seconds."""
        self.took, self.turn, started = {}, self.turn + 1, time.monotonic()
        with self._step("clone"):
            checkout = self.folder / f"checkout-{self.turn}"
            _do("git", "clone", "--quiet", str(repository), str(checkout))
        (service,) = [one for one in find_services(checkout) if one.name == name]
        image = f"{self.registry}/bare-{name}:{self.turn}"
        self._build(service, checkout, image)
        with self._step("smoke"):
            _do("docker", "pull", "--quiet", image)
            bounds = (f"--memory={service.smoke.memory_mb}m", f"--pids-limit={service.smoke.pids}")
            _do("docker", "run", "--rm", "--network=none", "--read-only", *bounds, image, *service.smoke.command)
        with self._step("benchmark"):
            self._benchmark(service, image)
        with self._step("switch"):
            self._switch(service, image)
        return time.monotonic() - started

    def empty(self) -> None:
        """Forget wheels, models and build layers."""
        for name in ("wheels", "tools", "model"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        _do(*self._buildah(), "rmi", "--all", "--force")

    def remove(self) -> None:
        """Nothing stays."""
        for place in ("blue", "green", "benchmark"):
            _do("docker", "rm", "--force", f"{self.network}-bare-{place}")
        self.empty()

    def _build(self, service: Service, checkout: Path, image: str) -> None:
        choice, context = service.build.flavours[service.build.default], checkout / service.folder
        with self._step("wheels"):
            self._download(context / choice.lock, "wheels")
            self._download(self.recipe / "tools.lock", "tools")
        with self._step("model"):
            model = self.folder / "model"
            if service.model and not model.exists():
                model.mkdir()
                _do(
                    *service.model.command(python=sys.executable, output=str(model)), cwd=context, SOURCE_DATE_EPOCH="0"
                )
                _do("chmod", "--recursive", "a+rX", str(model))  # trainers write some files for their user alone
            for name in ("wheels", "tools", "model"):
                shutil.copytree(self.folder / name, context / name, copy_function=os.link)
        with self._step("build and push"):
            runtime = shutil.which("runc") or "crun"
            given = (f"--build-arg=BASE={self.base}", "--build-arg=DEPENDENCIES=bare", f"--target={choice.target}")
            options = ("--layers", "--network=none", "--timestamp=0", "--tls-verify=false", f"--runtime={runtime}")
            file = f"--file={context / service.build.dockerfile}"
            _do(*self._buildah(), "build", "--format=docker", *options, *given, file, f"--tag={image}", str(context))
            _do(*self._buildah(), "push", "--tls-verify=false", image, f"docker://{image}")

    def _download(self, lock: Path, name: str) -> None:
        target = self.folder / name
        if not target.exists():
            target.mkdir()
            pip = (
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--only-binary=:all:",
            )
            _do(*pip, "--dest", str(target), "--requirement", str(lock))

    def _benchmark(self, service: Service, image: str) -> None:
        """The same load as the pipeline's: warm-up, every concurrency in rounds, one batched."""
        url, plan = self._start(service, image, "benchmark"), service.benchmark
        single, batch = plan.payload.single, plan.payload.batch
        measure(url, plan.path, [single], concurrency=1, samples=plan.warmup, deadline_s=120)
        measure_in_rounds(
            url, plan.path, [single], concurrencies=plan.concurrencies, samples=plan.samples, deadline_s=120
        )
        measure(url, plan.path, [batch], concurrency=1, samples=plan.warmup, deadline_s=120)
        measure_in_rounds(url, plan.path, [batch], concurrencies=(1,), samples=plan.samples, deadline_s=120)
        _do("docker", "rm", "--force", f"{self.network}-bare-benchmark")

    def _switch(self, service: Service, image: str) -> None:
        place = ("blue", "green")[self.turn % 2]
        url = self._start(service, image, place)
        httpx.post(f"{url}{service.serving.check.path}", json=service.serving.check.body).raise_for_status()
        # The router gets the weights that it has: it costs the same, and the pipeline's slots keep their traffic.
        router = Router(self.router)
        router.shift(router.weights())

    def _start(self, service: Service, image: str, place: str) -> str:
        name, memory = f"{self.network}-bare-{place}", f"--memory={service.serving.memory_mb}m"
        _do("docker", "rm", "--force", name)
        settings = [f"--env={key}={value}" for key, value in service.serving.environment.items()]
        _do("docker", "run", "--detach", "--init", "--read-only", "--tmpfs=/tmp", memory, *settings, f"--name={name}",
            f"--network={self.network}", image)  # fmt: skip
        address = _do("docker", "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        url, give_up = f"http://{address.strip()}:{service.serving.port}", time.monotonic() + _READY_DEADLINE_S
        while not _is_ready(f"{url}{service.serving.ready}"):
            if time.monotonic() > give_up:
                raise RuntimeError(f"{name} did not become ready")
            time.sleep(0.05)
        return url

    def _buildah(self) -> tuple[str, ...]:
        storage = self.folder / "buildah"
        return "buildah", "--root", str(storage / "storage"), "--runroot", str(storage / "run")

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.took[name] = time.monotonic() - started


def _do(*command: str, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode and command[:3] != ("docker", "rm", "--force"):
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
