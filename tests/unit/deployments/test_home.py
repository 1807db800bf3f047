"""A home that cannot be made is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.cli import _installation
from slipway.errors import HostNotReady


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for name in ("PREFECT_HOME", "PREFECT_API_URL", "PREFECT_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "")  # so that they are put back afterwards
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(HostNotReady, match="SLIPWAY_HOME"):
        _installation()
