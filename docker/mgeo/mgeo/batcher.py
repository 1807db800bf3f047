"""The queue between requests and the model: many callers, few worker threads, batches by token budget."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from mgeo.batching import choose, fair_budget, spare_tokens, split
from mgeo.engines import Engine, Matrix, TokenIds
from mgeo.problems import DeadlineExceeded, Overloaded, Stopping

Vector = NDArray[np.float32]
_WINDOW = 256  # how far a batch may look ahead for texts of like length
_MANY = 32  # texts of one caller; who has more waiting lets others go first after every batch
_FIRST_GUESS = 5_000.0  # tokens per second, until measured
_LAST_BATCH_S = 10.0  # far more than any batch takes; a thread that hangs must not hold up the end
_INSTANT_S = 0.0005  # work this short is done on the spot: handing it to a thread and back takes as long


@dataclass(slots=True, eq=False)
class _Ticket:
    """One caller's texts: answered when all are there, dropped when the caller is gone or late."""

    future: asyncio.Future[list[Vector]]
    deadline: float
    waiting: dict[int, TokenIds]
    """By position, what no worker has taken yet."""
    vectors: list[Vector]
    missing: int


@dataclass(slots=True, eq=False)
class _Item:
    ticket: _Ticket
    position: int
    tokens: TokenIds


@dataclass(slots=True)
class Counts:
    """Running totals for the metrics; *queued_tokens* is a level."""

    queued_tokens: int = 0
    batches: int = 0
    texts: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    dropped: int = 0
    batch_sizes: deque[int] = field(default_factory=lambda: deque(maxlen=100_000))


