"""All implementations of the functions of K classes give the same results."""

import numpy as np
import pytest

from bench.data import DTYPES
from bench.registry import linear_classes, parts
from bench.registry.classes import FASTLOGIT, LIBRARIES, arguments, bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != FASTLOGIT])
def test_implementations_agree(library, dtype):
    Z, t = arguments(50, 7, dtype)
    ours, theirs = bound(FASTLOGIT, Z, t, 1), bound(library, Z, t, 1)
    assert theirs.keys() <= ours.keys()
    tolerance = np.sqrt(np.finfo(dtype).eps)
    for name, call in theirs.items():
        for one, two in zip(parts(ours[name]()), parts(call()), strict=True):
            np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance)


def test_implementations_over_a_matrix_agree():
    args = linear_classes.arguments(60, 5, 3)
    ours = linear_classes.bound(FASTLOGIT, args, 1)()
    for library in linear_classes.LIBRARIES.keys() - {FASTLOGIT, linear_classes.READING}:
        theirs = linear_classes.bound(library, args, 1)()
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-10)
