from __future__ import annotations

import io

from rich.console import Console

from deployments.runs import Step
from deployments.view import Progress, steps_table


def console(*, terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def said(where: Console) -> str:
    file = where.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_without_a_terminal_every_change_is_one_plain_line() -> None:
    out = console()
    with Progress(out) as view:
        view.show((Step("build", "Running", 0.1),))
        view.show((Step("build", "Running", 0.2), Step("smoke", "Running", 0.0)))
        view.show((Step("build", "Completed", 1.25), Step("smoke", "Running", 0.1)))
    assert said(out).splitlines() == ["Running    build", "Running    smoke", "Completed  build (1.2 s)"]


def test_the_table_lists_every_step_with_its_seconds() -> None:
    out = console()
    out.print(steps_table((Step("check out main", "Completed", 0.54), Step("build", "Failed", 12.0))))
    lines = [line.split() for line in said(out).splitlines()]
    assert lines[1:] == [["check", "out", "main", "Completed", "0.5"], ["build", "Failed", "12.0"]]


def test_a_branch_named_like_markup_is_shown_as_it_is() -> None:
    out = console(terminal=True)
    step = Step("check out feature/[/bold][red]x", "Running", 0.0)
    with Progress(out) as view:
        view.show((step,))
    out.print(steps_table((step,)))
    assert "feature/[/bold][red]x" in said(out)
