"""Training on Dask collections: as in memory, with the same bits for any scheduler."""

from __future__ import annotations

import asyncio

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import fastlogit as fl
import fastlogit.dask

N, D = 1000, 4
RNG = np.random.default_rng(6)
X = RNG.normal(size=(N, D))
Z = X @ [1.0, -0.5, 0.25, 0.0] - 0.5
T = (RNG.random(N) < fl.sigmoid(Z)).astype(np.int64)
K = np.where(T, np.where(X[:, 0] > 0.3, "c", "b"), "a")
WEIGHT, OFFSET = RNG.random(N), RNG.normal(size=N)
OFFSETS = RNG.normal(size=(N, 3))
# With empty partitions, and one of a single row.
CHUNKS = (0, 300, 1, 399, 0, 0, 300, 0)
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(
    k=np.array(["x", "y", "z"])[RNG.integers(0, 3, N)], t=T, w=WEIGHT, o=OFFSET
)


def chunked(array, chunks=CHUNKS):
    """A Dask array with these chunks of rows, some of them perhaps empty."""
    ends = np.cumsum(chunks)
    parts = [
        da.from_delayed(
            dask.delayed(array[end - rows : end]), (rows, *array.shape[1:]), array.dtype
        )
        for rows, end in zip(chunks, ends, strict=True)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def frame(*parts, meta=None):
    """A Dask data frame of these partitions, of any columns and types."""
    meta = parts[0].iloc[:0] if meta is None else meta
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_delayed([dask.delayed(part) for part in parts], meta=meta, verify_meta=False)


def cut(pandas, *edges):
    """The partitions of a data frame between these rows."""
    return [pandas.iloc[i:j] for i, j in zip((0, *edges), (*edges, len(pandas)), strict=True)]


def same_bits(model, other):
    return all(
        np.asarray(getattr(model, name)).tobytes() == np.asarray(getattr(other, name)).tobytes()
        for name in ("coef", "intercept", "mean_log_loss", "gradient_norm")
    )


def assert_same_model(model, expected):
    assert (model.classes, model.feature_names) == (expected.classes, expected.feature_names)
    assert model.categories == expected.categories
    assert model.converged
    np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.intercept, expected.intercept, rtol=1e-6, atol=1e-7)


@pytest.fixture(autouse=True)
def scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


# As in memory -----------------------------------------------------------------------------


@pytest.mark.parametrize("t", [T, K], ids=["two classes", "three"])
@pytest.mark.parametrize("kind", ["plain", "weight", "offset", "no penalty"])
def test_arrays_as_in_memory(t, kind):
    rows = {
        "plain": {},
        "weight": {"weight": WEIGHT},
        "offset": {"offset": OFFSET if t is T else OFFSETS},
        "no penalty": {},
    }[kind]
    l2 = 0.0 if kind == "no penalty" else 1.0
    expected = fl.fit(X, t, l2=l2, **rows)
    lazy = {name: da.from_array(one, chunks=170) for name, one in rows.items()}
    found = fastlogit.dask.fit(chunked(X), t, l2=l2, **lazy)
    assert_same_model(found, expected)
    if l2 == 0.0:
        errors = found.standard_errors()
        np.testing.assert_allclose(errors, expected.standard_errors(), rtol=1e-6)
    other = fastlogit.dask.fit(chunked(X), t.tolist(), l2=l2, **rows)
    assert same_bits(other, found)


def test_frames_as_in_memory():
    expected = fl.fit(FRAME, label="t", weight="w", offset="o", l2=0.0)
    lazy = dd.from_pandas(FRAME, npartitions=3)
    found = fastlogit.dask.fit(lazy, label="t", weight="w", offset="o", l2=0.0)
    assert_same_model(found, expected)
    np.testing.assert_allclose(found.standard_errors(), expected.standard_errors(), rtol=1e-6)


