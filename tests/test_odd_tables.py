"""Odd tables of some seeds; `python -m tests.odd_tables 500` tries more."""

from __future__ import annotations

import pytest

from tests import odd_tables


@pytest.mark.parametrize("seed", range(30))
def test_an_odd_table_gives_what_scikit_learn_has_or_one_clear_line(seed):
    assert odd_tables.trial(seed)
