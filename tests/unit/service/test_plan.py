from __future__ import annotations

from pathlib import Path

import pytest

from slipway.service import Service, affected, load_service

MGEO = load_service(Path(__file__).parents[3] / "docker" / "mgeo" / "service.yaml")


def service(name: str, *paths: str) -> Service:
    return MGEO.model_copy(update={"name": name, "paths": paths})


def names(services: list[Service], changed: list[str]) -> list[str]:
    return [found.service.name for found in affected(services, changed)]


@pytest.mark.parametrize(
    ("paths", "changed", "expected"),
    [
        (["docker/a/**"], "docker/a/x/y.py", True),
        (["docker/a/**"], "docker/ab/x.py", False),
        (["docker/a/"], "docker/a/x.py", True),
        (["docker/a/", "!docker/a/README.md"], "docker/a/README.md", False),
        (["docker/a/**", "!*.md"], "docker/a/docs/guide.md", False),
        (["docker/a/**", "!*.md", "docker/a/card.md"], "docker/a/card.md", True),
        (["/requirements.lock"], "docker/requirements.lock", False),
        (["*.lock"], "docker/b/cpu.lock", True),
        (["docker/地址/**"], "docker/地址/模型.py", True),
    ],
)
def test_globs_are_read_as_gitignore_reads_them(paths: list[str], changed: str, expected: bool) -> None:
    assert names([service("a", *paths)], [changed]) == (["a"] if expected else [])


def test_only_the_services_that_a_change_touches_are_affected_and_say_why() -> None:
    services = [service("a", "docker/a/**"), service("b", "docker/b/**", "shared/**"), service("c", "docker/c/**")]
    found = affected(services, ["docs/x.md", "shared/words.txt", "docker/c/one.py", "docker/c/two.py"])
    assert [(one.service.name, one.reason) for one in found] == [
        ("b", "shared/words.txt matches shared/**"),
        ("c", "docker/c/one.py matches docker/c/**"),
    ]


def test_a_change_of_documents_alone_affects_nothing() -> None:
    documents = ["README.md", "docs/architecture.md", "docs/decisions/0001-x.md", "docker/mgeo/README.md", "LICENSE"]
    assert affected([MGEO], documents) == ()


def test_no_changed_path_affects_nothing() -> None:
    assert affected([MGEO], []) == ()


def test_without_an_earlier_revision_everything_is_affected() -> None:
    (found,) = affected([MGEO], None)
    assert (found.service.name, found.reason) == ("mgeo", "no earlier revision to compare with")


def test_a_change_of_code_or_lock_affects_the_service() -> None:
    assert names([MGEO], ["docker/mgeo/locks/cpu.lock"]) == ["mgeo"]
    assert names([MGEO], ["docker/mgeo/mgeo/model.py"]) == ["mgeo"]