@pytest.mark.parametrize("missing", ["error", "skip"])
def test_floats_of_numpy_give_the_bits_of_columns_of_arrow(missing):
    numpy = FRAME.assign(c=FRAME["c"].astype(np.float32))
    if missing == "skip":
        numpy = numpy.assign(a=numpy["a"].mask(numpy["b"] > 1), w=numpy["w"].mask(numpy["b"] < -2))
    floats = dict.fromkeys("abdwo", "double[pyarrow]")
    arrow = numpy.astype(floats | {"c": "float[pyarrow]", "t": "int64[pyarrow]"})
    options = {"label": "t", "weight": "w", "missing": missing}
    models = [
        fastlogit.dask.fit(dd.from_pandas(one, npartitions=3), **options) for one in (numpy, arrow)
    ]
    assert same_bits(*models)


def test_probabilities_of_classes_in_columns():
    both = FRAME[["a", "b"]].assign(no=1.0 - fl.sigmoid(Z), yes=fl.sigmoid(Z))
    expected = fl.fit(both, label=["no", "yes"])
    found = fastlogit.dask.fit(dd.from_pandas(both, npartitions=3), label=["no", "yes"])
    assert_same_model(found, expected)


def test_sparse_blocks():
    entries = sparse.random_array((N, D), density=0.3, rng=RNG, format="csr")
    expected = fl.fit(entries, T)
    lazy = da.from_array(entries.toarray(), chunks=(300, D)).map_blocks(sparse.csr_array)
    found = fastlogit.dask.fit(lazy, T)
    assert_same_model(found, expected)
    model = fl.LogisticModel(np.ones(D))
    np.testing.assert_array_equal(fastlogit.dask.decision(lazy, model), model.decision(entries))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.bool_])
def test_dtypes(dtype):
    rows = (2.0 * X).astype(dtype)
    assert_same_model(fastlogit.dask.fit(chunked(rows), T), fl.fit(rows, T))


TARGETS = {
    "list": K.tolist(),
    "pandas": pd.Series(K),
    "categories": pd.Series(K, dtype="category"),
    "array": da.from_array(K, chunks=99),
    "objects": da.from_array(K.astype(object), chunks=99),
    "series": dd.from_pandas(pd.Series(K), npartitions=3),
    "series of categories": dd.from_pandas(pd.Series(K, dtype="category"), npartitions=3),
}


@pytest.mark.parametrize("t", TARGETS.values(), ids=TARGETS)
def test_targets_of_any_kind(t):
    rows = da.from_array(X, chunks=((334, 333, 333), D))  # as from_pandas divides
    assert same_bits(fastlogit.dask.fit(rows, t), fastlogit.dask.fit(rows, K))


def test_targets_that_are_booleans():
    series = dd.from_pandas(pd.Series(T, dtype="boolean"), npartitions=3)
    for t in (T > 0, (T > 0).tolist(), da.from_array(T > 0, chunks=100), series):
        model = fastlogit.dask.fit(da.from_array(X, chunks=((334, 333, 333), D)), t)
        assert model.classes == (False, True)
        assert all(type(one) is bool for one in model.classes)


def test_unknown_lengths():
    lazy, t = chunked(X), chunked(T)
    chosen = X[:, 0] > -0.5
    kept = lazy[:, 0] > -0.5
    found = fastlogit.dask.fit(lazy[kept], t[kept], weight=chunked(WEIGHT)[kept])
    assert_same_model(found, fl.fit(X[chosen], T[chosen], weight=WEIGHT[chosen]))
    with pytest.raises(ValueError, match=r"^t must have one element for each row of X, nan"):
        fastlogit.dask.fit(lazy[kept], da.from_array(T[chosen], chunks=50))
    with pytest.raises(ValueError, match=r"^X, partition .: t must have .* rows, as X; got 300"):
        fastlogit.dask.fit(lazy[kept], t)


# Partitions -------------------------------------------------------------------------------


