"""The house rules that a machine can check, so that no reviewer has to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FUNCTION = 50
OUTSIDES = {"prefect", "docker", "socket", "subprocess", "httpx", "requests", "psutil", "sqlalchemy"}
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("slipway", "tasks", "flows", "deployments")
    for path in sorted((ROOT / package).rglob("*.py"))
}
SERVICES = {
    str(path.relative_to(ROOT)): path for path in sorted((ROOT / "docker").rglob("*.py")) if ".venv" not in path.parts
}
PURE = [
    name
    for name, path in SOURCES.items()
    if re.search(r"\bPure\b", ast.get_docstring(ast.parse(path.read_text())) or "")
]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """What a module imports when it is loaded; imports for type checkers and inside functions do not run then."""
    for node in tree(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def reached(name: str) -> frozenset[str]:
    """Every module that loading one of ours loads directly or through others of ours."""
    found, waiting = set[str](), [name]
    while waiting:
        path = SOURCES.get(waiting.pop())
        new = set(imported(path)) - found if path else set()
        found |= new
        waiting += new
    return frozenset(found)


def test_nothing_points_back() -> None:
    assert (
        lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == EXIT_STATUS_SUCCESS
    )


def test_the_library_never_knows_prefect() -> None:
    guilty = [
        name
        for name in SOURCES
        if name.startswith("slipway")
        for used in imported(SOURCES[name])
        if used.startswith("prefect")
    ]
    assert guilty == []


def test_an_image_ships_alone() -> None:
    ours = ("slipway", "tasks", "flows", "deployments")
    guilty = [name for name, path in SERVICES.items() for used in imported(path) if used.split(".")[0] in ours]
    assert guilty == []


def test_the_folder_of_images_never_hides_the_docker_sdk() -> None:
    assert list((ROOT / "docker").glob("__init__.py")) == []
    assert list((ROOT / "docker").glob("*/__init__.py")) == []


@pytest.mark.parametrize("name", PURE)
def test_what_calls_itself_pure_reaches_nothing_outside(name: str) -> None:
    assert {used.split(".")[0] for used in reached(name)} & OUTSIDES == set()


def test_the_pure_core_is_there() -> None:
    assert {"slipway.plan", "slipway.gates", "slipway.verify.smoke", "slipway.image.assemble"} <= set(PURE)


@pytest.mark.parametrize("name", [*SOURCES, *SERVICES])
def test_functions_stay_small(name: str) -> None:
    path = SOURCES.get(name) or SERVICES[name]
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno}
    assert {function: lines for function, lines in long.items() if lines > LONGEST_FUNCTION} == {}


def test_no_path_of_a_machine_is_written_down() -> None:
    wrong = re.compile(r"/(?:home|Users)/[a-z]|/root/")
    texts = [
        path
        for folder in ("slipway", "tasks", "flows", "deployments", "docs", "scripts")
        for path in (ROOT / folder).rglob("*")
    ]
    kept = [path for path in texts if path.is_file() and path.suffix in (".py", ".md", ".yaml", ".json", ".sh", "")]
    assert [str(path.relative_to(ROOT)) for path in kept if wrong.search(path.read_text(errors="replace"))] == []
