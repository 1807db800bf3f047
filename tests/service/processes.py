"""The service's programs as processes of their own, with the stub engine unless told otherwise."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2] / "docker/mgeo"


def environment(**more: str) -> dict[str, str]:
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "MGEO_ENGINE": "stub", "MGEO_MODEL": "/nowhere"}
    return {**base, **more}


def command(module: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", f"mgeo.{module}", *arguments]
    return subprocess.run(argv, env=environment(**more), capture_output=True, text=True, timeout=120)


@contextlib.contextmanager
def server(**more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    env = environment(MGEO_HOST="127.0.0.1", MGEO_PORT=str(port), **more)
    process = subprocess.Popen([sys.executable, "-m", "mgeo.server"], env=env, stderr=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
        assert process.stderr
        process.stderr.close()


def ask(url: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON; waits for the socket to be there."""
    data = json.dumps(body).encode() if body is not None else None
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, data, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


def until_ready(address: str, wanted: int = 200) -> dict[str, Any]:
    for _ in range(300):
        status, body = ask(f"{address}/ready")
        if status == wanted and body["status"] != "loading":
            return body
        time.sleep(0.1)
    raise AssertionError(f"{address} never got to {wanted}")