def test_the_same_bits_for_any_scheduler_and_persisted_or_not():
    lazy = dd.from_pandas(FRAME, npartitions=11)
    arrays = chunked(X), K
    expected = fastlogit.dask.fit(lazy, label="t", weight="w"), fastlogit.dask.fit(*arrays)
    for config in ({"scheduler": "threads", "num_workers": 3}, {"scheduler": "threads"}):
        with dask.config.set(config):
            assert same_bits(fastlogit.dask.fit(lazy, label="t", weight="w"), expected[0])
            assert same_bits(fastlogit.dask.fit(*arrays), expected[1])
    assert same_bits(fastlogit.dask.fit(lazy.persist(), label="t", weight="w"), expected[0])
    assert same_bits(fastlogit.dask.fit(arrays[0].persist(), K), expected[1])


def test_a_class_a_label_and_a_category_in_one_partition_only():
    order = np.lexsort((FRAME["k"], K))
    whole = FRAME.assign(t=K).iloc[order].reset_index(drop=True)
    rare = whole["k"].to_numpy(copy=True).astype(object)
    rare[-3:] = "rare"
    whole = whole.assign(k=rare)
    expected = fl.fit(whole, label="t")
    assert_same_model(
        fastlogit.dask.fit(frame(*cut(whole, 200, 201, 201, 900)), label="t"), expected
    )
    grouped = fastlogit.dask.fit(frame(*cut(whole, 200, 500)), label="t", min_count=5)
    assert grouped.categories["k"] == ("x", "y", "z", None)


def test_partitions_with_columns_in_another_order_and_further_ones():
    parts = cut(FRAME, 300, 700)
    parts[1] = parts[1][["t", "o", "k", "w", "d", "c", "b", "a"]].assign(more="?")
    found = fastlogit.dask.fit(frame(*parts), label="t", weight="w", ignore=["o"])
    assert_same_model(found, fl.fit(FRAME, label="t", weight="w", ignore=["o"]))


def test_a_partition_without_a_column():
    parts = cut(FRAME, 300)
    lazy = frame(parts[0], parts[1].drop(columns="b"))
    with pytest.raises((ValueError, KeyError), match=r"'b'"):
        fastlogit.dask.fit(lazy, label="t")


def test_partitions_of_other_types():
    parts = cut(FRAME[["a", "k", "t"]].assign(a=np.round(FRAME["a"])), 200, 400, 600, 800)
    expected = fl.fit(pd.concat(parts), label="t")
    parts[0] = parts[0].astype({"a": np.float32, "k": "category", "t": "Int64"})
    parts[1] = parts[1].astype({"a": np.int8, "k": object, "t": bool})
    parts[2] = parts[2].astype({"a": "Float64", "k": "string[pyarrow]", "t": float})
    parts[3] = parts[3].astype({"a": "Int16", "t": "boolean"})
    assert_same_model(
        fastlogit.dask.fit(frame(*parts, meta=parts[4].iloc[:0]), label="t"), expected
    )


def test_categories_of_pandas_known_and_unknown():
    expected = fl.fit(FRAME, label="t")
    lazy = dd.from_pandas(FRAME.astype({"k": "category"}), npartitions=3)
    for one in (lazy, lazy.assign(k=lazy["k"].cat.as_unknown())):
        assert_same_model(fastlogit.dask.fit(one, label="t"), expected)


def test_missing_values():
    holes = FRAME[["a", "b", "k", "t"]].astype({"t": "Int64", "k": object})
    holes.loc[[3, 650], "a"] = np.nan
    holes.loc[700, "k"] = None
    holes.loc[[4, 701], "t"] = pd.NA
    lazy = frame(*cut(holes, 300, 600))
    with pytest.raises(ValueError, match=r"^X: column 'a' has 2 missing values in 1000 rows"):
        fastlogit.dask.fit(lazy, label="t")
    found = fastlogit.dask.fit(lazy, label="t", missing="skip")
    assert_same_model(found, fl.fit(holes, label="t", missing="skip"))


