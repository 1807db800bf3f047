from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from slipway.errors import BuildFailed, CommandFailed, NoBuilder, RegistryUnavailable
from slipway.image import builder as module
from slipway.image.base import EPOCH
from slipway.image.builder import (
    Buildah,
    BuildRequest,
    Buildx,
    buildah_arguments,
    buildx_arguments,
    failing_line,
    find_builder,
    share_done,
)
from slipway.processes import Completed

REQUEST = BuildRequest(
    context=Path("/srv/context"),
    dockerfile="Dockerfile",
    target="cpu",
    destination="127.0.0.1:5050/toy:candidate-1",
    build_args={"BASE": "python@sha256:1", "A": "1"},
    labels={"b": "two words", "a": "1"},
)


def after(command: list[str], flag: str) -> list[str]:
    """Every word that follows a flag."""
    return [value for word, value in pairwise(command) if word == flag]


def said(stdout: str = "", returncode: int = 0) -> Completed:
    return Completed(stdout, "", 0.1, returncode)


class Programs:
    """Stands in for the programs of a machine: which there are, and what each command line answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *installed: str, answers: dict[str, Completed] | None = None):
        self.answers, self.failing = answers or {}, dict[str, str]()
        self.ran: list[str] = []
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in installed else None)
        monkeypatch.setattr(module, "run", self.run)

    def run(self, argv: list[str], **_how: object) -> Completed:
        line = " ".join(argv)
        self.ran.append(line)
        for part, tail in self.failing.items():
            if part in line:
                raise CommandFailed("buildah exited with 1", command=line, tail=tail)
        return next((answer for part, answer in self.answers.items() if part in line), said())


@pytest.mark.parametrize("arguments", [buildah_arguments(REQUEST, "runc"), buildx_arguments(REQUEST, "builder")])
def test_both_builders_build_the_target_without_a_network_from_the_staged_context(arguments: list[str]) -> None:
    assert after(arguments, "--network") == ["none"]
    assert after(arguments, "--target") == ["cpu"]
    assert after(arguments, "--file") == ["/srv/context/Dockerfile"]
    assert {"A=1", "BASE=python@sha256:1"} <= set(after(arguments, "--build-arg"))
    assert arguments[-1] == "/srv/context"


@pytest.mark.parametrize("arguments", [buildah_arguments, buildx_arguments])
def test_new_labels_are_no_new_step(arguments: Callable[[BuildRequest, str], list[str]]) -> None:
    assert arguments(replace(REQUEST, labels={"c": "2"}), "runc") == arguments(REQUEST, "runc")


def test_buildah_takes_the_clock_from_nowhere() -> None:
    arguments = buildah_arguments(REQUEST, "runc")
    assert after(arguments, "--timestamp") == [str(EPOCH)]
    assert "--identity-label=false" in arguments
    assert after(arguments, "--runtime") == ["runc"]
    assert after(arguments, "--tag") == [REQUEST.destination]


def test_buildx_rewrites_times_pushes_and_attests_nothing() -> None:
    arguments = buildx_arguments(REQUEST, "kit")
    (output,) = after(arguments, "--output")
    assert f"name={REQUEST.destination}" in output.split(",")
    assert {"push=true", "rewrite-timestamp=true"} <= set(output.split(","))
    assert f"SOURCE_DATE_EPOCH={EPOCH}" in after(arguments, "--build-arg")
    assert {"--provenance=false", "--sbom=false"} <= set(arguments)
    assert after(arguments, "--builder") == ["kit"]


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ('Error: building at STEP "RUN false": while running runtime: exit status 1', "RUN false"),
        (
            'Error: building at STEP "RUN echo "a" && false": while running runtime: exit status 1',
            'RUN echo "a" && false',
        ),
        (
            'ERROR: process "/bin/sh -c pip install x" did not complete successfully: exit code: 1',
            "/bin/sh -c pip install x",
        ),
        ("Error: no such target: gpu", "no such target: gpu"),
        ("some words\nthe last words\n", "the last words"),
        ("", "it said nothing"),
    ],
)
def test_the_failing_line_is_found(tail: str, line: str) -> None:
    assert failing_line(tail) == line


def quiet(_line: str) -> None:
    """Nobody listens."""


def build(tmp_path: Path) -> None:
    Buildah(tmp_path, "1.28").build(REQUEST, deadline_s=5, on_line=quiet)


def test_buildah_builds_then_pushes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = Programs(monkeypatch)
    build(tmp_path)
    verbs = [line.split(f"{tmp_path}/run ")[1].split()[0] for line in programs.ran]
    assert verbs == ["build", "push"]


def test_buildah_first_removes_what_a_build_left_that_did_not_end_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = Programs(monkeypatch)
    programs.failing[" build --layers"] = "Error: killed"
    with pytest.raises(BuildFailed):
        build(tmp_path)
    programs.failing.clear()
    programs.ran.clear()
    build(tmp_path)
    Buildah(tmp_path, "1.28").clear()
    verbs = [line.split(f"{tmp_path}/run ")[1].split()[0] for line in programs.ran]
    assert verbs == ["rm", "build", "push"]


def test_what_buildah_could_not_remove_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = Programs(monkeypatch, answers={" rm --all": said(returncode=1)})
    (tmp_path / "unfinished").touch()
    for _ in range(2):
        Buildah(tmp_path, "1.28").clear()
    assert len(programs.ran) == 2


def test_a_broken_step_is_the_authors_to_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = Programs(monkeypatch)
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN make\n")
    programs.failing[" build --layers"] = 'Error: building at STEP "RUN make": while running runtime: exit status 2'
    request = replace(REQUEST, context=tmp_path)
    with pytest.raises(BuildFailed, match="the image did not build: Dockerfile, line 2: RUN make"):
        Buildah(tmp_path, "1.28").build(request, deadline_s=5, on_line=quiet)


@pytest.mark.parametrize(
    "complaint",
    [
        "dial tcp 127.0.0.1:5050: connect: connection refused",
        "received unexpected HTTP status: 503 Service Unavailable",
        "unexpected status from HEAD request to http://r/v2/x: 502 Bad Gateway",
        "read tcp: i/o timeout",
    ],
)
@pytest.mark.parametrize("verb", [" build --layers", " push "])
def test_a_silent_registry_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, complaint: str, verb: str
) -> None:
    programs = Programs(monkeypatch)
    programs.failing[verb] = f"Error: creating build container: {complaint}"
    with pytest.raises(RegistryUnavailable):
        build(tmp_path)


@pytest.mark.parametrize("words", ["504 tests passed", "curl: connection refused", "status 500 in my own test"])
def test_what_a_broken_step_prints_is_not_taken_for_the_registrys_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    programs = Programs(monkeypatch)
    programs.failing[" build --layers"] = f'{words}\nError: building at STEP "RUN test": exit status 1'
    with pytest.raises(BuildFailed):
        build(tmp_path)


def test_a_push_that_is_refused_stays_a_failed_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    programs = Programs(monkeypatch)
    programs.failing[" push "] = "Error: authentication required"
    with pytest.raises(CommandFailed):
        build(tmp_path)


def buildx_machine(driver: str = "docker-container", version: str = "v0.17.1") -> dict[str, Completed]:
    listed = "\n".join(
        json.dumps(item) for item in ({"Name": "default", "Driver": "docker"}, {"Name": "kit", "Driver": driver})
    )
    return {"buildx version": said(f"github.com/docker/buildx {version} abc123"), "buildx ls": said(listed)}


def test_buildx_with_a_builder_of_its_own_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Programs(monkeypatch, "docker", "buildah", answers=buildx_machine())
    found = find_builder(tmp_path)
    assert found == Buildx("kit", "v0.17.1")
    assert found.name == "buildx v0.17.1"


@pytest.mark.parametrize(
    "answers",
    [
        buildx_machine(version="v0.12.5"),
        buildx_machine(driver="docker"),
        {"buildx version": said("unknown command", returncode=1)},
    ],
)
def test_without_a_buildx_that_can_buildah_builds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: dict[str, Completed]
) -> None:
    version = {"buildah --version": said("buildah version 1.28.2 (image-spec 1.0, runtime-spec 1.0)")}
    Programs(monkeypatch, "docker", "buildah", answers=answers | version)
    found = find_builder(tmp_path)
    assert found == Buildah(tmp_path, "1.28.2")


def test_without_any_builder_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Programs(monkeypatch)
    with pytest.raises(NoBuilder) as none:
        find_builder(tmp_path)
    assert "apt-get install buildah" in none.value.next_step


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("STEP 1/4: FROM base", 0.0),
        ("STEP 3/4: COPY a b", 0.5),
        ("[2/2] STEP 3/4: COPY a b", 0.75),
        ("#9 [service 2/4] COPY a b", 0.25),
        ("#9 [2/4] COPY a b", 0.25),
        ("--> Using cache 00f03bc70baf", None),
        ("#9 DONE 0.1s", None),
    ],
)
def test_a_builders_lines_tell_how_far_it_is(line: str, share: float | None) -> None:
    assert share_done(line) == share
