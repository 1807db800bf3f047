"""Reads one request body within its limits, or says in a refusal which field broke which limit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mgeo.wire import MAX_BODY_BYTES, MAX_PAIRS, MAX_TEXTS, Problem, Refusal

M = TypeVar("M", bound=BaseModel)
_SHOWN = 20
_LIMITS = ("max_length", "min_length", "le", "ge")


class Refused(Exception):
    """Ends a request with *status* and a body that names what is wrong."""

    def __init__(self, status: int, refusal: Refusal, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(refusal.message)
        self.status = status
        self.refusal = refusal
        self.headers = dict(headers or {})


async def read_body(stream: AsyncIterator[bytes], announced: int) -> bytes:
    """The whole body, of which *announced* bytes were promised; Refused(413) as soon as it is known to be too large."""
    _check_size(announced)
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        size += len(part)
        _check_size(size)
        parts.append(part)
    return b"".join(parts)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        message = (
            f"the body is larger than {MAX_BODY_BYTES} bytes; send fewer texts per request,"
            f" and never more than {MAX_PAIRS} pairs or {MAX_TEXTS} texts"
        )
        problem = Problem(field="body", message=message, limit=MAX_BODY_BYTES)
        raise Refused(413, Refusal(error="too_large", message=message, problems=[problem]))


def understand(body: bytes, model: type[M]) -> M:
    """The body as *model*; raises Refused(422) naming every wrong field."""
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Refused(422, _refusal(error.errors(include_url=False, include_input=False))) from None


def _refusal(errors: list[Any]) -> Refusal:
    problems = [_problem(error) for error in errors[:_SHOWN]]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Refusal(error="invalid", message=f"{problems[0].field}: {problems[0].message}{more}", problems=problems)


def _problem(error: Any) -> Problem:
    context = error.get("ctx", {})
    limit = next((context[name] for name in _LIMITS if name in context), None)
    return Problem(field=_path(error["loc"]), message=error["msg"], limit=limit)


def _path(location: tuple[str | int, ...]) -> str:
    """("pairs", 3, "a") -> pairs[3].a"""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".") or "body"
