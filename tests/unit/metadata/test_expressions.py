from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from slipway.errors import TagRuleError
from slipway.metadata.handlebars import Argument, Values, render
from slipway.metadata.moment import format_moment

WHEN = datetime(2026, 3, 7, 13, 6, 7, 89_000, ZoneInfo("Asia/Shanghai"))


def shout(arguments: list[Argument], options: dict[str, Argument]) -> str:
    return f"{arguments}{options}"


VALUES: Values = {"name": "a=b&c", "zero": 0, "empty": "", "shout": shout}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{name}}", "a&#x3D;b&amp;c"),
        ("{{{name}}}{{&name}}", "a=b&ca=b&c"),
        ("{{ name }}-{{this.zero}}-{{[zero]}}", "a&#x3D;b&amp;c-0-0"),
        ("x {{~zero~}} y", "x0y"),
        ("{{unknown}}{{! comment }}{{!-- {{x}} --}}", ""),
        (r"\{{name}} \\{{zero}}", r"{{name}} \0"),
        ("{{#if empty}}yes{{else}}no{{/if}}", "no"),
        ("{{#unless empty}}{{#if name}}both{{/if}}{{/unless}}", "both"),
        ("{{{shout 'a b' 1 true zero unknown x=\"y\"}}}", "['a b', 1, True, 0, None]{'x': 'y'}"),
        ("}} stays", "}} stays"),
    ],
)
def test_expressions_render_as_handlebars_does(template: str, expected: str) -> None:
    assert render(template, VALUES) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{",
        "{{}}",
        "{{name}}}",
        "{{{name}}",
        "{{name 'a}}",
        "{{#if name}}",
        "{{/if}}",
        "{{else}}",
        "{{#if name}}{{/unless}}",
        "{{> x}}",
        "{{#each name}}{{/each}}",
        "{{unknown 'x'}}",
        "{{shout (name)}}",
    ],
)
def test_what_handlebars_or_slipway_does_not_know_is_refused(template: str) -> None:
    with pytest.raises(TagRuleError, match="cannot be read"):
        render(template, VALUES)


def test_a_template_is_never_run_as_code() -> None:
    hostile = "{{[a'),__import__('os').abort(),resolve(context,'b]}}"
    assert render(hostile, VALUES) == ""


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("YYYY-MM-DD HH:mm:ss.SSS Z", "2026-03-07 13:06:07.089 +08:00"),
        ("YY M Mo MMM MMMM D Do DDD DDDD", "26 3 3rd Mar March 7 7th 66 066"),
        ("d do dd ddd dddd e E", "6 6th Sa Sat Saturday 6 6"),
        ("w wo ww W Wo WW gg gggg GG GGGG", "10 10th 10 10 10th 10 26 2026 26 2026"),
        ("Q Qo h hh H k kk a A", "1 1st 1 01 13 13 13 pm PM"),
        ("X x z ZZ", "1772859967 1772859967089 CST +0800"),
        ("[YYYY] \\YYYY Hmm hmmss", "YYYY YYYY 1306 10607"),
        ("L | LL | LT | LTS", "03/07/2026 | March 7, 2026 | 1:06 PM | 1:06:07 PM"),
        ("S SS SSSSSS", "0 08 089000"),
    ],
)
def test_dates_are_written_as_moment_writes_them(pattern: str, expected: str) -> None:
    assert format_moment(WHEN, pattern) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2027-01-01", "2027-1 2026-53"), ("2026-12-31", "2027-1 2026-53"), ("2023-01-01", "2023-1 2022-52")],
)
def test_weeks_around_new_year_belong_to_the_right_year(day: str, expected: str) -> None:
    assert format_moment(datetime.fromisoformat(f"{day}T12:00:00+00:00"), "gggg-w GGGG-W") == expected
