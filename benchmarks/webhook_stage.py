"""The processes of one burst: a Prefect server, the receiver and the sender, startable and killable."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from benchmarks.webhook_volley import REPOSITORY, SECRET
from tests.ports import free_port

ROOT = Path(__file__).parents[1]


class Stage:
    """The processes of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.api_port, self.hook_port = folder, free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.api_port}/api"
        self.hooks = f"http://127.0.0.1:{self.hook_port}"
        self.ledger = f"sqlite:///{folder / 'ledger.db'}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "webhook.yaml").write_text(
            "admin_token: {env: ADMIN}\nsources:\n  - kind: github\n    secrets: [{env: HOOK_SECRET}]\n"
            f"    repositories: [{{name: {REPOSITORY}}}]\n"
        )
        self.env = os.environ | {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "SLIPWAY_LEDGER": self.ledger,
            "HOOK_SECRET": SECRET,
            "ADMIN": SECRET,
        }

    def start(self, name: str) -> None:
        module = [sys.executable, "-m", "deployments.webhook"]
        argv = {
            "prefect": [sys.executable, "-m", "deployments.prefect_server", "--port", str(self.api_port)],
            "receiver": [
                *module,
                "receive",
                "--config",
                str(self.folder / "webhook.yaml"),
                "--port",
                str(self.hook_port),
            ],
            "sender": [*module, "send"],
        }[name]
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(
            argv, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
        )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)


async def until_up(url: str, deadline_s: float = 90) -> None:
    end = time.monotonic() + deadline_s
    async with httpx.AsyncClient(timeout=5) as http:
        while time.monotonic() < end:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
    raise SystemExit(f"{url} did not come up")