def test_nan_in_arrays():
    rows, t = X.copy(), T.astype(float)
    rows[650, 1] = np.nan
    t[4] = np.nan
    lazy = da.from_array(rows, chunks=(300, D))
    with pytest.raises(ValueError, match=r"^X, partition 0: row 4 has a missing value"):
        fastlogit.dask.fit(lazy, t)
    kept = np.isfinite(rows[:, 1]) & np.isfinite(t)
    found = fastlogit.dask.fit(lazy, t, missing="skip")
    assert_same_model(found, fl.fit(rows[kept], T[kept]))


BAD = RNG.normal(size=N)
BAD[650] = np.inf


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"X": np.column_stack([X[:, 0], BAD])}, "partition 2: .* got inf in row 50"),
        ({"t": np.where(np.isinf(BAD), np.nan, T)}, "partition 2: row 50 has a missing value"),
        ({"weight": -abs(BAD)}, "partition .: weight must be finite and not negative; got -"),
        ({"weight": abs(BAD)}, "partition 2: weight must be finite .*; got inf in row 50"),
        ({"offset": BAD}, "partition 2: offset must be finite; got inf in row 50"),
    ],
)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_values_that_are_not_finite(rows, message, scheduler):
    rows = {"X": X, "t": T} | rows
    lazy = {name: da.from_array(one, chunks=(300, *one.shape[1:])) for name, one in rows.items()}
    with dask.config.set(scheduler=scheduler), pytest.raises(ValueError, match=f"^X, {message}"):
        fastlogit.dask.fit(**lazy)


def test_values_of_frames_that_are_not_finite_or_no_numbers():
    lazy = frame(*cut(FRAME[["b", "t"]].assign(a=BAD), 300, 600))
    message = r"^X, partition 2: column 'a' must be finite; got inf in row 50 \(ignore=\['a'\]"
    with pytest.raises(ValueError, match=message):
        fastlogit.dask.fit(lazy, label="t")
    dates = FRAME[["a", "t"]].assign(when=pd.Timestamp("2024-01-01"))
    with pytest.raises(
        ValueError, match=r"^X: column 'when' must hold numbers; it holds timestamp"
    ):
        fastlogit.dask.fit(dd.from_pandas(dates, npartitions=2), label="t")


def test_an_error_of_another_process_has_no_traceback_in_its_message():
    lazy = da.from_array(np.column_stack([X[:, 0], BAD]), chunks=(300, 2))
    with (
        dask.config.set(scheduler="processes", num_workers=1),
        pytest.raises(ValueError, match=r"^X, partition 2: .* got inf in row 50$"),
    ):
        fastlogit.dask.fit(lazy, T)


# Arguments --------------------------------------------------------------------------------


SOFT = np.exp(OFFSETS) / np.exp(OFFSETS).sum(axis=1, keepdims=True)
HARD = np.eye(3)[np.argmax(X[:, :3] + OFFSETS, axis=1)]


@pytest.mark.parametrize(
    ("t", "options"),
    [
        (SOFT, {}),
        (HARD, {"class_weight": "balanced"}),
        (HARD.astype(np.int8), {"offset": OFFSETS}),
        (SOFT[:, :2] / SOFT[:, :2].sum(axis=1, keepdims=True), {"offset": OFFSET}),
        (np.eye(2)[T], {"class_weight": {0: 2.0}}),
    ],
)
def test_rows_of_probabilities_train_as_in_memory(t, options):
    expected = fl.fit(X, t, weight=WEIGHT, tol=1e-14, **options)
    for given, rows in ((t, chunked(X)), (chunked(t), chunked(X)), (t, da.from_array(X, 300))):
        model = fastlogit.dask.fit(rows, given, weight=WEIGHT, tol=1e-14, **options)
        np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-9)
        assert model.classes == expected.classes
        assert model.mean_log_loss == pytest.approx(expected.mean_log_loss, rel=1e-12)


