"""Keeps stdout for the one JSON object a command prints: what libraries write there goes to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable


def claim_stdout() -> Callable[[object], None]:
    """A function that prints its argument as JSON on the real stdout; everything else is sent to stderr from now on."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)

    def print_json(content: object) -> None:
        data = (json.dumps(content, ensure_ascii=False) + "\n").encode()
        while data:
            data = data[os.write(real, data) :]

    return print_json
