"""The table itself: whatever is compared gives the same results, in the same precision."""

import numpy as np
import pytest

import fastlogit as fl
from bench.implementations import ELEMENTWISE, FASTLOGIT, FUNCTIONS, STABLE, SUMS, cases

N = 1_000
PEERS = [(name, peer) for name, peer in cases(FUNCTIONS) if peer != FASTLOGIT]


def _parts(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), PEERS)
def test_peers_agree_with_fastlogit(name, peer, dtype):
    tolerance = np.sqrt(np.finfo(dtype).eps)
    expected = _parts(FUNCTIONS[name].bind(FASTLOGIT, N, dtype)())
    got = _parts(FUNCTIONS[name].bind(peer, N, dtype)())
    for ours, theirs in zip(expected, got, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)
        assert np.asarray(theirs).dtype == dtype


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), cases(ELEMENTWISE | SUMS))
def test_out_and_threads_change_no_result(name, peer, dtype):
    expected = _parts(FUNCTIONS[name].bind(peer, N, dtype, 1)())
    got = _parts(FUNCTIONS[name].bind(peer, N, dtype, 2, out=True)())
    for one, two in zip(expected, got, strict=True):
        np.testing.assert_allclose(two, one, rtol=4 * np.finfo(dtype).eps)


def test_the_table_is_complete():
    assert ELEMENTWISE.keys() == set(fl.elementwise.__all__)
    assert SUMS.keys() == set(fl.losses.__all__)
    assert all({FASTLOGIT, STABLE} <= row.implementations.keys() for row in FUNCTIONS.values())