def test_rows_of_probabilities_that_are_wrong_or_missing():
    t = SOFT.copy()
    t[310, 1] = 0.9
    message = "^X, partition 1: every row of t must have the sum 1; got .* at index 10 "
    with pytest.raises(ValueError, match=message):
        fastlogit.dask.fit(da.from_array(X, (300, D)), t)
    t[310, 1] = np.nan
    message = "^X, partition 1: row 10 has a missing value"
    with pytest.raises(ValueError, match=message):
        fastlogit.dask.fit(da.from_array(X, (300, D)), t)
    model = fastlogit.dask.fit(da.from_array(X, (300, D)), t, missing="skip", tol=1e-14)
    present = np.arange(N) != 310
    expected = fl.fit(X[present], SOFT[present], tol=1e-14)
    np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-9)


def unreadable(columns=D):
    def fail():
        raise AssertionError("computed")

    return da.from_delayed(dask.delayed(fail)(), (N, columns), float)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": X, "t": T}, "X must be a Dask array or data frame; got ndarray"),
        ({"X": unreadable()}, "t must be given for an array"),
        ({"X": unreadable(), "t": T[:-1]}, "t must have one element for each row of X, 1000"),
        ({"X": unreadable(), "t": np.ones((N, 1))}, "t must have one axis, or be an array with"),
        ({"X": unreadable(), "t": pd.DataFrame(np.eye(N, 3))}, "t must have one axis, or be an"),
        ({"X": unreadable(), "t": np.eye(N, 3)[1:]}, "t must have one element for each row of X"),
        ({"X": unreadable(), "t": K[:, None]}, "t must hold real numbers"),
        ({"X": unreadable(), "t": T, "label": "t"}, "label must not be given for an array"),
        ({"X": unreadable()[:, 0], "t": T}, r"X must have 2 axes; got shape \(1000,\)"),
        ({"X": unreadable(0), "t": T}, "X must have .* at least 1; got 0"),
        ({"X": unreadable().astype("c16"), "t": T}, "X must hold real numbers; got .*complex"),
        ({"X": unreadable(), "t": T, "weight": "w"}, "weight must be an array of real numbers"),
        ({"X": unreadable(), "t": T, "weight": chunked(K)}, "weight must hold real numbers"),
        ({"X": unreadable(), "t": T, "offset": OFFSET[1:]}, "offset must have one element for"),
        ({"X": unreadable(), "t": T, "categorical": ["a"]}, "X: has no names of columns"),
        ({"X": unreadable(), "t": T, "solver": "x"}, "solver must be"),
        ({"X": dd.from_pandas(FRAME), "t": T}, "t must not be given for a data frame"),
        ({"X": dd.from_pandas(FRAME)}, "X: label must be given"),
        ({"X": dd.from_pandas(FRAME), "label": "t", "weight": WEIGHT}, "weight must be the name"),
    ],
)
def test_errors_before_any_work(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fastlogit.dask.fit(**arguments)


def test_offsets_must_fit_the_classes():
    for t, offset in ((T, OFFSETS), (K, OFFSET), (K, OFFSETS[:, :2])):
        with pytest.raises(ValueError, match=r"^offset must have shape .* as there are . classes"):
            fastlogit.dask.fit(chunked(X), t, offset=offset)


def test_fit_names_the_one_for_dask():
    for rows in (chunked(X), dd.from_pandas(FRAME)):
        with pytest.raises(
            TypeError, match=r"^X must be in memory; .*\(fastlogit\.dask\.fit trains"
        ):
            fl.fit(rows, T)


MASKED = np.ma.masked_array(T.astype(float), mask=np.arange(N) == 350)


@pytest.mark.parametrize(
    "arguments",
    [
        {"t": chunked(MASKED)},
        {"t": MASKED},
        {"weight": chunked(MASKED)},
        {"offset": chunked(MASKED)},
        {"X": chunked(np.ma.masked_array(X, mask=X > 3.0))},
    ],
)
def test_masked_elements_are_no_values(arguments):
    arguments = {"X": chunked(X), "t": T} | arguments
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"must have no masked elements; got \d+$"),
    ):
        fastlogit.dask.fit(**arguments)


