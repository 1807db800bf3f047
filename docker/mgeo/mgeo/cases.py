"""The decisive cases a model has to get right before it is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mgeo.problems import ConfigError
from mgeo.scoring import Verdict


class Case(BaseModel):
    """One pair, the band its score lies in (both ends included) and, when it is decisive, the verdict."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    a: str
    b: str
    min: Annotated[float, Field(ge=0, le=1)] = 0.0
    max: Annotated[float, Field(ge=0, le=1)] = 1.0
    verdict: Verdict | None = None


def load_cases(path: Path) -> list[Case]:
    """The cases of a YAML list, or of the list under `cases:`; raises ConfigError with every problem."""
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        rows = content.get("cases") if isinstance(content, dict) else content
        return TypeAdapter(list[Case]).validate_python(rows)
    except ValidationError as error:
        raise ConfigError(str(path), [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from error
