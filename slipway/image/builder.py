"""Two programs that build the same digest twice: BuildKit through buildx, and buildah.

Docker 20.10's own BuildKit stamps the clock into layers, so it is not one of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from slipway.errors import BuildFailed, CommandFailed, DeadlineExceeded, NoBuilder, RegistryUnavailable
from slipway.filelock import held
from slipway.image.base import EPOCH, Login
from slipway.processes import run

_REVISION = "org.opencontainers.image.revision"
_PROGRESS = re.compile(
    r"(?:\[(?P<stage>\d+)/(?P<stages>\d+)\] )?(?:STEP |#\d+ \[(?:[^\] ]+ )?)(?P<step>\d+)/(?P<steps>\d+)"
)
_OLDEST_BUILDX = (0, 13)
_CLEAR_DEADLINE_S = 5.0
_UNREACHABLE = re.compile(
    r"connection refused|connection reset|i/o timeout|no such host|\b(?:status|code)\b[^\n]*\b50[0234]\b", re.IGNORECASE
)
_STEP = re.compile(r'building at STEP "(?P<buildah>.+)": |process "(?P<buildx>.+)" did not complete')


@dataclass(frozen=True)
class BuildRequest:
    """Everything that decides an image. `destination` is `registry/name:tag`, where the result is pushed with
    `login`. Builders are not told of the labels: each would be a step, and a new one with every commit; they go into
    the settled config."""

    context: Path
    dockerfile: str
    target: str
    destination: str
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    login: Login = field(default_factory=Login)


class Builder(Protocol):
    """A program that builds without a network and without the clock, and pushes what it built."""

    @property
    def name(self) -> str:
        """The program and its version, for provenance."""
        ...

    def build(self, request: BuildRequest, *, deadline_s: float, on_line: Callable[[str], None]) -> None:
        """Build and push. Raises `BuildFailed` (the failing line named), `DeadlineExceeded`, `RegistryUnavailable`."""
        ...

    def prune(self) -> None:
        """Forget every cached layer."""
        ...

    def clear(self) -> None:
        """Forget what builds that were killed left half-done; a build under way goes on."""
        ...


@dataclass(frozen=True)
class Buildah:
    """Debian's buildah, with storage of its own below `root`, so that pruning touches nobody else's images."""

    root: Path
    version: str

    @property
    def name(self) -> str:
        """Program and version."""
        return f"buildah {self.version}"

    def build(self, request: BuildRequest, *, deadline_s: float, on_line: Callable[[str], None]) -> None:
        """See `Builder.build`."""
        push = ("push", _tls(request), "--quiet", request.destination, f"docker://{request.destination}")
        with held(self.root / "build.lock", deadline_s=deadline_s):
            self._remove_working_containers()
            self._unfinished.touch()
            _run_build([*self._base(), *buildah_arguments(request, _runtime())], request, deadline_s, on_line)
            self._unfinished.unlink()
            _run_push([*self._base(), *push], request, deadline_s, on_line)

    def prune(self) -> None:
        """See `Builder.prune`."""
        if self.root.exists():
            run([*self._base(), "rmi", "--all", "--force"], deadline_s=120, check=False)

    def clear(self) -> None:
        """See `Builder.clear`."""
        with suppress(DeadlineExceeded), held(self.root / "build.lock", deadline_s=_CLEAR_DEADLINE_S):
            self._remove_working_containers()

    def _remove_working_containers(self) -> None:
        """Those of a build that failed or was killed, if there was one: only one builds at a time."""
        if self._unfinished.exists():
            done = run([*self._base(), "rm", "--all"], deadline_s=60, check=False)
            if done.returncode == 0:
                self._unfinished.unlink()

    @property
    def _unfinished(self) -> Path:
        """There while a build is under way, and after one that did not end well: to ask buildah takes longer."""
        return self.root / "unfinished"

    def _base(self) -> list[str]:
        storage = ("--root", str(self.root / "storage"), "--runroot", str(self.root / "run"))
        return [*_own_processes(), "buildah", *storage]


def _own_processes() -> list[str]:
    """A prefix that puts a build into its own process and mount namespaces: killed as one, mounts and all."""
    return ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"] if os.geteuid() == 0 else []


def buildah_arguments(request: BuildRequest, runtime: str) -> list[str]:
    """The `buildah build` command line after the global options."""
    return [
        *("build", "--layers", "--network", "none", "--timestamp", str(EPOCH), _tls(request)),
        *("--runtime", runtime, "--format", "docker", "--pull", "--force-rm", "--identity-label=false"),
        *("--target", request.target),
        *("--file", str(request.context / request.dockerfile), "--tag", request.destination),
        *_pairs("--build-arg", request.build_args),
        str(request.context),
    ]


@dataclass(frozen=True)
class Buildx:
    """BuildKit 0.13 or newer in a builder of the docker-container or remote driver."""

    builder: str
    version: str

    @property
    def name(self) -> str:
        """Program and version."""
        return f"buildx {self.version}"

    def build(self, request: BuildRequest, *, deadline_s: float, on_line: Callable[[str], None]) -> None:
        """See `Builder.build`."""
        _run_build(buildx_arguments(request, self.builder), request, deadline_s, on_line)

    def prune(self) -> None:
        """See `Builder.prune`."""
        run(["docker", "buildx", "prune", "--builder", self.builder, "--all", "--force"], deadline_s=300)

    def clear(self) -> None:
        """See `Builder.clear`: BuildKit ends a build with its client, and cleans up itself."""


def buildx_arguments(request: BuildRequest, builder: str) -> list[str]:
    """The `docker buildx build` command line. Attestations are our own: some registries refuse BuildKit's."""
    output = f"type=image,name={request.destination},push=true,rewrite-timestamp=true,oci-mediatypes=true"
    return [
        *("docker", "buildx", "build", "--builder", builder, "--progress", "plain", "--network", "none"),
        *("--provenance=false", "--sbom=false", "--output", output, "--target", request.target),
        *("--file", str(request.context / request.dockerfile)),
        *_pairs("--build-arg", {**request.build_args, "SOURCE_DATE_EPOCH": str(EPOCH)}),
        str(request.context),
    ]