@pytest.mark.parametrize("kind", ["m8[ns]", "M8[ns]", "M8[D]"])
def test_dates_are_no_labels(kind):
    with pytest.raises(TypeError, match=r"^t must hold numbers or strings; got dtype "):
        fastlogit.dask.fit(unreadable(), T.astype(kind))


@pytest.mark.parametrize(
    ("t", "classes"),
    [
        (np.where(T, True, 2).astype(object), (1, 2)),
        (np.where(T, b"a", b"b").astype(object), b"b"),
        (np.array(["a", 2], object)[T], 2),
    ],
)
def test_objects_are_numbers_or_texts(t, classes):
    with dask.config.set(scheduler="synchronous"):
        if isinstance(classes, tuple):
            assert fastlogit.dask.fit(chunked(X), chunked(t)).classes == classes
        else:
            with pytest.raises(ValueError, match="t must hold real numbers, or strings alone; got"):
                fastlogit.dask.fit(chunked(X), chunked(t))


def test_blocks_of_other_sparse_formats():
    with dask.config.set(scheduler="synchronous"):
        models = [
            fastlogit.dask.fit(da.from_array(X, chunks=(400, D)).map_blocks(kind), T)
            for kind in (sparse.csr_array, sparse.csc_array, sparse.coo_array)
        ]
    assert same_bits(models[0], models[1])
    assert same_bits(models[0], models[2])


def test_names_of_columns_may_be_numbers():
    rows = da.from_array(np.column_stack([X, T]), chunks=(400, D + 1))
    with dask.config.set(scheduler="synchronous"):
        model = fastlogit.dask.fit(dd.from_dask_array(rows), label=D)
    assert model.feature_names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    "argument",
    [
        {"l2": -1.0},
        {"l2": "x"},
        {"l2": [[1.0]]},
        {"class_weight": "x"},
        {"class_weight": {0: -1.0}},
        {"start": 5},
    ],
    ids=str,
)
def test_wrong_values_are_found_before_any_work(argument):
    with pytest.raises((TypeError, ValueError), match=rf"^{next(iter(argument))}\b"):
        fastlogit.dask.fit(unreadable(), T, **argument)


# At home there ----------------------------------------------------------------------------


def test_in_a_running_event_loop():
    async def notebook():
        return fastlogit.dask.fit(chunked(X), T)

    assert same_bits(asyncio.run(notebook()), fastlogit.dask.fit(chunked(X), T))


def test_progress(capsys):
    seen = []
    fastlogit.dask.fit(chunked(X), T, progress=True, callback=seen.append)
    err = capsys.readouterr().err
    assert "training" in err
    assert "loss" in err
    assert [one.passes for one in seen] == sorted({one.passes for one in seen})


def test_a_callback_ends_training():
    with pytest.warns(fl.ConvergenceWarning):
        model = fastlogit.dask.fit(chunked(X), T, callback=lambda progress: True)
    assert not model.converged


def test_training_goes_on_from_a_checkpoint(tmp_path):
    read = []

    def batch(number):
        read.append(number)
        return X[number * 500 : (number + 1) * 500]

    parts = [da.from_delayed(dask.delayed(batch)(one), (500, D), X.dtype) for one in range(2)]
    arguments = (da.concatenate(parts), T)
    path = tmp_path / "run.ckpt"
    with dask.config.set(scheduler="synchronous"):
        whole = fastlogit.dask.fit(*arguments)
        with pytest.warns(fl.ConvergenceWarning):
            fastlogit.dask.fit(*arguments, max_passes=3, checkpoint=path)
        with pytest.raises(FileExistsError, match="exists already"):
            fastlogit.dask.fit(*arguments, checkpoint=path)
        read.clear()
        resumed = fastlogit.dask.fit(*arguments, checkpoint=path, resume=True)
        assert same_bits(resumed, whole)
        # The first read and one pass are made again, for the labels and to compare the rows.
        assert len(read) == 2 * (whole.passes - 3 + 2)
        others = (arguments[0] + 1e-9, T)
        with pytest.raises(ValueError, match="differs in the rows"):
            fastlogit.dask.fit(*others, checkpoint=path, resume=True)
