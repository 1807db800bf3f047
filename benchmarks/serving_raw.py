"""The limit: ONNX Runtime on texts tokenised beforehand, nothing else.

python serving_raw.py MODEL_FOLDER TEXTS.json SECONDS

Tries each way to run it for a while, then runs the best one for SECONDS: the best of several short tries alone would be
a lucky moment, while the servers are measured over seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

_BUDGETS = (128, 256, 512, 2048)


def main() -> None:
    folder, texts, seconds = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text("utf-8")), float(sys.argv[3])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
    cores = len(os.sched_getaffinity(0))
    ways = [Way(threads, workers, budget) for threads, workers in ((1, cores), (cores, 1)) for budget in _BUDGETS]
    best = max(ways, key=lambda way: _rate(folder, ids, way, seconds / len(ways))[0])
    rate, cpu_s = _rate(folder, ids, best, seconds)
    print(json.dumps({"rate": rate, "cpu_s": cpu_s, "way": best._asdict()}))


class Way(NamedTuple):
    """How to run it. *tokens* per batch, padding included."""

    threads: int
    batches_at_once: int
    tokens: int


def _rate(folder: Path, ids: list[list[int]], way: Way, seconds: float) -> tuple[float, float]:
    """(pairs per second, processor seconds per pair) over at least *seconds*."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = way.threads
    session = ort.InferenceSession(str(folder / "onnx/model_quantized.onnx"), options, ["CPUExecutionProvider"])
    batches = _batches(ids, way.tokens)
    session.run(None, batches[0])
    began, cpu, rounds = time.perf_counter(), time.process_time(), 0
    with ThreadPoolExecutor(way.batches_at_once) as pool:
        while not rounds or time.perf_counter() - began < seconds:
            list(pool.map(lambda batch: session.run(None, batch), batches))
            rounds += 1
    pairs = rounds * len(ids) / 2
    return pairs / (time.perf_counter() - began), (time.process_time() - cpu) / pairs


def _batches(ids: list[list[int]], budget: int) -> list[dict[str, np.ndarray]]:
    groups: list[list[list[int]]] = [[]]
    for tokens in ids:
        if groups[-1] and (len(groups[-1]) + 1) * len(tokens) > budget:
            groups.append([])
        groups[-1].append(tokens)
    return [_feeds(group) for group in groups]


def _feeds(group: list[list[int]]) -> dict[str, np.ndarray]:
    ids = np.zeros((len(group), max(map(len, group))), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(group):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


if __name__ == "__main__":
    main()
