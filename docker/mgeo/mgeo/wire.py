"""What goes over the wire: requests, answers and their limits. The OpenAPI document is made from these models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from mgeo.addresses import ParsedAddress

MAX_TEXT_CHARS = 512
MAX_PAIRS = 1000
MAX_TEXTS = 2000
MAX_BODY_BYTES = 2 * 1024 * 1024


def _readable(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("null_byte", "must not contain null bytes")
    if not any(char.isalnum() for char in text):
        raise PydanticCustomError("no_address", "must contain at least one letter, Chinese character or digit")
    return text


AddressText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS),
    AfterValidator(_readable),
    Field(description="One address as people write it", examples=["北京市朝阳区建国路88号"]),
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddressPair(_Strict):
    """Two addresses to compare."""

    a: AddressText
    b: AddressText


class OnePair(AddressPair):
    """One pair; explain adds the differing elements."""

    explain: bool = False


class ManyPairs(_Strict):
    """Many pairs; the results keep their order."""

    pairs: Annotated[list[AddressPair], Field(min_length=1, max_length=MAX_PAIRS)]
    explain: bool = False


class Texts(_Strict):
    """Addresses to embed or parse; the results keep their order."""

    texts: Annotated[list[AddressText], Field(min_length=1, max_length=MAX_TEXTS)]


class DifferingElement(_Strict):
    """An element and what either address says there; empty where it says nothing."""

    element: str
    a: str
    b: str


class SimilarityResult(_Strict):
    """verdict is match, partial (related, not the same) or different, by the model's calibrated thresholds."""

    score: Annotated[float, Field(ge=0, le=1)]
    verdict: Literal["match", "partial", "different"]
    differences: Annotated[list[DifferingElement], Field(description="Only with explain")] = []


class SimilarityResults(_Strict):
    results: list[SimilarityResult]


class Embeddings(_Strict):
    """Vectors of length 1; the dot product of two is their cosine."""

    embeddings: list[list[float]]
    dimension: int
    model_version: str


class ParsedAddresses(_Strict):
    results: list[ParsedAddress]


class Version(_Strict):
    service: str
    revision: str
    digest: str
    release: str
    model_version: str
    engine: str
    device: str


class Health(_Strict):
    status: str
    reason: str = ""


class Problem(_Strict):
    """Which field is wrong and what its limit is; field is `body` when the request as a whole is."""

    field: str
    message: str
    limit: Any = None


class Refusal(_Strict):
    """The body of every 4xx and 5xx."""

    error: str
    message: str
    problems: list[Problem] = []
