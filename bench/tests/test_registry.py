"""All implementations of a function give the same results, in the same precision."""

import numpy as np
import pytest

import fastlogit as fl
from bench.data import DTYPES, argument
from bench.registry import (
    ELEMENTWISE,
    FASTLOGIT,
    FUNCTIONS,
    LIBRARIES,
    LONG,
    PASSES,
    STABLE,
    SUMS,
    TUNED,
    cases,
    parts,
)
from tests.references.formulas import BLOCK

N = 1_000
CASES = cases(FUNCTIONS)
OTHERS = [(name, library) for name, library in CASES if library != FASTLOGIT]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "library"), OTHERS)
def test_implementations_agree(name, library, dtype):
    tolerance = np.sqrt(np.finfo(dtype).eps)
    with LIBRARIES[library].context():
        expected = parts(FUNCTIONS[name].bind(FASTLOGIT, N, dtype)())
        got = parts(FUNCTIONS[name].bind(library, N, dtype)())
        again = parts(FUNCTIONS[name].bind(library, N, dtype, 2, out=True)())
    for ours, theirs, other in zip(expected, got, again, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(other, theirs, rtol=10 * np.finfo(dtype).eps)
        # scikit-learn returns a Python float, which has only one precision.
        assert isinstance(theirs, float) or np.asarray(theirs).dtype == dtype


@pytest.mark.parametrize(
    "name", [name for name in ELEMENTWISE | SUMS if TUNED in FUNCTIONS[name].implementations]
)
def test_blocks_give_the_same_as_the_whole(name):
    expected = parts(FUNCTIONS[name].bind(STABLE, 2 * BLOCK + 7)())
    got = parts(FUNCTIONS[name].bind(TUNED, 2 * BLOCK + 7, out=True)())
    for one, two in zip(expected, got, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "library"), CASES)
def test_results_are_written_to_out(name, library):
    call = FUNCTIONS[name].bind(library, N, out=True)
    out = call.keywords.get("out")
    assert (out is not None) == (name in LIBRARIES[library].writing) <= (name in LONG)
    if out is None:
        return
    places = set()
    for _ in range(3):
        with LIBRARIES[library].context():
            result = parts(call())[-1]
        if isinstance(out, list):  # JAX
            places.add(result.unsafe_buffer_pointer())
        else:
            assert result is out
    assert len(places) <= 1


def test_the_registry_is_complete():
    assert SUMS.keys() == set(fl.losses.__all__)
    assert PASSES.keys() == {f"linear.{name}" for name in fl.linear.__all__}
    assert all(FASTLOGIT in each.implementations for each in FUNCTIONS.values())
    assert all(STABLE in FUNCTIONS[name].implementations for name in (*SUMS, *PASSES))
    sources = [one.source for name, one in LIBRARIES.items() if name != FASTLOGIT]
    assert all(source.startswith("https://") for source in sources)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bytes_moved_are_those_of_long_arguments_and_results(name):
    function = FUNCTIONS[name]
    results = parts(function.bind(FASTLOGIT, N)())
    arrays = [*map(np.asarray, results), *(argument(a, N, "float64") for a in function.arguments)]
    expected = sum(array.nbytes for array in arrays if len(np.atleast_1d(array)) == N)
    assert function.bytes_moved(N, "float64") == expected
