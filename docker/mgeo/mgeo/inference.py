"""`python3 -m mgeo.inference --config config.yaml [--pairs FILE]`: a batch of pairs in, one JSON object out.

Errors are reported per pair. Exit 0 when every pair was judged, 1 when some were not, 2 when nothing could start.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mgeo.logs import say, set_up
from mgeo.model import Model, load_model
from mgeo.problems import MgeoError
from mgeo.settings import load_settings
from mgeo.stdout import claim_stdout
from mgeo.wire import AddressPair

_CHUNK = 512


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    print_json = claim_stdout()
    set_up("warning")
    try:
        settings = load_settings(options.config, os.environ)
        pairs = _read_pairs(options.pairs) if options.pairs else [(pair.a, pair.b) for pair in settings.pairs]
        model = load_model(settings)
    except (MgeoError, OSError, UnicodeDecodeError) as error:
        print_json({"device": "", "model_version": "", "error": str(error), "results": []})
        return 2
    if model.degraded:
        say("running on the CPU", level=30, reason=model.degraded)
    results = judge_all(model, pairs)
    print_json({"device": model.engine.device, "model_version": model.version, "results": results})
    return 0 if all(result["status"] == "success" for result in results) else 1


def judge_all(model: Model, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """One result per pair, in order: success with score and verdict, or error with a message."""
    results: list[dict[str, Any]] = [{"a": a, "b": b, **_problem(a, b)} for a, b in pairs]
    sound = [index for index, result in enumerate(results) if result["status"] == "success"]
    for start in range(0, len(sound), _CHUNK):
        chunk = sound[start : start + _CHUNK]
        for index, judged in zip(chunk, _judge(model, [pairs[i] for i in chunk]), strict=True):
            results[index] |= judged
    return results


def _judge(model: Model, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """All at once; when that fails, one by one, so that one pair cannot take the others down."""
    try:
        return [{"score": found.score, "verdict": found.verdict} for found in model.compare(pairs)]
    except Exception as error:  # an engine may raise anything
        if len(pairs) == 1:
            return [{"status": "error", "message": f"{type(error).__name__}: {error}"}]
        return [result for pair in pairs for result in _judge(model, [pair])]


def _problem(a: str, b: str) -> dict[str, str]:
    try:
        AddressPair(a=a, b=b)
    except ValidationError as error:
        return {"status": "error", "message": "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())}
    return {"status": "success"}


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    """The first two columns of a CSV (.csv) or tab-separated file in UTF-8; a row with fewer counts as empty."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter="," if path.suffix == ".csv" else "\t")
        return [(row[0], row[1] if len(row) > 1 else "") for row in rows if row]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m mgeo.inference", description="Judge a batch of address pairs.")
    parser.add_argument("--config", type=Path, help="config.yaml; its pairs are judged unless --pairs is given")
    parser.add_argument("--pairs", type=Path, help="a .csv or .tsv file with two columns of addresses")
    return parser


if __name__ == "__main__":
    sys.exit(main())
