"""`python -m deployments.forkserver`: imports Prefect and the flows, then forks the runs that the worker asks for."""

from __future__ import annotations

import importlib
import os
import pkgutil
import runpy
import sys
from pathlib import Path

import setproctitle
from prefect.context import refresh_global_settings_context

import flows
from deployments.forkserver.server import Forkserver, Order, imported_code

_ENGINE = "prefect.engine"
# What runs import on their way, besides what the flows do.
_LATER = ("prefect.flow_engine", "prefect.task_engine", "prefect.deployments", "prefect.runner", "slipway.verify.plot")


def main() -> None:
    """Serves until it is killed; each fork of it becomes one run."""
    os.environ["SPT_NOENV"] = "1"  # a title has room enough in the arguments; the environment stays readable
    setproctitle.getproctitle()  # finds where titles are, which it can no more once a child has another environment
    for name in (*_LATER, *(module.name for module in pkgutil.iter_modules(flows.__path__, "flows."))):
        importlib.import_module(name)
    known = imported_code()
    server = Forkserver(
        Path(os.environ["SLIPWAY_HOME"]) / "run",
        is_stale=lambda: imported_code() != known,
        renew=lambda: os.execv(sys.executable, sys.orig_argv),
    )
    _become(server.serve())


def _become(order: Order) -> None:
    """One run, as `python -m prefect.engine` is one."""
    order.take_on()
    setproctitle.setproctitle(f"{_ENGINE} {order.environment.get('PREFECT__FLOW_RUN_ID', '')}")
    refresh_global_settings_context()
    sys.modules.pop(_ENGINE, None)
    sys.argv = [_ENGINE]
    runpy.run_module(_ENGINE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
