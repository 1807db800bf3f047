"""`slipway`: the command line. A user's mistake gets a sentence and its own exit code, never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from slipway.errors import HostNotReady, SlipwayError
from slipway.redaction import redact
from slipway.settings import Settings
from slipway.source.address import refuse_credentials
from slipway.workshop import Workshop

if TYPE_CHECKING:
    from deployments.installation import Installation

ROOT = Path(__file__).resolve().parent.parent
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
EnvironmentName = Annotated[str, typer.Option("--environment", "-e", help="local, staging or production.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """A git push becomes a verified, traceable, serving model image."""
    if debug:
        os.environ["SLIPWAY_DEBUG"] = "1"


@app.command()
def up() -> None:
    """Start what is missing: engine, registry, Prefect server, worker. Example: slipway up"""
    _installation().up(_say)


@app.command()
def down() -> None:
    """Stop and remove what `up` and `ship` started here; the ledger stays. Example: slipway down"""
    _installation().down(_say)


@app.command()
def ship(
    repository: Annotated[str, typer.Option(help="A git URL or folder.")] = ".",
    ref: Annotated[str, typer.Option(help="Branch, tag or commit.")] = "HEAD",
    environment: EnvironmentName = "local",
    service: Annotated[str, typer.Option(help="One service; default: all.")] = "",
    flavour: Annotated[str, typer.Option(help="Default: the service's own.")] = "",
    model: Annotated[str, typer.Option(help="An earlier model version.")] = "",
    before: Annotated[str, typer.Option(help="Ship only what changed since this revision.")] = "",
    as_json: Json = False,
) -> None:
    """Take a commit to serving traffic. Example: slipway ship --ref v1.2.0 -e production"""
    installation = _installation()
    installation.up(_say)
    parameters = {
        "repository": _where(repository),
        "ref": ref,
        "environment": environment,
        "service": service,
        "flavour": flavour,
        "model": model,
        "before": before,
    }
    ended = _run("ship/ship", parameters, installation)
    shipped = _serving(installation.workshop, environment)
    if as_json:
        _print_json({"run": str(ended.id), "seconds": ended.seconds, "serving": shipped})
        return
    _print_serving(shipped)


@app.command()
def rollback(service: str, environment: EnvironmentName = "local", as_json: Json = False) -> None:
    """Give the traffic back to the release before. Example: slipway rollback mgeo -e production"""
    installation = _installation()
    installation.up(_say)
    ended = _run("rollback/rollback", {"service": service, "environment": environment}, installation)
    shipped = _serving(installation.workshop, environment)
    _print_json({"run": str(ended.id), "serving": shipped}) if as_json else _print_serving(shipped)


@app.command()
def status(as_json: Json = False) -> None:
    """What serves where, by the ledger and by the router. Example: slipway status --json"""
    workshop = _workshop()
    shipped = _serving(workshop)
    rollouts = [asdict(row) for row in workshop.slots.history(10)]
    if as_json:
        _print_json({"serving": shipped, "rollouts": rollouts})
        return
    _print_serving(shipped)
    table = Table("rollout", "environment", "service", "digest", "status", "started", title="Latest rollouts")
    for row in rollouts:
        started = f"{row['started_at']:%Y-%m-%d %H:%M}"
        table.add_row(row["kind"], row["environment"], row["service"], row["digest"][7:19], row["status"], started)
    out.print(table)


@app.command()
def trace(what: str, as_json: Json = False) -> None:
    """Everything behind a digest, a revision or a serving URL. Example: slipway trace http://127.0.0.1:8080"""
    from deployments.tracing import traced, tracing_page

    found = traced(_workshop(), what)
    if as_json:
        _print_json(found)
    else:
        out.print(tracing_page(found), markup=False, soft_wrap=True)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine lacks, and how to mend each. Example: slipway doctor"""
    from deployments.checkup import checkup

    findings = checkup(_workshop())
    if as_json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else ("MISSING" if finding.required else "note")
            mend = f"\n        mend: {finding.mend}" if finding.mend and not finding.ok else ""
            out.print(f"{mark:<8}{finding.name}: {finding.detail}{mend}", markup=False)
    if any(finding.required and not finding.ok for finding in findings):
        raise typer.Exit(34)


def main() -> None:
    """The entry point: errors become sentences and exit codes."""
    try:
        app()
    except SlipwayError as failed:
        if os.environ.get("SLIPWAY_DEBUG"):
            raise
        err.print(f"slipway: {redact(str(failed))}", style="red", markup=False, soft_wrap=True)
        sys.exit(failed.exit_code)
    except KeyboardInterrupt:
        err.print("slipway: stopped; a run that was started goes on in the worker", markup=False)
        sys.exit(130)


def _workshop() -> Workshop:
    return Workshop(Settings.from_environment(), ROOT)


def _installation() -> Installation:
    """Prefect reads its settings when it is imported, so they are set first."""
    workshop = _workshop()
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
    os.environ["PREFECT_API_URL"] = workshop.settings.prefect_api
    home = workshop.settings.home / "prefect"
    try:
        home.mkdir(parents=True, exist_ok=True)  # Prefect makes the last folder only, and warns when it cannot
    except OSError as error:
        raise HostNotReady(
            f"{home} cannot be made: {error.strerror}", next_step="set SLIPWAY_HOME to a folder that you may write to"
        ) from error
    os.environ["PREFECT_HOME"] = str(home)
    from deployments.installation import Installation

    return Installation(workshop)


def _run(deployment: str, parameters: dict[str, Any], installation: Installation) -> Any:
    from deployments import runs
    from deployments.view import Progress, steps_table

    run = asyncio.run(runs.start(deployment, parameters))
    _say(f"run {installation.workshop.settings.prefect_ui}/runs/flow-run/{run}")
    with Progress(err) as view:
        ended = asyncio.run(runs.follow(run, view))
    err.print(steps_table(ended.steps))
    err.print(f"{ended.name}: {ended.state} after {ended.seconds:.1f} s")
    if ended.error:
        raise ended.error
    return ended


def _where(repository: str) -> str:
    """A folder becomes absolute; a URL with a password in it is refused, because Prefect stores parameters as text."""
    if Path(repository).exists():
        return str(Path(repository).resolve())
    refuse_credentials(repository)
    return repository


def _serving(workshop: Workshop, environment: str = "") -> list[dict[str, Any]]:
    from deployments.tracing import serving

    return serving(workshop, environment)


def _print_serving(shipped: list[dict[str, Any]]) -> None:
    for one in shipped:
        mark = "" if one["agrees"] else "  (the router disagrees: run `slipway ship` again)"
        out.print(f"{one['service']} in {one['environment']}: {one['url']}{mark}", markup=False)
        out.print(f"  digest   {one['digest']}\n  revision {one['revision']}", markup=False, soft_wrap=True)
    if not shipped:
        out.print("nothing serves yet: `slipway ship` takes this checkout there")


def _say(line: str) -> None:
    err.print(redact(line), markup=False, soft_wrap=True)


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))