class Batcher:
    """Runs *engine* on worker threads. Create, `start` and `encode` on one event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        batch_tokens: int,
        queue_tokens: int,
        deadline_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self._engine = engine
        self._batch_tokens = batch_tokens
        self._spare_tokens = spare_tokens(batch_tokens)
        self._queue_tokens = queue_tokens
        self._deadline_s = deadline_s
        self._clock = clock
        self._queue: deque[_Ticket] = deque()
        self._condition = threading.Condition()
        self._idle = 0
        self._stopping = False
        self._speed = _FIRST_GUESS
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for number in range(self._engine.workers):
            thread = threading.Thread(target=self._work, name=f"encode-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    async def stop(self) -> None:
        """No new work; what is queued and waited for is still done. Returns when the threads have ended, if they do.

        An interpreter that ends while one of them is inside the model's library ends with a crash of that library.
        """
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        await asyncio.gather(*(asyncio.to_thread(thread.join, _LAST_BATCH_S) for thread in self._threads))

    def waiting_s(self) -> float:
        """How long new work would wait, by the speed measured so far."""
        return self.counts.queued_tokens / self._speed

    def admit(self, tokens: int) -> None:
        """Raises Overloaded when *tokens* more would overflow the queue or could not be done in time."""
        queued = self.counts.queued_tokens
        late = (queued + tokens) / self._speed > 0.8 * self._deadline_s
        if queued and (late or queued + tokens > self._queue_tokens):
            raise Overloaded(max(1, math.ceil(self.waiting_s())))

    async def encode(self, batch: Sequence[TokenIds]) -> list[Vector]:
        """One vector per text, in order. Cancelling the caller drops what has not been computed yet.

        Raises Overloaded, DeadlineExceeded, Stopping, or what the engine raised.
        """
        if not batch:
            return []
        tokens = sum(map(len, batch))
        self.admit(tokens)
        if instant := self._instant_tokens(tokens):
            return await self._encode_here(batch, instant)
        future: asyncio.Future[list[Vector]] = asyncio.get_running_loop().create_future()
        deadline, vectors = self._clock() + self._deadline_s, [_NOTHING] * len(batch)
        ticket = _Ticket(future, deadline, dict(enumerate(batch)), vectors, len(batch))
        with self._condition:
            if self._stopping:
                raise Stopping("the service is stopping")
            self._queue.append(ticket)
            self.counts.queued_tokens += tokens
            self._condition.notify(len(batch))
        late = asyncio.get_running_loop().call_later(self._deadline_s, self._expire, future)
        try:
            return await future
        finally:
            late.cancel()
            future.cancel()  # tells the workers that nobody waits any more

    def _expire(self, future: asyncio.Future[list[Vector]]) -> None:
        if not future.done():
            future.set_exception(DeadlineExceeded(f"not finished within {self._deadline_s:g} s"))

    def _instant_tokens(self, wanted: int) -> int:
        """How many tokens to encode on the spot at a time; 0 when the work belongs to the threads.

        Only a measured engine with nothing waiting; static embeddings are like that, transformers never.
        """
        instant = int(_INSTANT_S * self._speed / max(1, len(self._threads)))
        ready = self.counts.batches and not self._queue and min(wanted, self._batch_tokens) < instant
        return instant if ready else 0

    async def _encode_here(self, batch: Sequence[TokenIds], at_once: int) -> list[Vector]:
        lengths = [len(tokens) for tokens in batch]
        vectors = [_NOTHING] * len(batch)
        for number, part in enumerate(split(lengths, at_once, at_once)):  # padding costs such an engine next to nothing
            if number:
                await asyncio.sleep(0)  # others have their turn
            began = self._clock()
            matrix = self._engine.encode([batch[i] for i in part])
            self._measure([lengths[i] for i in part], self._clock() - began)
            for row, i in enumerate(part):
                vectors[i] = matrix[row].copy()
        return vectors

    def _work(self) -> None:
        while batch := self._next():
            began = self._clock()
            try:
                result: Matrix | Exception = self._engine.encode([item.tokens for item in batch])
            except Exception as error:  # handed to the callers; the worker lives on
                result = error
            self._measure([len(item.tokens) for item in batch], self._clock() - began)
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(_deliver, batch, result)
            except RuntimeError:  # the loop is closed: nobody is left to answer
                return

    def _next(self) -> list[_Item]:
        """The next batch; [] when stopping and nothing is left."""
        with self._condition:
            while True:
                self._idle += 1
                while not self._queue and not self._stopping:
                    self._condition.wait()
                if batch := self._take():
                    self._idle -= 1
                    return batch
                self._idle -= 1
                if self._stopping and not self._queue:
                    return []

    def _take(self) -> list[_Item]:
        self._drop_abandoned()
        window = list(islice(_one_of_each(self._queue), _WINDOW))
        if not window:
            return []
        lengths = [len(ticket.waiting[position]) for ticket, position in window]
        budget = fair_budget(sum(lengths), self._idle, self._batch_tokens)
        chosen = choose(lengths, budget, self._spare_tokens)
        taken = [
            _Item(ticket, position, ticket.waiting.pop(position)) for ticket, position in (window[i] for i in chosen)
        ]
        if len(self._queue[0].waiting) > _MANY:
            self._queue.rotate(-1)
        self._queue = deque(ticket for ticket in self._queue if ticket.waiting)
        self.counts.queued_tokens -= sum(len(item.tokens) for item in taken)
        return taken

    def _drop_abandoned(self) -> None:
        """Takes those off the queue whom nobody waits for any more."""
        now = self._clock()
        waited_for: deque[_Ticket] = deque()
        for ticket in self._queue:
            if ticket.future.done() or ticket.deadline < now:
                self.counts.queued_tokens -= sum(map(len, ticket.waiting.values()))
                self.counts.dropped += len(ticket.waiting)
            else:
                waited_for.append(ticket)
        self._queue = waited_for

    def _measure(self, lengths: Sequence[int], seconds: float) -> None:
        speed = sum(lengths) / max(seconds, 1e-6) * len(self._threads)
        with self._condition:
            self._speed += 0.05 * (speed - self._speed)
            self.counts.batches += 1
            self.counts.texts += len(lengths)
            self.counts.tokens += sum(lengths)
            self.counts.padded_tokens += max(lengths) * len(lengths)
            self.counts.batch_sizes.append(sum(lengths))


_NOTHING: Vector = np.zeros(0, dtype=np.float32)


def _one_of_each(tickets: Sequence[_Ticket]) -> Iterator[tuple[_Ticket, int]]:
    """The first waiting text of every caller, then the second ones, and so on."""
    for row in zip_longest(*[ticket.waiting for ticket in tickets]):
        yield from ((ticket, position) for ticket, position in zip(tickets, row, strict=True) if position is not None)


def _deliver(batch: Sequence[_Item], result: Matrix | Exception) -> None:
    for row, item in enumerate(batch):
        ticket = item.ticket
        if ticket.future.done():
            continue
        if isinstance(result, Exception):
            ticket.future.set_exception(result)
            continue
        ticket.vectors[item.position] = result[row].copy()
        ticket.missing -= 1
        if not ticket.missing:
            ticket.future.set_result(ticket.vectors)
