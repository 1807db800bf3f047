"""MGeo: compares, embeds and parses Chinese addresses; everything the image ships lives in this package."""

import os

# Read by the libraries when they are first imported, so it has to be said before anything else.
# ONNX Runtime's wheels report usage to their maker; a service that sees people's addresses talks to nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Waking the tokenizer's own threads costs milliseconds for two short texts that take microseconds; the model's
# threads want the processors anyway.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
