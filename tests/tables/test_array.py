"""Arrays and sparse matrices in memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tests.scoring_data import (
    PAIR_X,
    PAIR_Z,
    pair_logits,
)


@pytest.mark.parametrize("kind", ["coo", "bsr", "csc", "dok", "lil"])
@pytest.mark.parametrize("form", ["array", "matrix"])
def test_a_sparse_matrix_must_be_row_major(kind, form):
    X = getattr(sparse, f"{kind}_{form}")(PAIR_X)
    with pytest.raises(TypeError, match=rf"source must be row-major .* got {kind} \(source\.tocsr"):
        pair_logits(X)
    np.testing.assert_array_equal(pair_logits(X.tocsr()), PAIR_Z)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.ma.array([[1.0, 2.0]], mask=[[True, False]]), "source must have no masked elements"),
        ([[1.0, 2.0], [3.0]], "source must have two axes, of rows of the same length"),
        (np.array([[1.0, None]]), "must hold numbers; it holds object"),
        (np.array([[1j, 0.0]]), "must hold numbers; it holds complex128"),
    ],
)
def test_arrays_that_hold_no_numbers(source, message):
    with pytest.raises(ValueError, match=message):
        pair_logits(source)
