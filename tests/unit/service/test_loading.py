from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ServiceFileError
from slipway.service import find_services, load_service
from slipway.service.schema import schema

ROOT = Path(__file__).parents[3]
GOOD = """\
name: echo
image: demo/echo
paths: [docker/echo/**]
build:
  default: cpu
  flavours:
    cpu: {target: cpu, lock: locks/cpu.lock, base: python, size_budget_mb: 100}
    cuda:
      target: cuda
      lock: locks/cuda.lock
      base: python
      size_budget_mb: 4000
tags: |
  # pasted from a workflow
  type=sha,format=long
  type=ref,event=branch
labels: {maintainer: somebody}
smoke: {command: [python3, -m, echo.smoke]}
benchmark:
  path: /echo
  payload: {single: {text: a}, batch: {texts: [a, b]}}
serving:
  port: 8000
  check: {path: /echo, body: {text: a}, expect: {field: length, min: 1, max: 1}}
"""


def write(root: Path, text: str, name: str = "echo") -> Path:
    path = root / "docker" / name / "service.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems(root: Path, text: str) -> list[str]:
    """What load_service says about a text, one problem an entry, without the file's name."""
    with pytest.raises(ServiceFileError) as refused:
        load_service(write(root, text))
    first, *listed = refused.value.what.splitlines()
    assert first.startswith(f"{len(listed)} problem")
    return [line.strip().removeprefix("docker/echo/service.yaml:") for line in listed]


def said_about(path: Path) -> str:
    """What is wrong with a file; empty when nothing is."""
    try:
        load_service(path)
    except ServiceFileError as refused:
        return refused.what
    return ""


def test_a_small_service_gets_its_defaults(tmp_path: Path) -> None:
    service = load_service(write(tmp_path, GOOD))
    assert (service.folder, service.context, service.model) == ("docker/echo", "docker/echo", None)
    assert service.tags == ("type=sha,format=long", "type=ref,event=branch")
    assert service.flavor == ("latest=false",)
    assert (service.smoke.timeout_s, service.smoke.gpu) == (120, "optional")
    assert service.serving.ready == "/ready"
    assert service.rollout_in("production").strategy == "blue_green"


def test_another_flavour_gets_tags_of_its_own(tmp_path: Path) -> None:
    service = load_service(write(tmp_path, GOOD))
    assert service.flavor_lines("cpu") == ("latest=false",)
    assert service.flavor_lines("cuda") == ("latest=false", "suffix=-cuda,onlatest=true")


def test_labels_of_the_file_come_after_what_it_says_of_itself(tmp_path: Path) -> None:
    text = GOOD.replace("labels: {", "description: Says it again\nlabels: {org.opencontainers.image.title: Echo, ")
    assert load_service(write(tmp_path, text)).label_lines == (
        "org.opencontainers.image.title=Echo",
        "org.opencontainers.image.description=Says it again",
        "maintainer=somebody",
    )


