"""One thread writes deliveries, many in one transaction: a commit costs the same for one as for a hundred."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from slipway.ledger.deliveries import Recorded, forget_old_rejections, record
from slipway.webhooks.judgement import DeliveryState, Verdict

logger = logging.getLogger(__name__)

LARGEST_GROUP = 256
LONGEST_QUEUE = 4_096
CLEANING_INTERVAL = 500


class LedgerBusy(Exception):
    """The ledger cannot take a delivery now; the host is to try again."""


@dataclass(frozen=True)
class _Waiting:
    verdict: Verdict
    received_at: datetime
    answer: asyncio.Future[Recorded] | None


class LedgerWriter:
    """Writes verdicts; `record` returns once its delivery is on disk."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(LONGEST_QUEUE)
        self._rejections = 0
        self._thread = threading.Thread(target=self._work, name="ledger-writer", daemon=True)
        self._thread.start()

    async def record(self, verdict: Verdict) -> Recorded:
        """Write one delivery. Raises `LedgerBusy` when the queue is full or the database refuses."""
        answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Waiting(verdict, datetime.now(UTC), answer))
        except queue.Full as full:
            raise LedgerBusy from full
        return await answer

    def note(self, verdict: Verdict) -> None:
        """Write a rejection some time soon, or not at all: a flood of them must not block pushes."""
        if self._queue.qsize() < LONGEST_QUEUE // 2:
            self._queue.put_nowait(_Waiting(verdict, datetime.now(UTC), None))

    def close(self) -> None:
        """Write what is waiting, then stop."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group, ends = [first], False
            while len(group) < LARGEST_GROUP and not self._queue.empty():
                if (one := self._queue.get()) is None:
                    ends = True
                    break
                group.append(one)
            self._write(group)
            if ends:
                return

    def _write(self, group: list[_Waiting]) -> None:
        try:
            written = self._commit(group)
        except Exception as failure:
            if len(group) > 1:
                # One bad row must not cost its neighbours theirs.
                for one in group:
                    self._write([one])
                return
            logger.error("the ledger refused a delivery: %s", type(failure).__name__, exc_info=failure)
            _answer([(group[0], failure)])
            return
        _answer(list(zip(group, written, strict=True)))

    def _commit(self, group: list[_Waiting]) -> list[Recorded]:
        with self._engine.begin() as connection:
            written = [record(connection, one.verdict, now=one.received_at) for one in group]
            self._rejections += sum(one.verdict.state is DeliveryState.REJECTED for one in group)
            if self._rejections >= CLEANING_INTERVAL:
                forget_old_rejections(connection)
                self._rejections = 0
        return written


def _answer(answers: list[tuple[_Waiting, Recorded | Exception]]) -> None:
    """Wake each waiting request; one call into the loop for all of them."""
    asked = [(one.answer, result) for one, result in answers if one.answer]
    if not asked:
        return

    def tell() -> None:
        for future, result in asked:
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(LedgerBusy())
            else:
                future.set_result(result)

    wake: Callable[..., object] = asked[0][0].get_loop().call_soon_threadsafe
    try:
        wake(tell)
    except RuntimeError:
        logger.warning("%d deliveries were written after the server had stopped answering", len(asked))
