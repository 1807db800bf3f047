"""A model ready to answer: engine, scorer, version, and how it came to run where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgeo.batching import spare_tokens, split
from mgeo.engines import Engine, Matrix, load_engine
from mgeo.folder import verified_version
from mgeo.gpu import choose_device
from mgeo.judging import Judgement, cosines, judge, measure
from mgeo.problems import MgeoError, ModelError
from mgeo.scoring import PairScorer
from mgeo.settings import Settings
from mgeo.sources import fetch

# Measured: on two cores small budgets win by half, because little padding is wasted; a GPU wants to be filled.
_BATCH_TOKENS = {"cpu": 256, "cuda": 16_384}
_WARM_UP = ["北京市海淀区中关村大街1号", "上海市浦东新区世纪大道100号国金中心二期南门3单元501室", "文三路"]


@dataclass(frozen=True)
class Model:
    """*degraded* says why a GPU that is there or was asked for is not used; "" when all is as wanted."""

    engine: Engine
    scorer: PairScorer
    version: str
    degraded: str
    batch_tokens: int
    folder: Path

    def encode(self, texts: Sequence[str]) -> Matrix:
        """[n, dimension] for programs without an event loop; the service batches across requests instead."""
        tokens = self.engine.tokenize(texts)
        vectors = np.zeros((len(texts), self.engine.dimension), dtype=np.float32)
        for batch in split([len(ids) for ids in tokens], self.batch_tokens, spare_tokens(self.batch_tokens)):
            vectors[batch] = self.engine.encode([tokens[i] for i in batch])
        return vectors

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """One judgement per pair, in order."""
        if not pairs:
            return []
        rows = measure(self.scorer, pairs, self.scorer.prepare)
        vectors = self.encode([text for pair in pairs for text in pair])
        return judge(self.scorer, rows, cosines(vectors[::2], vectors[1::2]))


def load_model(settings: Settings) -> Model:
    """Fetches, verifies, loads and warms up. Every failure comes as MgeoError with a sentence for a person."""
    try:
        return _load(settings)
    except MgeoError:
        raise
    except Exception as error:  # damaged files surface as almost any exception of five libraries
        raise ModelError(f"the model cannot be loaded: {type(error).__name__}: {error}") from error


def _load(settings: Settings) -> Model:
    engine_settings = settings.engine
    device, degraded = choose_device(engine_settings.name, engine_settings.device)
    stub = engine_settings.name == "stub"
    folder = Path(settings.model.path) if stub else fetch(settings.model)
    has_folder = folder.is_dir()
    version = verified_version(folder, settings.model.version) if has_folder else "stub"
    engine = load_engine(
        engine_settings.name,
        folder,
        device=device,
        max_tokens=engine_settings.max_sequence_length,
        workers=engine_settings.workers,
    )
    scorer = PairScorer.load(folder)
    batch_tokens = engine_settings.batch_tokens or _BATCH_TOKENS[engine.device]
    model = Model(engine, scorer, version, degraded, batch_tokens, folder)
    model.compare([(a, b) for a in _WARM_UP for b in _WARM_UP])
    return model
