"""What the worker starts for a run: has it forked, and stands for it. Imports nothing that takes time.

    python -I -S deployments/forkserver/client.py

Signals go on to the run, its exit code comes back; killed, it takes the run with it. Where no fork server answers, or
one that has imported older code than there is now, a plain interpreter does the run: slower, nothing else.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Raises nothing: this process becomes a plain run, or ends as the forked one ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        pid = _ask(server)
        if not pid:
            os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: _pass_on(pid, received))
        answer = server.recv(32)
    _end_like(int(answer) if answer else -signal.SIGKILL)


def _ask(server: socket.socket) -> int:
    """The process id of the forked run; 0 where there is none."""
    folder = str(Path.cwd())
    order = json.dumps({"folder": folder, "environment": dict(os.environ)})
    try:
        # Paths of sockets are short; the folder's may be long.
        os.chdir(Path(os.environ["SLIPWAY_HOME"]) / "run")
        server.connect("forkserver.sock")  # `server.SOCKET`; importing it would take longer than all of this
        socket.send_fds(server, [order.encode()], [0, 1, 2])
        return int(server.recv(32) or 0)
    except (OSError, KeyError):
        return 0
    finally:
        os.chdir(folder)


def _pass_on(pid: int, received: int) -> None:
    with suppress(ProcessLookupError):  # it may have just ended by itself, with its exit code on the way
        os.kill(pid, received)


def _end_like(code: int) -> None:
    if code < 0:
        with suppress(OSError):  # nobody handles SIGKILL
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
