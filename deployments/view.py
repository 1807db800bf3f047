"""How progress looks: a live table on a terminal, plain lines where there is none."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from deployments.runs import Step

_COLOURS = {"Completed": "green", "Failed": "red", "Crashed": "red", "Running": "cyan", "AwaitingRetry": "yellow"}


def steps_table(steps: tuple[Step, ...]) -> Table:
    """What each step took."""
    table = Table(box=None, pad_edge=False)
    table.add_column("step")
    table.add_column("state")
    table.add_column("seconds", justify="right")
    for step in steps:
        colour = _COLOURS.get(step.state, "white")
        table.add_row(escape(step.name), f"[{colour}]{step.state}[/]", f"{step.seconds:.1f}")
    return table


class Progress:
    """A `View`: `with Progress(console) as view`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, steps: tuple[Step, ...]) -> None:
        """Redraw, or say what changed."""
        if self._live:
            self._live.update(steps_table(steps))
            return
        for step in steps:
            if self._said.get(step.name) != step.state:
                self._said[step.name] = step.state
                took = f" ({step.seconds:.1f} s)" if step.state == "Completed" else ""
                self._console.print(f"{step.state:<10} {step.name}{took}", highlight=False, markup=False)
