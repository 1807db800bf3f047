"""The interface others build on changes only on purpose: the committed document is the interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from mgeo.api import create_app
from mgeo.state import State

from tests.service.helpers import stub_settings

SNAPSHOT = Path(__file__).with_name("openapi.json")


def document_of_the_service() -> dict[str, Any]:
    api = create_app(stub_settings(), State()).api
    assert isinstance(api, FastAPI)
    return api.openapi()


def test_the_interface_is_the_committed_one() -> None:
    """To change it on purpose: delete tests/service/openapi.json, run this test twice, commit the file."""
    document = document_of_the_service()
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        raise AssertionError(f"{SNAPSHOT.name} was missing and has been written: review and commit it")
    assert document == json.loads(SNAPSHOT.read_text("utf-8"))


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = document_of_the_service()
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references
    assert references <= set(schemas)
