"""`python -m deployments.webhook receive`, `... send` and `... check`.

Receiver and sender are two processes, so that a busy Prefect never keeps a git host waiting. Both may be killed at any
moment; neither needs the other, nor Prefect, to start.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
import uvicorn

from deployments.webhook.app import create_app
from deployments.webhook.configuration import Receiver, load, resolve
from deployments.webhook.sender import Sender
from slipway.errors import SlipwayError
from slipway.ledger.database import open_database
from slipway.ledger.deliveries import create_tables
from slipway.redaction import redact
from slipway.settings import Settings

logger = logging.getLogger("slipway.webhook")

cli = typer.Typer(help="Deliveries from git hosts, and their way to Prefect.", no_args_is_help=True)
Config = Annotated[Path, typer.Option(envvar="SLIPWAY_WEBHOOK_CONFIG", help="The receiver's YAML file.")]
Ledger = Annotated[str, typer.Option(envvar="SLIPWAY_LEDGER", help="The ledger's database URL.")]


@cli.command()
def receive(config: Config, ledger: Ledger = "", host: str = "127.0.0.1", port: int = 8090) -> None:
    """Take deliveries at http://HOST:PORT/hooks; put TLS in front of it."""
    app = create_app(_receiver(config), _open(ledger))
    # The access log would show what strangers ask for; the deliveries page shows what matters.
    quiet: dict[str, Any] = {"access_log": False, "log_level": "warning"}
    uvicorn.run(app, host=host, port=port, limit_concurrency=512, timeout_graceful_shutdown=10, **quiet)


@cli.command()
def send(ledger: Ledger = "") -> None:
    """Drain the outbox into the Prefect server at PREFECT_API_URL."""
    from deployments.webhook.prefect_events import PrefectEvents  # the receiver must not wait for this import

    os.nice(10)  # where cores are few, a waiting git host comes first
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    engine = _open(ledger)
    create_tables(engine)
    with PrefectEvents(Settings.from_environment().prefect_api) as store:
        sender = Sender(engine, store)
        while not stop.is_set():
            stop.wait(_step(sender))


@cli.command()
def check(config: Config) -> None:
    """Read the settings and every secret they refer to; says what is wrong, never what a secret is."""
    receiver = _receiver(config)
    for source in receiver.sources:
        typer.echo(f"{source.kind.value} as {source.host}: {len(source.secrets)} active secrets, for")
        for name in source.repositories:
            typer.echo(f"  {name}")


def _step(sender: Sender) -> float:
    try:
        return sender.step()
    except sa.exc.OperationalError as failure:
        logger.warning("the ledger cannot be written now: %s", type(failure.orig).__name__)
        return 1.0


def _receiver(config: Path) -> Receiver:
    return resolve(load(config))


def _open(url: str) -> sa.Engine:
    """The ledger; on SQLite with a sync at every commit, since an answered delivery must outlive a power cut."""
    engine = open_database(url or Settings.from_environment().ledger_url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _sync_every_commit)
    return engine


def _sync_every_commit(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=FULL")


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def main() -> None:
    """Run the command line; expected failures are one readable message and their own exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        cli()
    except SlipwayError as failure:
        typer.echo(str(failure), err=True)
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
