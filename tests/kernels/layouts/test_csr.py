"""CSR in the kernels: which indices are refused."""

from __future__ import annotations

import numpy as np
import pytest

from fastlogit.kernels.layouts.csr import are_below


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_are_below_knows_both_ends(dtype):
    assert are_below(np.array([0, 4], dtype), 5)
    assert not are_below(np.array([0, 5], dtype), 5)
    assert not are_below(np.array([-1, 4], dtype), 5)
    assert are_below(np.array([], dtype), 5)
