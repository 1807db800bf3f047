"""The sentence encoder: characters with learned vectors, trained so that one place's texts lie close together."""

import random as stdlib_random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from datasets import Dataset
from mgeo.addresses.script import TRADITIONAL_TO_SIMPLIFIED
from numpy.typing import NDArray
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PrinterCallback, TrainerCallback, TrainerState

from training.pair import Pair

Say = Callable[[str], None]
Triple = tuple[str, str, str]
DIMENSION: Final = 256
MOST_TOKENS: Final = 96
_SCALE: Final = 20.0
_TABLE_RATE: Final = 5e-3
_LAYERS_RATE: Final = 3e-5


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def new_encoder(seed: int) -> SentenceTransformer:
    """An untrained encoder over the characters of GB 2312, their traditional forms and ASCII."""
    tokenizer = _tokenizer()
    vectors = np.random.default_rng(seed).normal(0, 0.1, (tokenizer.get_vocab_size(), DIMENSION)).astype(np.float32)
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=vectors), Normalize()], device=device()
    )


def load_encoder(base: Path) -> SentenceTransformer:
    return SentenceTransformer(str(base), device=device(), local_files_only=True)


def _tokenizer() -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", *_characters()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.enable_truncation(MOST_TOKENS)
    return tokenizer


def _characters() -> list[str]:
    rows = (bytes([high, low]) for high in range(0xB0, 0xF8) for low in range(0xA1, 0xFF))
    simplified = {c for row in rows for c in row.decode("gb2312", "ignore")}
    return sorted(simplified | {chr(c) for c in TRADITIONAL_TO_SIMPLIFIED} | {chr(c) for c in range(33, 127)})


def train_encoder(encoder: SentenceTransformer, pairs: list[Pair], seed: int, steps: int, batch: int, say: Say) -> None:
    """Contrastive training, in place: each query's place against its own look-alikes and everyone else's places.

    A table of vectors is trained on one core wherever it is: its steps are too small for more, and give the same
    bytes then. Any other encoder is trained on the GPU, if there is one.
    """
    triples = _triples(pairs, stdlib_random.Random(seed))
    if not triples or not steps:
        return
    table = isinstance(encoder[0], StaticEmbedding)
    columns = zip(("anchor", "positive", "negative"), zip(*triples, strict=True), strict=True)
    with TemporaryDirectory() as scratch, _settled(table):
        trainer = _Trainer(
            model=encoder,
            args=_arguments(scratch, seed, steps, min(batch, len(triples)), table),
            train_dataset=Dataset.from_dict({name: list(texts) for name, texts in columns}),
            loss=MultipleNegativesRankingLoss(encoder, scale=_SCALE),
            callbacks=[_Progress(say)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    encoder.to(device()).eval()


def _arguments(scratch: str, seed: int, steps: int, batch: int, table: bool) -> SentenceTransformerTrainingArguments:
    return SentenceTransformerTrainingArguments(
        output_dir=scratch,
        max_steps=steps,
        per_device_train_batch_size=batch,
        dataloader_drop_last=True,
        learning_rate=_TABLE_RATE if table else _LAYERS_RATE,
        lr_scheduler_type="cosine",
        warmup_steps=0.1,
        weight_decay=0.01,
        seed=seed,
        full_determinism=not table,
        use_cpu=table or device() == "cpu",
        logging_steps=max(1, steps // 5),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


class _Trainer(SentenceTransformerTrainer):  # type: ignore[misc]
    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: the model folder gets a card of its own."""


class _Progress(TrainerCallback):  # type: ignore[misc]
    """The trainer's losses as progress lines."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._started = time.monotonic()

    def on_log(self, _args: Any, state: TrainerState, _control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" in logs:
            spent = time.monotonic() - self._started
            step = f"step {state.global_step} of {state.max_steps}"
            self._say(f"encoder: {step}, loss {float(logs['loss']):.3f}, {spent:.0f} s")


@contextmanager
def _settled(table: bool) -> Iterator[None]:
    """Sums do not depend on how many threads share them; what a training asks of torch ends with it."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1 if table else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def _triples(pairs: list[Pair], random: stdlib_random.Random) -> list[Triple]:
    """(query, best candidate, a different one) per query that has both."""
    groups: dict[int, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    found = []
    for group in groups.values():
        best = max(p.label for p in group)
        others = [p.b for p in group if p.label == 0]
        if best and others:
            found += [(p.a, p.b, random.choice(others)) for p in group if p.label == best]
    return found


def share_traditional(encoder: SentenceTransformer) -> None:
    """Give each traditional character the vector of its simplified form: the generator shows too few of them."""
    if not isinstance(encoder[0], StaticEmbedding):
        return
    ids = encoder[0].tokenizer.get_vocab()
    rows = [
        (ids[chr(old)], ids[new]) for old, new in TRADITIONAL_TO_SIMPLIFIED.items() if chr(old) in ids and new in ids
    ]
    weight = encoder[0].embedding.weight
    with torch.no_grad():
        weight[torch.tensor([r[0] for r in rows])] = weight[torch.tensor([r[1] for r in rows])]


def cosines(encoder: SentenceTransformer, pairs: list[Pair]) -> NDArray[np.float32]:
    """Embedding cosine of each pair, float32 [n]."""
    texts = list(dict.fromkeys(t for p in pairs for t in (p.a, p.b)))
    vectors = encoder.encode(texts, batch_size=256, show_progress_bar=False, normalize_embeddings=True)
    place = {text: i for i, text in enumerate(texts)}
    left, right = [place[p.a] for p in pairs], [place[p.b] for p in pairs]
    return np.asarray((vectors[left] * vectors[right]).sum(axis=1), np.float32)
