"""The JSON schema of service.yaml, for editors: `python -m slipway.service.schema > docs/service.schema.json`."""

from __future__ import annotations

import json
import sys

from slipway.service.model import ServiceFile


def schema() -> str:
    """The schema as it is committed."""
    described = ServiceFile.model_json_schema()
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "title": "service.yaml"}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
