"""The ufuncs as NumPy calls them: strides, lengths, overlaps, types and floating-point flags."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from fastlogit.kernels.elementwise import FUNCTIONS
from fastlogit.kernels.ufuncs import ufunc
from tests.references.multiprecision import adversarial, same_bits

NAMES = list(FUNCTIONS)
DTYPES = [np.float32, np.float64]
LENGTHS = range(201)

every_function = pytest.mark.parametrize("name", NAMES)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def inputs(name: str, dtype, n: int) -> list[np.ndarray]:
    """Logits or probabilities, every tenth a special value, and targets."""
    rng = np.random.default_rng(1)
    first = (
        rng.normal(0.0, 30.0, n)
        if FUNCTIONS[name].arguments[0] == "z"
        else rng.uniform(0.0, 1.0, n)
    )
    first[::10] = np.resize([0.0, 1.0, np.nan, np.inf, -np.inf, -0.0], first[::10].size)
    targets = rng.choice([0.0, 1.0, 0.3], n)
    return [array.astype(dtype) for array in (first, targets)][: len(FUNCTIONS[name].arguments)]


def one_by_one(name: str, args: list[np.ndarray]) -> np.ndarray:
    """The results of calls with one element each."""
    results = [ufunc(name)(*elements) for elements in zip(*args, strict=True)]
    return np.array(results, dtype=args[0].dtype)


# Strides and alignment --------------------------------------------------------------------


@every_function
@every_dtype
def test_every_length_gives_the_bits_of_single_elements(name, dtype):
    args = inputs(name, dtype, LENGTHS[-1])
    expected = one_by_one(name, args)
    for n in LENGTHS:
        assert same_bits(ufunc(name)(*(arg[:n] for arg in args)), expected[:n]), n


@every_function
@every_dtype
def test_every_offset_from_alignment_gives_the_same_bits(name, dtype):
    args = inputs(name, dtype, 100)
    expected = ufunc(name)(*args)
    for offset in range(16):
        shifted = [np.concatenate([arg[:offset], arg]) for arg in args]
        out = np.empty(200, dtype)[16 - offset : 116 - offset]
        ufunc(name)(*(arg[offset:] for arg in shifted), out=out)
        assert same_bits(out, expected), offset


@every_function
@every_dtype
def test_unaligned_arrays_give_the_same_bits(name, dtype):
    args = inputs(name, dtype, 100)
    unaligned = []
    for arg in args:
        memory = np.zeros(arg.nbytes + 1, np.uint8)
        unaligned.append(np.frombuffer(memory, dtype, 100, offset=1))
        unaligned[-1][:] = arg
        assert not unaligned[-1].flags.aligned
    assert same_bits(ufunc(name)(*unaligned), ufunc(name)(*args))


@every_function
@every_dtype
@pytest.mark.parametrize("step", [2, 3, -1, -2, 7])
def test_any_stride_of_the_input_gives_the_same_bits(name, dtype, step):
    args = inputs(name, dtype, 700)  # longer than a buffer, at the smaller strides
    expected = ufunc(name)(*args)[::step]
    assert same_bits(ufunc(name)(*(arg[::step] for arg in args)), expected)


@every_function
@every_dtype
@pytest.mark.parametrize("n", [1, 5, 255, 256, 257, 600])
def test_a_column_of_a_table_as_output_leaves_the_others_alone(name, dtype, n):
    args = inputs(name, dtype, n)
    expected = ufunc(name)(*args)
    for column in range(3):
        table = np.full((n, 3), 7.0, dtype)
        ufunc(name)(*args, out=table[:, column])
        assert same_bits(table[:, column], expected)
        assert (np.delete(table, column, axis=1) == 7.0).all()


@every_function
def test_an_output_backwards_gives_the_same_bits(name):
    args = inputs(name, np.float64, 600)
    memory = np.full(1300, 7.0)
    out = memory[1202:2:-2]
    ufunc(name)(*args, out=out)
    assert same_bits(out, ufunc(name)(*args))
    out[:] = 7.0
    assert (memory == 7.0).all()


@every_function
@every_dtype
def test_one_element_repeated_by_a_stride_of_zero(name, dtype):
    args = inputs(name, dtype, 3)
    repeated = [as_strided(arg[1:], (300,), (0,)) for arg in args]
    expected = np.repeat(ufunc(name)(*args)[1], 300)
    assert same_bits(ufunc(name)(*repeated), expected)


@pytest.mark.parametrize("name", [name for name in NAMES if len(FUNCTIONS[name].arguments) == 2])
def test_scalars_and_axes_are_broadcast(name):
    first, targets = inputs(name, np.float64, 40)
    table = ufunc(name)(first[:, np.newaxis], targets)
    assert table.shape == (40, 40)
    for i in range(40):
        assert same_bits(table[i], ufunc(name)(np.repeat(first[i], 40), targets))
        assert same_bits(table[:, i], ufunc(name)(first, targets[i]))


# Output that overlaps an input ------------------------------------------------------------


@every_function
@every_dtype
@pytest.mark.parametrize("step", [1, 2, -1])
def test_the_output_may_be_any_of_the_inputs(name, dtype, step):
    for chosen in range(len(FUNCTIONS[name].arguments)):
        args = [arg[::step] for arg in inputs(name, dtype, 1000)]
        expected = ufunc(name)(*args)
        ufunc(name)(*args, out=args[chosen])
        assert same_bits(args[chosen], expected)


@every_function
@pytest.mark.parametrize("shift", [-300, -1, 1, 300])
def test_an_output_that_overlaps_an_input_gives_the_same_bits(name, shift):
    start = max(shift, 0)
    args = inputs(name, np.float64, 1000)
    expected = ufunc(name)(*(arg[start : 1000 + min(shift, 0)] for arg in args))
    memory = args[0]
    source = memory[start : 1000 + min(shift, 0)]
    target = memory[max(-shift, 0) : 1000 - start]
    others = [arg[start : 1000 + min(shift, 0)] for arg in args[1:]]
    ufunc(name)(source, *others, out=target)
    assert same_bits(target, expected)


def test_an_output_that_reverses_the_input_gives_the_same_bits():
    (z,) = inputs("sigmoid", np.float64, 1000)
    expected = ufunc("sigmoid")(z)
    ufunc("sigmoid")(z, out=z[::-1])
    assert same_bits(z[::-1], expected)


# Warnings ---------------------------------------------------------------------------------


@every_function
@every_dtype
@pytest.mark.parametrize("step", [1, 2])
def test_no_input_raises_a_floating_point_error(name, dtype, step):
    args = adversarial(FUNCTIONS[name].arguments, dtype, special=True)
    with np.errstate(all="raise"):
        ufunc(name)(*(arg[::step] for arg in args))
        for elements in zip(*(arg[::step] for arg in args), strict=True):
            ufunc(name)(*elements)


# Types ------------------------------------------------------------------------------------


@every_function
def test_there_is_one_loop_for_each_precision(name):
    arguments = len(FUNCTIONS[name].arguments)
    assert ufunc(name).types == [f"{code * arguments}->{code}" for code in "fd"]


@every_function
@pytest.mark.parametrize(
    ("given", "result"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.bool_, np.float32),
        (np.int8, np.float32),
        (np.uint16, np.float32),
        (np.int32, np.float64),
        (np.uint64, np.float64),
    ],
)
def test_the_computation_uses_the_smallest_type_that_holds_the_input(name, given, result):
    values = [np.array([0, 1, 1], given), np.array([1, 1, 0], given)][
        : len(FUNCTIONS[name].arguments)
    ]
    got = ufunc(name)(*values)
    assert got.dtype == result
    assert same_bits(got, ufunc(name)(*(value.astype(result) for value in values)))


@every_function
def test_numbers_and_arrays_without_axes_give_numbers(name):
    args = [0.25, 1.0][: len(FUNCTIONS[name].arguments)]
    (expected,) = ufunc(name)(*([arg] for arg in args))
    for given in (args, [np.array(arg) for arg in args]):
        got = ufunc(name)(*given)
        assert type(got) is np.float64
        assert got == expected
    assert type(ufunc(name)(*(np.float32(arg) for arg in args))) is np.float32


@every_function
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 5)])
def test_empty_arrays_give_empty_arrays(name, shape):
    args = [np.empty(shape)] * len(FUNCTIONS[name].arguments)
    assert ufunc(name)(*args).shape == shape


# Pickle looks for the name in every module, and some modules warn about that.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@every_function
def test_pickle_returns_the_same_ufunc(name):
    assert pickle.loads(pickle.dumps(ufunc(name))) is ufunc(name)


@every_function
def test_a_ufunc_has_its_functions_name_and_is_made_once(name):
    assert ufunc(name).__name__ == name
    assert ufunc(name) is ufunc(name)
