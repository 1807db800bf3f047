from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool


@pytest.fixture
def database() -> sa.Engine:
    """An empty ledger in memory."""
    return sa.create_engine("sqlite://", poolclass=StaticPool)
