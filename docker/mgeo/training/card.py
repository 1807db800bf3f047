"""The model card: what the model is for, what it was made from, how good it was found to be."""

from typing import Any, Final

_CARD: Final = """---
language: zh
library_name: sentence-transformers
pipeline_tag: sentence-similarity
license: apache-2.0
---

# {version}

Compares two Chinese addresses: a score in 0..1, a verdict (match, partial, different), and the elements that differ.

## What it is

- a sentence encoder (`modules.json`, `tokenizer.json`, `onnx/model.onnx`; inputs `input_ids`, `attention_mask`, output
  `sentence_embedding`, L2-normalised);
- a pair scorer (`scoring.json`): two boosted forests over the embedding cosine, rarity-weighted character n-grams
  and the parsed elements of both addresses;
- the official divisions (`divisions.tsv`), generated from the table of the Python package cpca.

## What it was made from

{source} Budget: {budget}.

## How good it is

Measured on {measured}:

| pairs | related AUC | exact AUC | macro-F1 | macro-F1, thresholds tuned here | calibration error |
|---|---|---|---|---|---|
| {count} | {related_auc} | {exact_auc} | {macro_f1} | {macro_f1_tuned} | {calibration_error} |

Slices and the worst examples: `report.md`. Generated pairs are easier than real ones: measure on your own labelled
pairs before you rely on a figure, and train with them (`--labelled`) when you have them.

## Limits

Chinese addresses of the mainland; text beyond 512 characters is not read. A pair whose sides name no common level is
judged by its names alone. No address of a person was used for training.
"""
_GENERATED: Final = "Generated pairs only: addresses of a made-up country on the official divisions."
_LABELLED: Final = "Generated pairs and {count} labelled pairs of the trainer's own."


def model_card(version: str, budget: str, labelled_pairs: int, report: dict[str, Any]) -> str:
    source = _LABELLED.format(count=labelled_pairs) if labelled_pairs else _GENERATED
    measured = "the labelled pairs, five folds by query" if labelled_pairs else "held-out generated pairs"
    return _CARD.format(version=version, budget=budget, source=source, measured=measured, **report["overall"])
