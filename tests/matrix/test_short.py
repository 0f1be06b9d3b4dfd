"""Short calls: they give the results and the errors of the general way.

With a number of NumPy for `threads`, every function goes the general way.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest

import fastlogit as fl
from fastlogit import linear
from fastlogit.kernels import jit
from fastlogit.matrix import short
from tests.odd_arguments import (
    INTERCEPTS,
    MISSING,
    TARGETS,
    Computed,
    N,
    Subclass,
    all_happened,
    compared,
    odd,
    odd_arrays,
    outcome,
    read_only,
    unaligned,
    usual,
)

ONE = np.int64(1)
SCORES = ["decision", "probability"]
OF_TARGETS = ["log_loss", "log_loss_gradient", "log_loss_gradient_hessian"]
SUMS = [*OF_TARGETS, "hessian", "hessian_diagonal", "hessian_product"]
RESULTS = dict(
    zip(
        SCORES + SUMS,
        ["logits", "probabilities", "loss", "gradient", "newton", "hessian", "diagonal", "product"],
        strict=True,
    )
)
DTYPES = [("float64", "float64"), ("float32", "float64"), ("float32", "float32")]


def arguments(name, X, coef, intercept, t, direction=None):
    if name in OF_TARGETS:
        return X, t, coef, intercept
    return (X, coef, direction, intercept) if "product" in name else (X, coef, intercept)


def short_call(name, X, coef, intercept, t, direction):
    vector = t if name in OF_TARGETS else direction if "product" in name else None
    return short.call(RESULTS[name], X, coef, intercept, vector)


# The same results -------------------------------------------------------------------------


@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
@pytest.mark.parametrize("name", SCORES + SUMS)
def test_short_calls_have_the_bits_of_the_general_way(name, dtypes):
    rng = np.random.default_rng(1)
    for n, d in [(1, 1), (1, 8), (3, 7), (128, 32), (1000, 33), (2, 5), (2, 8)]:
        X, coef = rng.normal(size=(n, d)).astype(dtypes[0]), rng.normal(size=d).astype(dtypes[1])
        given = X, coef, 0.25, rng.random(n), rng.normal(size=d).astype(dtypes[1])
        args = arguments(name, *given)
        assert short_call(name, *given) is not None
        function = getattr(linear, name)
        assert outcome(partial(function, *args)) == outcome(partial(function, *args, threads=ONE))


@pytest.mark.parametrize("dtypes", DTYPES, ids=str)
@pytest.mark.parametrize("name", SCORES)
def test_scores_of_classes_have_the_bits_of_the_general_way(name, dtypes):
    rng = np.random.default_rng(2)
    function = getattr(linear, name)
    for n, K, d in [(1, 2, 1), (1, 3, 8), (3, 10, 7), (128, 5, 33), (2, 200, 5)]:
        X, coef = rng.normal(size=(n, d)).astype(dtypes[0]), rng.normal(size=(K, d))
        given = X, coef.astype(dtypes[1]), rng.normal(size=K).astype(dtypes[1])
        assert short.call(RESULTS[name], *given) is not None
        expected = outcome(partial(function, *given, threads=ONE))
        assert outcome(partial(function, *given)) == expected
        read = [read_only(array) for array in given]
        assert not jit.compiles(lambda read=read: function(*read))
        assert outcome(partial(function, *read)) == expected
        assert outcome(partial(function, X, read[1][:, ::-1][:, ::-1], given[2])) == expected


@pytest.mark.parametrize("kind", ["int64", "bool"])
def test_labels_may_have_any_dtype(kind):
    given = usual()
    t = given["t"].astype(kind)
    assert short.call("loss", given["X"], given["coef"], 0.5, t) is not None
    assert linear.log_loss(given["X"], t, given["coef"]) == linear.log_loss(
        given["X"], given["t"], given["coef"]
    )


def test_the_largest_x_is_one_part_and_the_next_goes_the_general_way():
    X, coef = np.ones((short.MOST_ELEMENTS // 2 + 1, 2)), np.array([0.5, -0.25])
    assert short.call("logits", X, coef, 0.0) is None
    z = short.call("logits", X[:-1], coef, 0.0)
    assert (z == 0.25).all()
    assert (linear.decision(X, coef) == 0.25).all()


@pytest.mark.parametrize(
    "kinds",
    [("f8", "f4"), ("i8", "f8"), ("u1", "f4"), ("?", "f8"), ("f2", "f4"), ("f8", "i8")],
    ids=str,
)
def test_other_types_go_the_general_way(kinds):
    X, coef = np.ones((2, 3), kinds[0]), np.ones(3, kinds[1])
    assert short.call("logits", X, coef, 0.5) is None


@pytest.mark.parametrize("inner", [(9, 2.0), (9, -1.0), (16, 1.0)])
def test_a_call_during_another_does_not_change_its_coefficients(inner, monkeypatch):
    # As in another thread, or in a signal handler.
    d, value = inner
    key = ("logits", np.dtype(float), np.dtype(float))
    X, coef = usual()["X"], usual()["coef"]
    expected = short.call("logits", X, coef, 0.5)
    run, *others, _ = short._codes[key]
    spare = []
    results = []

    def interrupted(*args):
        with monkeypatch.context() as patch:
            patch.setitem(short._codes, key, (run, *others, spare))
            results.append(short.call("logits", np.ones((2, d)), np.full(d, value), 1.0))
        return run(*args)

    monkeypatch.setitem(short._codes, key, (interrupted, *others, spare))
    assert (short.call("logits", X, coef, 0.5) == expected).all()
    assert (results[0] == d * value + 1.0).all()


@pytest.mark.parametrize("name", SCORES + SUMS)
def test_short_calls_compile_what_the_general_way_compiles(name):
    given = usual()
    args = arguments(name, *given.values())
    getattr(linear, name)(*args, threads=ONE)
    assert not jit.compiles(lambda: getattr(linear, name)(*args))


def test_arguments_may_be_read_only():
    given = usual()
    expected = outcome(partial(linear.log_loss_gradient, *arguments("log_loss", **given)))
    for name in ("X", "coef", "t"):
        given[name].flags.writeable = False
    assert short.call("gradient", given["X"], given["coef"], 0.5, given["t"]) is not None
    call = partial(linear.log_loss_gradient, *arguments("log_loss", **given))
    assert outcome(call) == expected
    assert not jit.compiles(call)


def test_a_short_call_changes_none_of_its_arguments():
    given = usual()
    before = outcome(lambda: tuple(given.values()))
    linear.log_loss_gradient(*arguments("log_loss_gradient", *given.values()))
    assert outcome(lambda: tuple(given.values())) == before


# The same errors --------------------------------------------------------------------------


def outputs(X):
    """Arrays for a result, and other values in their place."""
    return [
        *(np.empty(N, kind) for kind in ("f8", "f4", "f2", "g", ">f8", "i8", "O")),
        *(np.empty(shape) for shape in ((), N + 1, (N, 1), (1, N))),
        *(np.empty(2 * N)[::2], np.empty(N)[::-1], unaligned(np.ones(N)), read_only(np.ones(N))),
        *(np.empty(N).view(Subclass), np.ma.masked_array(np.ones(N))),
        *(X[:, 0], X[0, :N], X.ravel()[-N:]),
        *([0.0] * N, "text", object()),
    ]


def test_functions_take_odd_arguments_as_the_general_way_does():
    rng, outcomes = np.random.default_rng(3), Counter()
    pools = {name: odd_arrays(usual()[name]) for name in ("X", "coef", "t", "direction")}
    pools["intercept"] = INTERCEPTS
    pools["t"] += TARGETS
    for _ in range(2500):
        name = [*SCORES, *SUMS][rng.integers(8)]
        call = partial(getattr(linear, name), *arguments(name, **odd(rng, pools)))
        if name.startswith("hessian") and rng.random() < 0.3:
            call = partial(call, with_intercept=[True, 1, 0, "", None][rng.integers(5)])
        if name in SCORES and rng.random() < 0.5:
            call = partial(call, missing=MISSING[rng.integers(len(MISSING))])
        outcomes[compared(call, partial(call, threads=ONE))] += 1
    all_happened(outcomes)


def test_scores_of_classes_take_odd_arguments_as_the_general_way_does():
    rng, outcomes = np.random.default_rng(6), Counter()
    coef, intercept = rng.normal(size=(3, usual()["coef"].size)), rng.normal(size=3)
    given = {"X": usual()["X"], "coef": coef, "intercept": intercept}
    pools = {name: odd_arrays(array) for name, array in given.items()}
    pools["intercept"] += INTERCEPTS
    for _ in range(800):
        call = partial(getattr(linear, SCORES[rng.integers(2)]), **odd(rng, pools, given))
        outcomes[compared(call, partial(call, threads=ONE))] += 1
    all_happened(outcomes)


@pytest.mark.parametrize("name", SCORES)
def test_functions_take_odd_outputs_as_the_general_way_does(name):
    outcomes = Counter()
    for number in range(len(outputs(usual()["X"]))):
        calls = []
        for options in ({}, {"threads": ONE}):  # with arguments of its own, as it may write to them
            given = usual()
            args = arguments(name, **given)
            out = outputs(given["X"])[number]
            calls.append(partial(getattr(linear, name), *args, out=out, **options))
        outcomes[compared(*calls)] += 1
    assert set(outcomes) == {"result", Computed, TypeError, ValueError}


def test_out_is_returned_and_may_be_the_coefficients():
    given = usual()
    expected = linear.decision(given["X"], given["coef"], 0.5)
    out = given["coef"][:N]
    assert short.call("logits", given["X"], given["coef"], 0.5, None, out) is out
    assert (out == expected).all()


@pytest.mark.parametrize("threads", [1, 2, 4096, 4097, 0, -1, True, "2", 1.5, np.int64(2), None])
@pytest.mark.parametrize("name", SCORES)
def test_threads_are_taken_as_in_the_general_way(name, threads):
    call = partial(getattr(linear, name), *arguments(name, **usual()), threads=threads)
    compared(call, partial(call, missing=MISSING[1]))


def test_models_take_odd_arguments_as_the_general_way_does():
    rng, outcomes = np.random.default_rng(4), Counter()
    model = fl.LogisticModel(usual()["coef"], 0.5)
    for _ in range(500):
        given = odd(rng, {"X": odd_arrays(usual()["X"]), "missing": MISSING, "unknown": MISSING})
        call = partial(model.predict, given["X"])
        if rng.random() < 0.7:
            call = partial([model.decision, model.predict_proba][rng.integers(2)], given["X"])
            words = [name for name in ("missing", "unknown") if name in given]
            call = partial(call, **{name: given[name] for name in words})
        outcomes[compared(call, partial(call, threads=ONE))] += 1
    all_happened(outcomes)
