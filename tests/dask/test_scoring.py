"""Scores of Dask collections: the same bits as without Dask, lazily, and early errors."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import fastlogit as fl
import fastlogit.dask
from fastlogit.models.model import OffsetWarning
from fastlogit.scoring import evaluate, read_table, score

N, D = 1000, 6
X = np.random.default_rng(3).normal(size=(N, D))
MODEL = fl.LogisticModel(np.linspace(-2.0, 3.0, D), 0.25)
PAIRS = [
    (fastlogit.dask.decision, fl.linear.decision),
    (fastlogit.dask.probability, fl.linear.probability),
]
both = pytest.mark.parametrize(("lazy", "eager"), PAIRS, ids=["decision", "probability"])


@both
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.bool_])
@pytest.mark.parametrize("chunks", [(N, D), (300, D), (300, 4), (N, 1)], ids=str)
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_same_bits(lazy, eager, dtype, chunks, scheduler):
    features = X.astype(dtype)
    result = lazy(da.from_array(features, chunks=chunks), MODEL)
    assert result.shape == (N,)
    assert result.dtype == np.float64
    assert result.chunks == da.from_array(features, chunks=chunks).chunks[:1]
    computed = result.compute(scheduler=scheduler)
    assert computed.dtype == np.float64
    np.testing.assert_array_equal(computed, eager(features, MODEL.coef, MODEL.intercept))


def unreadable(dtype=np.float64, columns=D):
    """A Dask array that fails as soon as anything is computed."""

    def fail():
        raise AssertionError("computed")

    block = dask.delayed(fail)()
    return da.from_delayed(block, (N, columns), dtype, meta=np.empty((0, 0), dtype))


@both
def test_lazy(lazy, eager):
    result = lazy(unreadable(), MODEL)
    with pytest.raises(AssertionError, match="computed"):
        result.compute(scheduler="synchronous")


@both
def test_column_major_partitions(lazy, eager):
    result = lazy(da.from_array(X.T.copy(), chunks=(D, 300)).T, MODEL)
    np.testing.assert_array_equal(result, eager(X, MODEL.coef, MODEL.intercept))


@both
def test_unknown_and_empty_chunks(lazy, eager):
    first = X[:, 0].copy()
    first[300:600] = -9.0
    features = np.column_stack([first, X[:, 1:]])
    lazy_features = da.from_array(features, chunks=(300, D))
    result = lazy(lazy_features[lazy_features[:, 0] > 0], MODEL)
    kept = features[features[:, 0] > 0]
    np.testing.assert_array_equal(result.compute(), eager(kept, MODEL.coef, MODEL.intercept))


@both
def test_nan_as_in_numpy(lazy, eager):
    features = X.copy()
    features[5, 2], features[6, 1] = np.nan, np.inf
    result = lazy(da.from_array(features, chunks=(300, D)), MODEL).compute()
    np.testing.assert_array_equal(result, eager(features, MODEL.coef, MODEL.intercept))
    assert np.isnan(result[5])


@both
def test_one_column(lazy, eager):
    model = fl.LogisticModel([2.0])
    result = lazy(da.from_array(X[:, :1], chunks=300), model)
    np.testing.assert_array_equal(result, eager(X[:, :1], model.coef))


@both
def test_can_go_to_another_process(lazy, eager):
    graph = lazy(da.from_array(X, chunks=(300, D)), MODEL)
    copy = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(copy.compute(), eager(X, MODEL.coef, MODEL.intercept))


@both
def test_errors_before_any_work(lazy, eager):
    with pytest.raises(ValueError, match=r"one column for each coefficient of model, 6; got.*7"):
        lazy(unreadable(columns=7), MODEL)
    with pytest.raises(ValueError, match=r"X must have 2 axes; got shape \(1000,\)"):
        lazy(unreadable()[:, 0], MODEL)
    for dtype in (np.complex128, object, "U3", ">f8"):
        with pytest.raises(TypeError, match=r"^X must .*; got .*(complex|object|U3|>f8)"):
            lazy(unreadable(dtype), MODEL)
    with pytest.raises(TypeError, match="X must be a Dask array or data frame; got ndarray"):
        lazy(X, MODEL)


def test_same_input_gives_the_same_name():
    features = da.from_array(X, chunks=(300, D))
    names = {lazy(features, MODEL).name for lazy, _ in PAIRS for _ in range(2)}
    assert len(names) == 2


# Pickle looks up the name in every module, and some modules warn.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_elementwise_functions_can_go_to_another_process():
    graph = fl.sigmoid(da.from_array(X, chunks=(300, D)))
    copy = pickle.loads(pickle.dumps(graph))
    np.testing.assert_array_equal(copy.compute(), fl.sigmoid(X))


# Offsets and models -----------------------------------------------------------------------

OFFSET = np.random.default_rng(4).normal(size=N)


@both
@pytest.mark.parametrize(
    "offset",
    [
        OFFSET,
        OFFSET.tolist(),
        da.from_array(OFFSET, chunks=300),
        da.from_array(OFFSET.astype(np.float32).astype(float), chunks=170),
    ],
    ids=["NumPy", "list", "same chunks", "other chunks"],
)
def test_offsets_of_arrays(lazy, eager, offset):
    result = lazy(da.from_array(X, chunks=(300, D)), MODEL, offset=offset)
    assert result.chunks == ((300, 300, 300, 100),)
    expected = eager(X, MODEL.coef, MODEL.intercept, offset=np.asarray(offset))
    np.testing.assert_array_equal(result.compute(), expected)


@both
def test_offsets_of_unknown_length(lazy, eager):
    X_lazy, offset = da.from_array(X, chunks=(300, D)), da.from_array(OFFSET, chunks=300)
    chosen = X_lazy[:, 0] > 0
    result = lazy(X_lazy[chosen], MODEL, offset=offset[chosen])
    kept = X[:, 0] > 0
    expected = eager(X[kept], MODEL.coef, MODEL.intercept, offset=OFFSET[kept])
    np.testing.assert_array_equal(result.compute(), expected)
    with pytest.raises(ValueError, match="offset must have one element for each row of X"):
        lazy(X_lazy[chosen], MODEL, offset=da.from_array(OFFSET, chunks=500))


@pytest.mark.parametrize("offset", [OFFSET[:-1], OFFSET[:, None], list("abc"), 1.0, "x", pd.NA])
def test_an_offset_of_another_shape_is_an_error_before_any_work(offset):
    with pytest.raises((TypeError, ValueError), match=r"^offset must"):
        fastlogit.dask.decision(unreadable(), MODEL, offset=offset)


@both
def test_the_model_may_be_the_path_of_its_file(lazy, eager, tmp_path):
    path = tmp_path / "model.json"
    MODEL.save(path)
    features = da.from_array(X, chunks=(300, D))
    np.testing.assert_array_equal(lazy(features, path), lazy(features, MODEL))
    for given in (None, 3, b"model.json", pd.NA):
        with pytest.raises(TypeError, match=r"^model must be a LogisticModel or the path"):
            lazy(features, given)


@both
def test_a_model_that_was_trained_with_an_offset_warns_once_without_one(lazy, eager):
    model = fl.LogisticModel([1.0, 2.0], 0.5, ("a", "b"), with_offset=True)
    for features in (da.from_array(X[:, :2], chunks=(300, 2)), FRAME[["a", "b"]]):
        with pytest.warns(OffsetWarning) as caught:
            lazy(features, model).compute(scheduler="synchronous")
        assert [warning.filename for warning in caught] == [__file__]


# Data frames ------------------------------------------------------------------------------

TEXT_MODEL = fl.LogisticModel(
    [1.0, -2.0, 0.5], 0.25, ("a", "b", "k=x"), categories={"k": ("x", "y")}, with_offset=True
)
WHOLE = pd.DataFrame(
    {
        "other": ["?"] * N,
        "k": np.array(["x", "y"])[np.arange(N) % 2],
        "b": X[:, 1],
        "w": OFFSET,
        "a": X[:, 0],
    },
    index=pd.Index(np.arange(N)[::-1], name="row"),
)
FRAME = dd.from_pandas(WHOLE, npartitions=4, sort=False)
SCORES = [(fastlogit.dask.decision, "logit"), (fastlogit.dask.probability, "probability")]


def scored(model, source, **options):
    batches = score(model, source, **options)
    return np.concatenate([np.empty(0), *(batch.column(0).to_numpy() for batch in batches)])


@pytest.mark.parametrize(("function", "output"), SCORES, ids=["decision", "probability"])
@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.repartition(npartitions=1),
        FRAME[FRAME["a"] > 0],
        FRAME[FRAME["a"] > 99],
        FRAME.reset_index().set_index("row"),
        dd.from_pandas(WHOLE.astype({"k": "category"}), npartitions=3, sort=False),
        dd.from_pandas(WHOLE.astype({"a": np.float32, "b": "Float64"}), npartitions=3, sort=False),
    ],
    ids=["frame", "one partition", "filtered", "empty", "sorted", "categories", "dtypes"],
)
def test_a_data_frame_is_scored_like_the_one_of_pandas(function, output, frame):
    pandas = frame.compute()
    expected = scored(TEXT_MODEL, pandas, output=output, offset="w")
    result = function(frame, TEXT_MODEL, offset="w")
    assert isinstance(result, dd.Series)
    assert result.npartitions == frame.npartitions
    series = result.compute()
    pd.testing.assert_index_equal(series.index, pandas.index)
    assert (series.name, series.dtype) == (output, np.float64)
    np.testing.assert_array_equal(series, expected)
    found = scored(TEXT_MODEL, frame, output=output, offset="w")
    np.testing.assert_array_equal(found, expected)


def test_a_series_can_be_assigned_to_the_frame():
    model = fl.LogisticModel([1.0], 0.0, ("a",))
    with_scores = FRAME.assign(z=fastlogit.dask.decision(FRAME, model)).compute()
    np.testing.assert_array_equal(with_scores["z"], X[:, 0])


def of_parts(*parts, **meta):
    """A data frame of these partitions, of any types."""
    declared = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in meta.items()})
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(lambda number: parts[number], range(len(parts)), meta=declared)


ODD = of_parts(
    pd.DataFrame({"a": np.float32([0.1, 2.0]), "k": ["x", "y"]}),
    pd.DataFrame({"a": [None, None], "k": [None, None]}),
    pd.DataFrame({"a": [3, 4], "k": ["y", None]}),
    pd.DataFrame({"a": [], "k": []}),
    pd.DataFrame({"a": [True, False], "k": pd.Categorical(["x", "x"])}),
    pd.DataFrame({"a": pd.array([5, None], "Int8"), "k": ["x", "y"]}),
    a=np.float64,
    k=object,
)


@pytest.mark.parametrize("last", ["y", None])
@pytest.mark.parametrize("of", [fastlogit.dask.decision, scored], ids=["lazy", "score"])
def test_partitions_of_other_types_or_of_nulls(of, last):
    model = fl.LogisticModel([2.0, 10.0], 0.0, ("a", "k=x"), categories={"k": ("x", last)})
    found = (
        np.asarray(of(ODD, model, missing="nan"))
        if of is not scored
        else scored(model, ODD, missing="nan", output="logit")
    )
    tenth, nan = float(np.float32(0.1)), np.nan
    expected = [2 * tenth + 10.0, 4.0, nan, nan, 6.0, nan, 12.0, 10.0, 20.0, nan]
    np.testing.assert_array_equal(found, expected)


def test_kept_columns_have_the_declared_type():
    model = fl.LogisticModel([2.0], 0.0, ("a",))
    batches = list(score(model, ODD, missing="nan", keep=["k", "a"]))
    assert {str(batch.schema.field("a").type) for batch in batches} == {"double"}
    kept = [value for batch in batches for value in batch["k"].to_pylist()]
    assert kept == ["x", "y", None, None, "y", None, "x", "x", "x", "y"]


def test_a_null_is_named_with_its_partition():
    model = fl.LogisticModel([2.0], 0.0, ("a",))
    with pytest.raises(ValueError, match=r"DataFrame, partition 1: column 'a' is null in row 0"):
        list(score(model, ODD))
    result = fastlogit.dask.decision(ODD, model)  # says nothing before it is computed
    with pytest.raises(ValueError, match=r"^X, partition [125]: column 'a' is null in row [01]"):
        result.compute(scheduler="synchronous")


@pytest.mark.parametrize("kind", ["float64", "Float64", "double[pyarrow]"])
def test_nan_of_pandas_is_a_null(kind):
    model = fl.LogisticModel([2.0], 0.0, ("a",))
    whole = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan]})
    frame = dd.from_pandas(whole.astype(kind), npartitions=2)
    with pytest.raises(ValueError, match=r"^X, partition 1: column 'a' is null in row 1"):
        fastlogit.dask.score(frame, model).compute(scheduler="synchronous")
    found = fastlogit.dask.decision(frame, model, missing="nan").compute(scheduler="synchronous")
    np.testing.assert_array_equal(found, [2.0, 4.0, 6.0, np.nan])


def test_a_model_without_names_takes_columns_in_order():
    frame = FRAME[["b", "a"]]
    model = fl.LogisticModel([1.0, -2.0], 0.25)
    expected = scored(model, WHOLE[["b", "a"]].reset_index(drop=True), output="logit")
    np.testing.assert_array_equal(fastlogit.dask.decision(frame, model), expected)
    np.testing.assert_array_equal(scored(model, frame, output="logit"), expected)


def unreadable_frame(**columns):
    def fail(number):
        raise AssertionError("computed")

    meta = pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in columns.items()})
    return dd.from_map(fail, [0], meta=meta)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": float}, {}, "has no column 'b'"),
        ({"a": float, "b": "str"}, {}, "column 'b' must hold numbers; it holds .*string"),
        ({"a": float, "b": "datetime64[ns]"}, {}, "column 'b' must hold numbers"),
        ({"a": float, "b": float}, {"offset": "w"}, "has no column 'w'"),
        ({"a": float, "b": float}, {"offset": OFFSET}, "offset must be the name or the position"),
        ({"a": float, "b": float}, {"missing": "skip"}, "missing must be 'error' or 'nan'"),
        ({"a": float, "b": float}, {"unknown": "x"}, "unknown must be 'error' or 'ignore'"),
    ],
)
def test_errors_of_data_frames_before_any_work(columns, options, message):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("a", "b"))
    for function, _ in SCORES:
        with pytest.raises((TypeError, ValueError), match=message):
            function(unreadable_frame(**columns), model, **options)


def test_a_data_frame_is_scored_lazily_and_other_columns_are_not_computed():
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("a", "b"))
    frame = unreadable_frame(a=float, b=float)
    lazy = fastlogit.dask.decision(frame, model)
    batches = score(model, frame)
    for compute in (lazy.compute, lambda: next(batches)):
        with pytest.raises((AssertionError, ValueError), match="computed"):
            compute()


def test_a_data_frame_is_evaluated_and_written(tmp_path):
    frame = FRAME.assign(late=FRAME["a"] > 0)
    model = fl.LogisticModel([1.0], 0.0, ("a",), classes=(False, True))
    found = evaluate(model, frame, "late")
    assert (found.rows, found.accuracy) == (N, 1.0)
    assert score(model, frame, tmp_path / "y.parquet", keep=["b"]).rows == N
    written = pd.read_parquet(tmp_path / "y.parquet")
    np.testing.assert_array_equal(written["b"], X[:, 1])
    np.testing.assert_array_equal(written["probability"], fl.sigmoid(X[:, 0]))


def test_a_dask_series_is_not_a_table():
    with pytest.raises(TypeError, match="X must be a Dask array or data frame; got Series"):
        fastlogit.dask.decision(FRAME["a"], fl.LogisticModel([1.0]))
    with pytest.raises(TypeError, match="source must be a path or a table; got Series"):
        score(fl.LogisticModel([1.0]), FRAME["a"])


@pytest.mark.parametrize(
    ("declared", "values", "is_held"),
    [
        ("int16", [16777217.0, 0.1], False),  # float32 holds the declared values
        ("float32", [1e39, 0.1], False),
        ("int64", [16777217.0, 0.5], True),
        ("float64", [1, 2], True),
        ("float64", ["a", "b"], False),
        ("str", [1.0, 2.0], False),
    ],
)
def test_a_partition_with_another_type_than_declared(declared, values, is_held):
    meta = pd.DataFrame({"x": pd.Series([], dtype=declared), "t": pd.Series([], dtype="int64")})
    part = dask.delayed(pd.DataFrame)({"x": values, "t": [0, 1]})
    frame = dd.from_delayed([part], meta=meta, verify_meta=False)
    if is_held:
        assert read_table(frame, "t").X[:, 0].tolist() == values
    else:
        with pytest.raises(ValueError, match=r"partition 0: column 'x' holds .* declares"):
            read_table(frame, "t", categorical=["x"] if declared == "str" else [])


# More than two classes --------------------------------------------------------------------

CLASSES = fl.LogisticModel(
    np.linspace(-1.0, 1.0, 3 * D).reshape(3, D), [0.5, 0.0, -0.5], classes=("a", "b", "c")
)
OFFSETS = np.random.default_rng(8).normal(size=(N, 3))


@pytest.mark.parametrize(
    ("lazy", "eager"),
    [
        (fastlogit.dask.decision, CLASSES.decision),
        (fastlogit.dask.probability, CLASSES.predict_proba),
    ],
    ids=["decision", "probability"],
)
def test_arrays_have_a_column_for_each_class(lazy, eager):
    features = da.from_array(X, chunks=(300, 4))
    for offset in (None, OFFSETS, da.from_array(OFFSETS, chunks=(500, 2))):
        result = lazy(features, CLASSES, offset=offset)
        assert (result.shape, result.dtype) == ((N, 3), np.float64)
        assert result.chunks == (features.chunks[0], (3,))
        expected = eager(X, offset=None if offset is None else OFFSETS)
        np.testing.assert_array_equal(result, expected)
        copy = pickle.loads(pickle.dumps(result))
        np.testing.assert_array_equal(copy[:, 1].compute(), expected[:, 1])
    for least in (2.5, 5.0):  # rows in some of the chunks, and in none
        chosen, kept = features[:, 0] > least, X[:, 0] > least
        offset = da.from_array(OFFSETS, chunks=(300, 2))[chosen]
        result = lazy(features[chosen], CLASSES, offset=offset).compute()
        assert result.shape == (kept.sum(), 3)
        if kept.any():
            np.testing.assert_array_equal(result, eager(X[kept], offset=OFFSETS[kept]))


@pytest.mark.parametrize("offset", [OFFSETS[:, 0], OFFSETS[:, :2], OFFSETS[:-1], "w"])
def test_offsets_that_do_not_fit_the_classes(offset):
    with pytest.raises((TypeError, ValueError), match=r"^offset must"):
        fastlogit.dask.decision(unreadable(), CLASSES, offset=offset)
    with pytest.raises(ValueError, match="one column for each coefficient of model, 6; got"):
        fastlogit.dask.decision(unreadable(columns=7), CLASSES)


def test_data_frames_have_a_column_for_each_class():
    names = [f"x{j}" for j in range(D)]
    model = fl.LogisticModel(CLASSES.coef, CLASSES.intercept, tuple(names), classes=(1, 2, 3))
    pandas = pd.DataFrame(np.column_stack([X, OFFSETS]), columns=[*names, "o", "p", "q"])
    pandas.index = np.arange(N) // 2
    for options in ({}, {"offset": ["q", "o", "p"]}):
        found = fastlogit.dask.probability(dd.from_pandas(pandas, npartitions=3), model, **options)
        assert list(found.columns) == ["probability_1", "probability_2", "probability_3"]
        computed = found.compute()
        expected = pa.Table.from_batches(list(score(model, pandas, **options))).to_pandas()
        pd.testing.assert_frame_equal(computed.reset_index(drop=True), expected)
        assert computed.index.tolist() == pandas.index.tolist()


# Labels, and several outputs --------------------------------------------------------------


@pytest.mark.parametrize("classes", [(0, 1), (False, True), ("no", "yes")])
def test_labels_of_arrays(classes):
    model = fl.LogisticModel(MODEL.coef, MODEL.intercept, classes=classes)
    features = da.from_array(X, chunks=(300, 4))
    for threshold in (0.5, 0.9):
        found = fastlogit.dask.predict(features, model, threshold=threshold)
        expected = model.predict(X, threshold=threshold)
        assert (found.dtype, found.chunks) == (expected.dtype, ((300, 300, 300, 100),))
        np.testing.assert_array_equal(found, expected)
    nothing = fastlogit.dask.predict(features[features[:, 0] > 9.0], model).compute()
    assert (nothing.size, nothing.dtype) == (0, expected.dtype)


def test_labels_of_three_classes():
    features = da.from_array(X, chunks=(300, D))
    offset = da.from_array(OFFSETS, chunks=500)
    found = fastlogit.dask.predict(features, CLASSES, offset=offset)
    np.testing.assert_array_equal(found, CLASSES.predict(X, offset=OFFSETS))


def test_a_row_without_a_label_is_named():
    features = X.copy()
    features[605, 1] = np.nan
    found = fastlogit.dask.predict(da.from_array(features, chunks=(300, D)), MODEL)
    with pytest.raises(ValueError, match=r"^X, partition 2: X gives no label in row 5"):
        found.compute(scheduler="synchronous")


@pytest.mark.parametrize(
    ("classes", "kind"), [((0, 1), "Int64"), ((False, True), "boolean"), (("no", "yes"), "str")]
)
def test_labels_of_data_frames(classes, kind):
    model = fl.LogisticModel([1.0], 0.0, ("a",), classes=classes)
    found = fastlogit.dask.predict(FRAME, model)
    assert (found.name, found.dtype) == ("label", kind)
    computed = found.compute()
    assert computed.dtype == kind
    assert computed.tolist() == model.predict(WHOLE[["a"]]).tolist()
    holes = FRAME.assign(a=FRAME["a"].where(FRAME["a"] > 0))
    assert fastlogit.dask.predict(holes, model, missing="nan").isna().sum().compute() == (
        (X[:, 0] <= 0).sum()
    )


def test_several_outputs_and_kept_columns():
    output = ["logit", "label", "log-probability"]
    found = fastlogit.dask.score(
        FRAME, TEXT_MODEL, output=output, keep=["other", "b"], offset="w", threshold=0.75
    )
    assert found.npartitions == FRAME.npartitions
    assert found.divisions == FRAME.divisions
    computed = found.compute()
    pd.testing.assert_index_equal(computed.index, WHOLE.index)
    pd.testing.assert_frame_equal(computed[["other", "b"]], FRAME[["other", "b"]].compute())
    batches = score(TEXT_MODEL, WHOLE, output=output, offset="w", threshold=0.75)
    expected = pa.Table.from_batches(list(batches)).to_pandas()
    for name in ("logit", "label", "log_probability"):
        np.testing.assert_array_equal(computed[name], expected[name])
    pd.testing.assert_series_equal(found.dtypes, computed.dtypes)
    named = fastlogit.dask.score(FRAME, TEXT_MODEL, names="y", offset="w")
    assert list(named.columns) == ["y"]


def test_rows_that_are_left_out():
    holes = FRAME.assign(a=FRAME["a"].where(FRAME["a"] > 0))
    model = fl.LogisticModel([1.0], 0.0, ("a",))
    found = fastlogit.dask.score(holes, model, keep=["w"], missing="skip").compute()
    kept = WHOLE[WHOLE["a"] > 0]
    pd.testing.assert_series_equal(found["w"], kept["w"])
    np.testing.assert_array_equal(found["probability"], fl.sigmoid(kept["a"].to_numpy()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": da.zeros((4, 2))}, "X must be a Dask data frame; got Array .*predict take"),
        ({"X": WHOLE}, "X must be a Dask data frame; got DataFrame"),
        ({"output": "odds"}, "output must be"),
        ({"keep": ["z"]}, "X: has no column 'z'"),
        ({"keep": ["a"], "names": "a"}, "names of outputs and kept columns must differ"),
        ({"threshold": 2.0}, "threshold must"),
        ({"missing": "x"}, "missing must be"),
    ],
)
def test_errors_of_score_before_any_work(options, message):
    frame = unreadable_frame(a=float, b=float)
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("a", "b"))
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fastlogit.dask.score(**{"X": frame, "model": model} | options)
