"""Train a model from the command line: progress lines, then one JSON line.

python -m training --output DIR [--seed 0] [--labelled CSV] [--base FOLDER] [--budget small|full] [--timestamp EPOCH]
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from training.folder import ExportError
from training.labelled import LabelledFileError
from training.train import BUDGETS, Options, as_json, train


def main(arguments: list[str] | None = None) -> int:
    given = _arguments().parse_args(arguments)
    options = Options(given.output, given.seed, given.timestamp, given.budget, given.labelled, given.base)
    try:
        trained = train(options, lambda line: print(line, flush=True))
    except (LabelledFileError, OSError, ExportError) as problem:
        print(f"training stopped: {problem}", file=sys.stderr)
        return 2
    print(json.dumps(as_json(trained), ensure_ascii=False), flush=True)
    return 0


def _arguments() -> argparse.ArgumentParser:
    wanted = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    wanted.add_argument("--output", type=Path, required=True, help="model folder to write")
    wanted.add_argument("--seed", type=int, default=0)
    wanted.add_argument("--labelled", type=Path, help="address_a, address_b, label (0, 1, 2) as CSV or TSV")
    wanted.add_argument("--base", type=Path, help="sentence-transformers folder to start from; large ones want a GPU")
    wanted.add_argument("--budget", choices=sorted(BUDGETS), default="small")
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    wanted.add_argument("--timestamp", type=int, default=int(epoch) if epoch else int(time.time()), help="Unix seconds")
    return wanted


if __name__ == "__main__":
    sys.exit(main())
