"""The three questions the service answers, on top of batcher and caches. Lives on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from mgeo.addresses import ParsedAddress, parse
from mgeo.batcher import Batcher, Vector
from mgeo.cache import LruCache
from mgeo.judging import Judgement, Rows, cosines, explain, judge, measure
from mgeo.model import Model
from mgeo.scoring import Prepared
from mgeo.worker import Worker

S = TypeVar("S")
T = TypeVar("T")
_AT_ONCE = 32  # texts handled before other requests get their turn; a thread would fight for the interpreter
_ROWS_AT_ONCE = 128
_WORTH_SENDING = 8  # pairs; fewer take no longer than the way to another process and back
_PREPARED_CHARS = 25_000  # a prepared address takes 1 kB per character, far more than its vector


class Matcher:
    """Repeated addresses are prepared and encoded once, as long as the caches remember them."""

    def __init__(self, model: Model, batcher: Batcher, worker: Worker | None = None, *, cache_entries: int) -> None:
        self.model = model
        self.batcher = batcher
        self.worker = worker
        self.vectors: LruCache[Vector] = LruCache(cache_entries)
        self._sides: LruCache[Prepared] = LruCache(_PREPARED_CHARS if cache_entries else 0, len)

    async def similarity(self, pairs: Sequence[tuple[str, str]], *, explained: bool) -> list[Judgement]:
        """One judgement per pair, in order."""
        vectors, rows = await self._both(pairs)
        cosine, scorer = cosines(vectors[::2], vectors[1::2]), self.model.scorer
        judged = await _in_turns(range(len(rows)), lambda some: judge(scorer, rows[some], cosine[some]), _ROWS_AT_ONCE)
        if not explained:
            return judged
        both = list(zip(pairs, judged, strict=True))
        return await _in_turns(both, lambda some: [explain(scorer, *each) for each in some])

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of length 1 per text, in order."""
        known: dict[str, Vector | None] = {text: self.vectors.get(text) for text in dict.fromkeys(texts)}
        missing = [text for text, vector in known.items() if vector is None]
        if missing:
            self.batcher.admit(sum(map(len, missing)))
            tokens = await _in_turns(missing, self.model.engine.tokenize)
            for text, found in zip(missing, await self.batcher.encode(tokens), strict=True):
                known[text] = found
                self.vectors.put(text, found)
        return [vector for text in texts if (vector := known[text]) is not None]

    async def parse(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The elements of every text, in order."""
        divisions = self.model.scorer.divisions
        return await _in_turns(texts, lambda some: [elements(parse(text, divisions)) for text in some])

    async def stop(self) -> None:
        """No new work; what is queued is still done."""
        await self.batcher.stop()
        if self.worker:
            await self.worker.stop()

    async def _both(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Vector], Rows]:
        """Vectors and features. Many pairs: side by side, because the model leaves the interpreter free."""
        texts = [text for pair in pairs for text in pair]
        if len(texts) > _AT_ONCE:
            return await asyncio.gather(self.embed(texts), self._rows(pairs))
        return await self.embed(texts), self._measured(pairs)

    async def _rows(self, pairs: Sequence[tuple[str, str]]) -> Rows:
        """The worker, when it is free, does three fifths of the pairs that are new to the cache."""
        new = [i for i, (a, b) in enumerate(pairs) if not (a in self._sides and b in self._sides)]
        given = new[len(new) * 2 // 5 :]  # the service has the vectors, the verdicts and the answer to do besides
        theirs = self._begun([pairs[i] for i in given])
        if theirs is None:
            return await self._own_rows(pairs)
        await asyncio.sleep(0)  # the worker begins when the event loop has sent it the pairs
        kept = sorted({*range(len(pairs))} - {*given})
        ours = await self._own_rows([pairs[i] for i in kept])
        rest = await asyncio.shield(theirs)
        if rest is None:
            rest = await self._own_rows([pairs[i] for i in given])
        rows = np.empty((len(pairs), ours.shape[1]), np.float32)
        rows[kept], rows[given] = ours, rest
        return rows

    def _begun(self, pairs: Sequence[tuple[str, str]]) -> asyncio.Task[Rows | None] | None:
        """The worker's rows of *pairs*; None when it does not take them."""
        return self.worker.take(pairs) if self.worker and len(pairs) >= _WORTH_SENDING else None

    async def _own_rows(self, pairs: Sequence[tuple[str, str]]) -> Rows:
        return np.concatenate(await _in_turns(pairs, lambda some: [self._measured(some)], _AT_ONCE // 2))

    def _measured(self, pairs: Sequence[tuple[str, str]]) -> Rows:
        return measure(self.model.scorer, pairs, self._prepared)

    def _prepared(self, text: str) -> Prepared:
        side = self._sides.get(text)
        if side is None:
            side = self.model.scorer.prepare(text)
            self._sides.put(text, side)
        return side


def elements(address: ParsedAddress) -> dict[str, Any]:
    """What the address says, for people; the parser's own working fields are left out."""
    return {element.name: getattr(address, element.name) for element in fields(ParsedAddress)}


async def _in_turns(items: Sequence[S], work: Callable[[Sequence[S]], list[T]], at_once: int = _AT_ONCE) -> list[T]:
    """*work* on all *items*, a few at a time; in between the event loop serves others."""
    done = work(items[:at_once])
    for start in range(at_once, len(items), at_once):
        await asyncio.sleep(0)
        done += work(items[start : start + at_once])
    return done
