"""Read service.yaml: every problem at once, each with its file and line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from slipway.errors import ServiceFileError
from slipway.service.model import Service, ServiceFile

FILE: Final = "service.yaml"
_MOST_NODES: Final = 20_000
_MOST_QUOTED: Final = 80


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a file; `line` counts from 1."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def load_service(path: Path, root: Path | None = None) -> Service:
    """Read one file. `root` is the repository, by default the folder that holds `docker/<service>/`.

    Raises ServiceFileError, which lists every problem.
    """
    service, problems = _read(path, root or path.absolute().parents[2])
    if service is None:
        raise _refusal(problems)
    return service


def find_services(root: Path) -> tuple[Service, ...]:
    """All services of a checkout (`docker/*/service.yaml`), by name. Raises ServiceFileError, for all files at once."""
    services: dict[str, Service] = {}
    problems: list[Problem] = []
    for path in sorted(root.glob(f"docker/*/{FILE}")):
        service, found = _read(path, root)
        problems += found
        if service and service.name in services:
            problems.append(Problem(_shown(path, root), 1, f"{service.name!r} is the name of another service, too"))
        elif service:
            services[service.name] = service
    if problems:
        raise _refusal(problems)
    return tuple(services[name] for name in sorted(services))


def _read(path: Path, root: Path) -> tuple[Service | None, list[Problem]]:
    shown = _shown(path, root)
    try:
        text = path.read_text(encoding="utf-8")
        # Not the round-trip loader: keeping comments, it stumbles over some damaged files.
        node = YAML(typ="safe", pure=True).compose(text)
        content = _bounded(YAML(typ="safe", pure=True).load(text), iter(range(_MOST_NODES)))
    except OSError as missing:
        return None, [Problem(shown, 1, f"cannot be read: {missing.strerror}")]
    except UnicodeDecodeError as broken:
        return None, [Problem(shown, 1, f"is not UTF-8: {broken.reason} at byte {broken.start}")]
    except (_TooLarge, RecursionError):
        return None, [Problem(shown, 1, f"has more than {_MOST_NODES} values, or nested too deeply")]
    except YAMLError as broken:
        return None, [_syntax_problem(shown, broken)]
    except ValueError as impossible:
        return None, [Problem(shown, 1, f"holds an impossible value: {impossible}")]
    if not isinstance(content, dict):
        return None, [Problem(shown, 1, "is not a mapping; it starts with name: and image:")]
    try:
        found = ServiceFile.model_validate(content)
    except ValidationError as refused:
        return None, sorted(_problem(shown, node, error) for error in refused.errors())
    folder = path.absolute().parent.relative_to(root.absolute()).as_posix()
    return Service(**{key: getattr(found, key) for key in ServiceFile.model_fields}, folder=folder), []


def _shown(path: Path, root: Path) -> str:
    absolute = path.absolute()
    return absolute.relative_to(root.absolute()).as_posix() if absolute.is_relative_to(root.absolute()) else str(path)


def _refusal(problems: Iterable[Problem]) -> ServiceFileError:
    listed = list(problems)
    count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
    return ServiceFileError(
        "\n".join([f"{count} in the service description:", *(f"  {problem}" for problem in listed)]),
        next_step="correct the lines above; docs/service.schema.json describes every key",
    )


def _syntax_problem(shown: str, broken: YAMLError) -> Problem:
    mark = broken.problem_mark or broken.context_mark if isinstance(broken, MarkedYAMLError) else None
    text = (broken.problem if isinstance(broken, MarkedYAMLError) else str(broken)) or "is not YAML"
    return Problem(shown, mark.line + 1 if mark else 1, " ".join(str(text).split()))


class _TooLarge(Exception):
    """Aliases of aliases make more of a file than anybody has written."""


def _bounded(content: Any, room: Iterator[int]) -> Any:
    """The same content; `room` runs out after so many values."""
    if next(room, None) is None:
        raise _TooLarge
    for value in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        _bounded(value, room)
    return content


def _problem(shown: str, node: Node, error: ErrorDetails) -> Problem:
    place = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(shown, _line(node, place), f"{_dotted(place)}: {_sentence(error, place)}")


def _dotted(place: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".") or "the file"


def _sentence(error: ErrorDetails, place: tuple[int | str, ...]) -> str:
    given = error["input"]
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key{_suggestion(str(place[-1]), _keys_at(place[:-1]))}"
        case "missing":
            return "is missing"
        case "string_type" if isinstance(given, bool | int | float):
            return f"must be text; write it in quotes: '{given}'"
        case "string_pattern_mismatch":
            return f"{_quoted(given)} does not have the form {error['ctx']['pattern']}"
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
    said = error["msg"][:1].lower() + error["msg"][1:]
    return f"{said}, not {_quoted(given)}" if isinstance(given, str | bool | int | float) else said


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "..."


def _suggestion(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _keys_at(place: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys that the model knows at a place; a mapping's or list's own keys are passed over."""
    model: type[BaseModel] = ServiceFile
    skip = False
    for part in place:
        if skip:
            skip = False
            continue
        annotation = model.model_fields[str(part)].annotation
        model = _model_in(annotation) or model
        skip = get_origin(annotation) in (dict, tuple)
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)


def _line(node: Node, place: tuple[int | str, ...]) -> int:
    """The line of the innermost key or item of a place that the file has, counted from 1."""
    line = 0
    for part in place:
        found = _inner(node, part)
        if found is None:
            break
        line, node = found
    return line + 1


def _inner(node: Node, part: int | str) -> tuple[int, Node] | None:
    """Where a key or an item starts, counted from 0, and what it holds."""
    if isinstance(node, MappingNode):
        return next(((key.start_mark.line, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line, item
    return None
