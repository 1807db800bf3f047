"""A second process for features: they are Python, and one interpreter keeps no more than one processor busy.

While the worker is busy, not there yet or dead, the service does the work alone.

Both directions carry messages of four bytes that say the length, then so many bytes: there a JSON list of texts, two
per pair; back the rows of features, float32. The first message back says which model the worker has read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic_core import to_json

from mgeo.judging import Rows, measure
from mgeo.logs import say, set_up, where
from mgeo.memory import settle_memory
from mgeo.scoring import PairScorer

_LENGTH = 4
_PAUSE_S = 10.0  # between the end of one process and the start of the next


class Worker:
    """The process, started again whenever it ends. For one event loop.

    One that has not answered for *patience_s* is ended, too. *pairs_done* is how many pairs it has relieved the service
    of.
    """

    def __init__(self, folder: Path, *, patience_s: float, pause_s: float = _PAUSE_S) -> None:
        self.pairs_done = 0
        self._folder = folder.resolve()
        self._model = _identity(self._folder)
        self._patience_s = patience_s
        self._pause_s = pause_s
        self._process: Process | None = None
        self._free = False
        self._running = asyncio.create_task(self._keep_running())
        self._exchanges: set[asyncio.Task[Rows | None]] = set()

    @property
    def pid(self) -> int:
        """0 as long as there is no process that could work."""
        return self._process.pid if self._process else 0

    def take(self, pairs: Sequence[tuple[str, str]]) -> asyncio.Task[Rows | None] | None:
        """The work on *pairs*, begun; None when the worker cannot begin now. Its result is None when it died over it.

        It ends also when nobody waits for it any more: the next answer must not be taken for its own.
        """
        if not (self._free and self._process and self._process.stdin):
            return None
        self._free = False
        body = to_json([text for pair in pairs for text in pair])
        self._process.stdin.write(len(body).to_bytes(_LENGTH) + body)
        exchange = asyncio.create_task(self._rows(self._process, len(pairs)))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return exchange

    async def stop(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _keep_running(self) -> None:
        while True:
            try:
                reason = await self._run()
            except OSError as error:  # no more processes or memory, most likely
                reason = str(error)
            say("worker ended", level=logging.WARNING, reason=reason, again_in_s=self._pause_s)
            await asyncio.sleep(self._pause_s)

    async def _run(self) -> str:
        """One process, from start to end; why it ended."""
        command = (sys.executable, "-m", "mgeo.worker", str(self._folder))
        ours = Path(__file__).parents[1]  # -m looks there first: the process must compute as this one does
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ours)
        try:
            model = await self._answer(process)
            if model is not None and model != self._model:
                return "the model's folder has changed; restart the service to serve what is there now"
            if model is not None:
                self._process, self._free = process, True
            return f"status {await process.wait()}"
        finally:
            self._process, self._free = None, False
            _kill(process)
            await process.wait()

    async def _rows(self, process: Process, count: int) -> Rows | None:
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._answer(process)
        except TimeoutError:
            _kill(process)
            return None
        if answer is None:
            return None
        if process is self._process:
            self._free = True
        self.pairs_done += count
        return np.frombuffer(answer, np.float32).reshape(count, -1)

    async def _answer(self, process: Process) -> bytes | None:
        """None when the process has ended."""
        assert process.stdout
        try:
            length = int.from_bytes(await process.stdout.readexactly(_LENGTH))
            return await process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        process.kill()


def main() -> int:
    """The process itself: works until its input ends, which is also what it sees of a service that died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches it, too, but is meant for the service
    set_up("warning")
    try:
        _work(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
    except Exception as error:  # Python's own report would quote what it stumbled over
        say("worker failed", level=logging.ERROR, error=type(error).__name__, where=where(error))
        return 1
    return 0


def _work(folder: Path, source: BinaryIO, answers: BinaryIO) -> None:
    scorer = PairScorer.load(folder)
    settle_memory()
    _send(answers, _identity(folder))
    for texts in _messages(source):
        pairs = list(zip(texts[::2], texts[1::2], strict=True))
        _send(answers, measure(scorer, pairs, scorer.prepare).tobytes())


def _identity(folder: Path) -> bytes:
    """Of the files that features come from; b"" for one that is not there."""
    files = [folder / name for name in ("scoring.json", "divisions.tsv")]
    return b"".join(sha256(file.read_bytes()).digest() if file.is_file() else b"" for file in files)


def _messages(source: BinaryIO) -> Iterator[list[str]]:
    while head := source.read(_LENGTH):
        yield json.loads(source.read(int.from_bytes(head)))


def _send(answers: BinaryIO, body: bytes) -> None:
    answers.write(len(body).to_bytes(_LENGTH) + body)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
