"""The part of Handlebars that tag rules use: values, helpers with arguments, `{{#if}}` and `{{#unless}}`.

Values are HTML-escaped as Handlebars does (`a&b` becomes `a&amp;b`), because the action's tags are made that way.
Templates are walked, never turned into code: rules come with the revision, and building it must not run what they say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from slipway.errors import TagRuleError

Argument = str | int | bool | None
Helper = Callable[[list[Argument], dict[str, Argument]], str]
Values = Mapping[str, Argument | Helper]

_ESCAPES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#x27;",
    "`": "&#x60;",
    "=": "&#x3D;",
}
_NAME: Final = r"""[^\s!"#%&'()*+,./;<=>@\[\\\]^`{|}~]+"""
_PATH: Final = rf"(?:(?:this|\.)[./])?(?:{_NAME}|\[[^\]]*\])(?:[./]{_NAME})*"
_OPENING: Final = re.compile(r"(\\*)\{\{")
_COMMENT: Final = re.compile(r"\{\{~?!(?:--.*?--|(?!--).*?)~?\}\}", re.DOTALL)
_MUSTACHE: Final = re.compile(
    r"""\{\{(?P<open>~?(?:\{|[&#/^>*])?)(?P<body>(?:"[^"]*"|'[^']*'|[^"'{}])*?)(?P<close>\}?~?\}\})"""
)
_WORD: Final = re.compile(
    rf"""\s*(?:(?P<key>{_NAME})=)?(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<number>-?\d+)(?=\s|$)|(?P<path>{_PATH}))"""
)
_WORDS_FOR: Final[dict[str, Argument]] = {"true": True, "false": False, "null": None, "undefined": None}


@dataclass(frozen=True)
class Path:
    """A name that the values are asked for."""

    name: str


@dataclass(frozen=True)
class Mustache:
    """`{{name argument key=value}}`; `sign` is what follows the braces: empty, `{`, `&`, `#`, `^` or `/`."""

    sign: str
    words: tuple[Argument | Path, ...]
    options: tuple[tuple[str, Argument | Path], ...]

    @property
    def name(self) -> str:
        head = self.words[0]
        return head.name if isinstance(head, Path) else str(head)


Piece = str | Mustache


def render(template: str, values: Values) -> str:
    """Fill in a template; an unknown name is empty. Raises TagRuleError when it cannot be read."""
    out, rest = _render(_pieces(template), values, template, until="")
    if rest:
        raise _unreadable(template, "{{/...}} or {{else}} closes a block that was never opened")
    return out


def is_raw(template: str) -> bool:
    """Whether the template is nothing but `{{raw}}`."""
    try:
        pieces = _pieces(template)
    except TagRuleError:
        return False
    return len(pieces) == 1 and isinstance(pieces[0], Mustache) and _is_value(pieces[0]) and pieces[0].name == "raw"


def _is_value(piece: Mustache) -> bool:
    return piece.sign in ("", "{", "&")


def _pieces(template: str) -> list[Piece]:
    """Cut a template into text and mustaches; a backslash keeps the following braces as text, `~` eats white space."""
    pieces: list[Piece] = []
    at = 0
    while opening := _OPENING.search(template, at):
        slashes, start = opening[1], opening.end(1)
        before = template[at : start - 1] if slashes else template[at:start]
        if len(slashes) == 1:
            following = _OPENING.search(template, start + 2)
            at = following.start() if following else len(template)
            pieces.append(before + template[start:at])
            continue
        piece, end = _piece(template, start)
        at = _after_space(template, end) if template.endswith("~", 0, end - 2) else end
        pieces.append(before.rstrip() if template.startswith("{{~", start) else before)
        pieces += [piece] if piece else []
    pieces.append(template[at:])
    return [piece for piece in pieces if piece != ""]


def _after_space(template: str, at: int) -> int:
    return len(template) - len(template[at:].lstrip())


def _piece(template: str, start: int) -> tuple[Mustache | None, int]:
    if comment := _COMMENT.match(template, start):
        return None, comment.end()
    found = _MUSTACHE.match(template, start)
    if not found:
        raise _unreadable(template, "{{ without its }}")
    sign = found["open"].removeprefix("~")
    if (sign == "{") != (found["close"].count("}") == 3):
        raise _unreadable(template, "braces do not match")
    if sign in (">", "*"):
        raise _unreadable(template, "partials and decorators have no use in a tag rule")
    return _mustache(template, sign, found["body"]), found.end()


def _mustache(template: str, sign: str, body: str) -> Mustache:
    words: list[Argument | Path] = []
    options: list[tuple[str, Argument | Path]] = []
    rest = body.rstrip().removesuffix("~").rstrip()
    while rest:
        word = _WORD.match(rest)
        if not word:
            raise _unreadable(template, f"cannot read {rest.strip()!r}")
        if word["key"]:
            options.append((word["key"], _argument(word)))
        else:
            words.append(_argument(word))
        rest = rest[word.end() :]
    if not words and sign != "^":
        raise _unreadable(template, "nothing between {{ and }}")
    return Mustache(sign, tuple(words), tuple(options))


def _argument(word: re.Match[str]) -> Argument | Path:
    for quoted in (word["double"], word["single"]):
        if quoted is not None:
            return quoted
    if word["number"]:
        return int(word["number"])
    name = re.sub(r"^(?:this|\.)[./]", "", word["path"]).strip("[]")
    return _WORDS_FOR[name] if name in _WORDS_FOR else Path(name)


def _render(pieces: list[Piece], values: Values, template: str, until: str) -> tuple[str, list[Piece]]:
    """Render up to the mustache that ends the block `until`; returns the text and what is left, that mustache first."""
    out = ""
    while pieces:
        piece, *after = pieces
        if isinstance(piece, str):
            out, pieces = out + piece, after
        elif piece.sign == "#":
            text, pieces = _block(piece, after, values, template)
            out += text
        elif piece.sign in ("/", "^") or (piece.sign == "" and piece.name == "else"):
            return out, pieces
        else:
            text = _text(_evaluate(piece, values, template))
            out, pieces = out + (text if piece.sign else _escape(text)), after
    if until:
        raise _unreadable(template, f"{{{{#{until}}}}} is never closed")
    return out, []


def _block(start: Mustache, pieces: list[Piece], values: Values, template: str) -> tuple[str, list[Piece]]:
    if start.name not in ("if", "unless") or len(start.words) != 2:
        raise _unreadable(template, f"the block {{{{#{start.name}}}}} is not known here; #if and #unless are")
    then, rest = _render(pieces, values, template, until=start.name)
    otherwise = ""
    if isinstance(rest[0], Mustache) and rest[0].sign != "/":
        otherwise, rest = _render(rest[1:], values, template, until=start.name)
    end = rest[0]
    if not isinstance(end, Mustache) or end.sign != "/" or end.name != start.name:
        raise _unreadable(template, f"{{{{#{start.name}}}}} is closed by something else")
    truth = bool(_resolve(start.words[1], values)) == (start.name == "if")
    return (then if truth else otherwise), rest[1:]


def _evaluate(piece: Mustache, values: Values, template: str) -> Argument:
    value = values.get(piece.name)
    arguments = [_resolve(word, values) for word in piece.words[1:]]
    options = {key: _resolve(word, values) for key, word in piece.options}
    if callable(value):
        return value(arguments, options)
    if value is None and (arguments or options):
        raise _unreadable(template, f"there is no helper {piece.name!r}")
    return value


def _resolve(word: Argument | Path, values: Values) -> Argument:
    if not isinstance(word, Path):
        return word
    value = values.get(word.name)
    return value([], {}) if callable(value) else value


def _text(value: Argument) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)


def _unreadable(template: str, why: str) -> TagRuleError:
    return TagRuleError(
        f"the expression in {template!r} cannot be read: {why}",
        next_step="expressions look like {{branch}}, {{sha}} or {{date 'YYYYMMDD' tz='Asia/Shanghai'}}",
    )