def test_every_problem_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        GOOD.replace("image: demo/echo", "imgae: demo/echo")
        .replace("      lock: locks/cuda.lock", "      lokc: locks/cuda.lock")
        .replace("port: 8000", "port: 80000")
        .replace("max: 1}}", "max: 0}}")
        .replace("type=ref,event=branch", "type=ref,event=brnch")
    )
    assert problems(tmp_path, text) == [
        "1: image: is missing",
        "2: imgae: unknown key; did you mean 'image'?",
        "8: build.flavours.cuda.lock: is missing",
        "10: build.flavours.cuda.lokc: unknown key; did you mean 'lock'?",
        "13: tags: tag rule 'type=ref,event=brnch': event is 'brnch', not one of branch, tag, pr",
        "23: serving.port: input should be less than 65536, not 80000",
        "24: serving.check.expect: min 1.0 is above max 0.0",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("port: 8000", "port: 8000\n  redy: /r", "24: serving.redy: unknown key; did you mean 'ready'?"),
        (
            "port: 8000",
            "port: 8000\n  qqq: /r",
            "24: serving.qqq: unknown key; known here: port, ready, metrics,",
        ),
        ("default: cpu", "default: gpu", "4: build: default is 'gpu', the flavours are cpu, cuda"),
        ("name: echo", "name: Echo Service", "1: name: 'Echo Service' does not have the form"),
        ("labels: {maintainer: somebody}", "labels: {year: 2026}", "17: labels.year: must be text; write it in quotes"),
        ("paths: [docker/echo/**]", "paths: []", "3: paths: tuple should have at least 1 item"),
        ("path: /echo\n", "path: echo\n", "20: benchmark.path: 'echo' does not have the form"),
        ("lock: locks/cpu.lock", "lock: ../cpu.lock", "7: build.flavours.cpu.lock: the path must stay inside"),
        ("name: echo", "name: echo\nfolder: docker/x", "2: folder: unknown key"),
        ("name: echo", "name: echo\nflavor: lates=true", "2: flavor: flavor entry 'lates=true': unknown 'lates'"),
        ("name: echo", "name: echo\nrollout: {prod: {}}", "2: rollout.prod: unknown key; did you mean 'production'?"),
        ("name: echo", "name: echo\nmodel: {train: [x], inputs: [t/**]}", "2: model: train needs {output}"),
        ("name: echo", "name: echo\nname: other", "2: found duplicate key"),
        ("name: echo", "name: [echo", "2: expected ',' or ']'"),
        ("name: echo", "name: 2026-13-45", "holds an impossible value"),
        ("name: echo", "name: &a echo\n\tb: 1", "2: found character"),
    ],
)
def test_a_mistake_is_named_where_it_stands(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in GOOD
    (problem,) = problems(tmp_path, GOOD.replace(before, after, 1))
    assert expected in problem


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"just text", b"name: \xff\xfe"])
def test_a_file_that_is_no_description_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "")
    path.write_bytes(content)
    with pytest.raises(ServiceFileError, match=r"docker/echo/service.yaml:1: is not (a mapping|UTF-8)"):
        load_service(path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        ),
        f"name: {'[' * 5000}",
    ],
    ids=["an avalanche of aliases", "lists in lists in lists"],
)
def test_a_hostile_file_cannot_exhaust_the_reader(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert "more than 20000 values, or nested too deeply" in problem


@given(data=st.data())
def test_a_damaged_file_is_refused_and_never_crashes_the_reader(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = GOOD.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at : at + 1] = data.draw(st.lists(st.text("ab:{}[]&*!?-# \t'\"1,|>\n登", max_size=12), max_size=2))
    path = write(tmp_path_factory.mktemp("damaged"), "\n".join(lines))
    outcome = said_about(path)
    assert outcome == "" or "docker/echo/service.yaml:" in outcome


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFileError, match=r"docker/none/service.yaml:1: cannot be read"):
        load_service(tmp_path / "docker" / "none" / "service.yaml")


def test_all_services_are_found_and_the_problems_of_all_files_reported(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("name: echo", "name: bell"), "bell")
    assert [service.name for service in find_services(tmp_path)] == ["bell", "echo"]
    write(tmp_path, GOOD, "twin")
    write(tmp_path, "name: x\n", "bad")
    with pytest.raises(ServiceFileError) as refused:
        find_services(tmp_path)
    assert "docker/twin/service.yaml:1: 'echo' is the name of another service, too" in refused.value.what
    assert "docker/bad/service.yaml:1: image: is missing" in refused.value.what


def test_the_model_command_names_interpreter_and_folder(tmp_path: Path) -> None:
    text = GOOD + 'model: {train: ["{python}", -m, training, "--output={output}"], inputs: [training/**]}\n'
    model = load_service(write(tmp_path, text)).model
    assert model is not None
    assert model.command(python="/p", output="/o") == ("/p", "-m", "training", "--output=/o")


def test_the_services_of_this_repository_are_valid() -> None:
    assert "mgeo" in [service.name for service in find_services(ROOT)]


def test_the_committed_schema_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "service.schema.json").read_text(encoding="utf-8")
    assert committed == schema(), "run: python -m slipway.service.schema > docs/service.schema.json"
