"""The limit: ONNX Runtime on texts tokenised beforehand, nothing else. Prints pairs per second for each way to run it.

python serving_raw.py MODEL_FOLDER TEXTS.json
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

_BUDGETS = (128, 256, 512, 2048)


def main() -> None:
    folder, texts = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    ids = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
    cores = len(os.sched_getaffinity(0))
    rates = {
        f"{threads} threads x {workers} batches, {budget} tokens": _rate(folder, ids, threads, workers, budget)
        for threads, workers in ((1, cores), (cores, 1))
        for budget in _BUDGETS
    }
    best = max(rates.values())
    print(json.dumps({"best": best[0], "cpu_s": best[1], "all": rates}))


def _rate(folder: Path, ids: list[list[int]], threads: int, workers: int, budget: int) -> tuple[float, float]:
    """(pairs per second, processor seconds per pair)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(folder / "onnx/model_quantized.onnx"), options, ["CPUExecutionProvider"])
    batches = _batches(ids, budget)
    session.run(None, batches[0])
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda batch: session.run(None, batch), batches))
    pairs = len(ids) / 2
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
