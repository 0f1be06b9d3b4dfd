"""The table itself: whatever is compared gives the same results, in the same precision."""

import numpy as np
import pytest

import fastlogit as fl
from bench.data import argument
from bench.implementations import (
    BLOCK,
    ELEMENTWISE,
    FASTLOGIT,
    FUNCTIONS,
    NAIVE,
    PASSES,
    STABLE,
    SUMS,
    TUNED,
    cases,
    library_of,
)
from bench.peers import LIBRARIES, TORCH, TORCH_COMPILE
from bench.regression.cases import parts

N = 1_000
COMPARED = [(name, peer) for name, peer in cases(FUNCTIONS) if peer != FASTLOGIT]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), COMPARED)
def test_peers_agree_with_fastlogit(name, peer, dtype):
    tolerance = np.sqrt(np.finfo(dtype).eps)
    expected = parts(FUNCTIONS[name].bind(FASTLOGIT, N, dtype)())
    got = parts(FUNCTIONS[name].bind(peer, N, dtype)())
    for ours, theirs in zip(expected, got, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)
        # scikit-learn gives a sum as a float of Python, which has no other precision.
        assert isinstance(theirs, float) or np.asarray(theirs).dtype == dtype


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "peer"), cases(ELEMENTWISE | SUMS))
def test_out_and_threads_change_no_result(name, peer, dtype):
    expected = parts(FUNCTIONS[name].bind(peer, N, dtype, 1)())
    got = parts(FUNCTIONS[name].bind(peer, N, dtype, 2, out=True)())
    for one, two in zip(expected, got, strict=True):
        np.testing.assert_allclose(two, one, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("out", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ELEMENTWISE | SUMS)
def test_blocks_of_numpy_give_what_the_whole_does(name, dtype, out):
    n = 2 * BLOCK + 7
    expected = parts(FUNCTIONS[name].bind(STABLE, n, dtype)())
    call = FUNCTIONS[name].bind(TUNED, n, dtype, out=out)
    got = parts(call())
    assert not out or name == "log_loss" or got[-1] is call.keywords["out"]
    tolerance = 100 * np.finfo(dtype).eps
    for one, two in zip(expected, got, strict=True):
        np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance)
        assert np.asarray(two).dtype == dtype


# What returns an array as long as there are logits or rows, and who has no place for it.
LONG = {*ELEMENTWISE, "log_loss_gradient", "linear.decision", "linear.probability"}
NO_PLACE = {
    *((TORCH, name) for name in ("log_sigmoid", "softplus", "logistic_loss", "cross_entropy")),
    (TORCH, "linear.probability"),
    (TUNED, "linear.probability"),
}


@pytest.mark.parametrize(("name", "peer"), cases(FUNCTIONS))
def test_results_lie_where_they_are_wanted(name, peer):
    """Call by call, also where the memory of the last result is that of the next."""
    call = FUNCTIONS[name].bind(peer, N, out=True)
    out = call.keywords.get("out")
    writes = name in LONG and peer not in (NAIVE, STABLE) and (peer, name) not in NO_PLACE
    assert writes == (out is not None)
    if not writes:
        return
    places = set()
    for _ in range(3):
        long = parts(call())[-1]
        if isinstance(out, list):  # JAX
            places.add(long.unsafe_buffer_pointer())
        else:
            assert long is out
    assert len(places) <= 1


def test_the_table_is_complete():
    assert ELEMENTWISE.keys() == set(fl.elementwise.__all__)
    assert SUMS.keys() == set(fl.losses.__all__)
    assert PASSES.keys() == {f"linear.{name}" for name in fl.linear.__all__}
    assert all({FASTLOGIT, STABLE} <= row.implementations.keys() for row in FUNCTIONS.values())


@pytest.mark.skipif(TORCH not in LIBRARIES, reason="PyTorch is not installed")
def test_pytorch_has_as_many_threads_as_it_is_told_and_no_autograd():
    import torch

    for threads in (1, 2):
        FUNCTIONS["sigmoid"].bind(TORCH, N, "float64", threads)
        assert torch.get_num_threads() == threads
    for peer in {TORCH, TORCH_COMPILE} & LIBRARIES.keys():
        with library_of(peer).context():
            assert torch.is_inference_mode_enabled()


def test_every_library_says_how_it_wants_to_be_called():
    assert all(library_of(peer).source.startswith("https://") for _, peer in COMPARED)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bytes_moved_are_those_of_long_arguments_and_results(name):
    function = FUNCTIONS[name]
    results = parts(function.bind(FASTLOGIT, N)())
    arrays = [*map(np.asarray, results), *(argument(a, N, "float64") for a in function.arguments)]
    expected = sum(array.nbytes for array in arrays if len(np.atleast_1d(array)) == N)
    assert function.bytes_moved(N, "float64") == expected
