from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slipway.markdown import table


def test_a_table_has_a_head_a_rule_and_its_rows() -> None:
    assert table(("MB", "step"), [(1, "COPY a b")], numbers=("MB",)) == "| MB | step |\n|---:|---|\n| 1 | COPY a b |\n"


@given(cell=st.text())
def test_no_cell_breaks_its_table(cell: str) -> None:
    lines = table(("a", "b"), [(cell, "end")]).splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 3