def find_builder(root: Path) -> Builder:
    """The best builder of this machine. Raises `NoBuilder` with what to install."""
    return _find_buildx() or _find_buildah(root) or _no_builder()


def _find_buildx() -> Buildx | None:
    if not shutil.which("docker"):
        return None
    answer = run(["docker", "buildx", "version"], deadline_s=20, check=False)
    version = re.search(r"v?(\d+)\.(\d+)", answer.stdout)
    if answer.returncode != 0 or not version or (int(version[1]), int(version[2])) < _OLDEST_BUILDX:
        return None
    listed = run(["docker", "buildx", "ls", "--format", "{{json .}}"], deadline_s=20, check=False)
    builders = [json.loads(line) for line in listed.stdout.splitlines() if line.startswith("{")]
    fit = [item["Name"] for item in builders if item.get("Driver") in ("docker-container", "kubernetes", "remote")]
    return Buildx(fit[0], answer.stdout.split()[1]) if fit else None


def _find_buildah(root: Path) -> Buildah | None:
    if not shutil.which("buildah"):
        return None
    said = run(["buildah", "--version"], deadline_s=20).stdout
    return Buildah(root, said.split()[2])


def _no_builder() -> Builder:
    raise NoBuilder(
        "no program here builds the same image twice",
        next_step="install buildah (`apt-get install buildah`), or create a BuildKit builder "
        "(`docker buildx create --driver docker-container`); the engine's own builder stamps the clock into layers",
    )


def _tls(request: BuildRequest) -> str:
    return f"--tls-verify={str(not request.login.plain).lower()}"


def _credentials(request: BuildRequest) -> dict[str, str]:
    """Where buildah looks for credentials: in a file, because a command line is everybody's to read."""
    return {"REGISTRY_AUTH_FILE": str(request.login.auth_file)} if request.login.auth_file else {}


def _runtime() -> str:
    # crun 1.8 refuses the hybrid cgroup layout; runc comes with every Docker Engine.
    return shutil.which("runc") or "crun"


def _pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    return [word for key, value in sorted(values.items()) for word in (flag, f"{key}={value}")]


def _run_build(command: list[str], request: BuildRequest, deadline_s: float, on_line: Callable[[str], None]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-build-", dir=request.context.parent) as scratch:
            run(command, deadline_s=deadline_s, env={"TMPDIR": scratch, **_credentials(request)}, on_line=on_line)
    except CommandFailed as failed:
        _raise_unreachable(failed)
        step = failing_line(failed.tail)
        raise BuildFailed(
            f"the image did not build: {place_of(step, request)}: {step}{_why(failed.tail)}",
            subject=request.labels.get(_REVISION, request.destination),
            command=failed.command,
            tail=failed.tail,
            next_step=f"mend that step of {request.dockerfile}; the whole log is in the run",
        ) from failed


def _run_push(command: list[str], request: BuildRequest, deadline_s: float, on_line: Callable[[str], None]) -> None:
    try:
        run(command, deadline_s=deadline_s, env=_credentials(request), on_line=on_line)
    except CommandFailed as failed:
        _raise_unreachable(failed)
        raise


def _raise_unreachable(failed: CommandFailed) -> None:
    # A step that failed has the word: it runs without a network, and may itself complain of a refused connection.
    if not _STEP.search(failed.tail) and _UNREACHABLE.search(failed.tail):
        raise RegistryUnavailable(
            "the registry does not answer",
            command=failed.command,
            tail=failed.tail,
            next_step="check that it runs (`slipway status`); the push is tried again",
        ) from failed


def place_of(step: str, request: BuildRequest) -> str:
    """The Dockerfile, and the line in it where a step begins, where that is written as the builder printed it."""
    wanted, file = " ".join(step.split()), request.context / request.dockerfile
    lines = file.read_text().splitlines() if file.is_file() else []
    for number, line in enumerate(lines, start=1):
        beginning = " ".join(line.rstrip("\\ ").split())
        if beginning and wanted and (wanted.startswith(beginning) or beginning.startswith(f"{wanted} ")):
            return f"{request.dockerfile}, line {number}"
    return request.dockerfile


def share_done(line: str) -> float | None:
    """How much of a build (0..1) a line says has begun: `[2/3] STEP 4/12: ...` or `#9 [service 4/12] ...`."""
    found = _PROGRESS.match(line)
    if not found:
        return None
    stage, stages = int(found["stage"] or 1), int(found["stages"] or 1)
    return (stage - 1 + (int(found["step"]) - 1) / int(found["steps"])) / stages


def failing_line(tail: str) -> str:
    """The instruction that failed, or else the last one begun, from a builder's last lines."""
    named = [step["buildah"] or step["buildx"] for step in _STEP.finditer(tail)]
    begun: list[str] = re.findall(r"^STEP \d+/\d+: (.+)", tail, re.MULTILINE)
    other: list[str] = re.findall(r"(?:Error|ERROR): (.+)", tail) or tail.strip().splitlines()
    return (named or begun or other or ["it said nothing"])[-1].strip()


def _why(tail: str) -> str:
    """A reason that fits on the same line, where the builder has one that is known to be the reason."""
    found = re.search(r"manifest unknown|no such file or directory|Unknown instruction|not found in its context", tail)
    return f" ({found[0]})" if found else ""
