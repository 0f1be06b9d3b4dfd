"""Streamed trainings on odd tables give the models, notes and errors of trainings in memory."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit.training.partitions.streamed import TablePartitions
from tests.streaming import assert_same, fit_both, matrix_table, parts_table

RNG = np.random.default_rng(5)
ROWS = 60
X = RNG.normal(size=(ROWS, 3))
Z = X @ [1.0, -0.5, 0.25] + RNG.logistic(size=ROWS)
TEXTS = RNG.choice(["red", "blue", "green", "grey"], ROWS).tolist()
COLUMNS = {
    "a": X[:, 0].tolist(),
    "b": X[:, 1].tolist(),
    "k": TEXTS,
    "flag": (X[:, 2] > 0.0).tolist(),
    "w": RNG.integers(0, 4, ROWS).tolist(),
    "o": RNG.normal(size=ROWS).tolist(),
    "p": RNG.normal(size=ROWS).tolist(),
    "q": RNG.normal(size=ROWS).tolist(),
    "two": np.where(Z > 0.0, "yes", "no").tolist(),
    "three": np.array(["low", "mid", "top"])[np.digitize(Z, [-1.0, 1.0])].tolist(),
    "soft": (1.0 / (1.0 + np.exp(-Z))).round(3).tolist(),
    "hard": (Z > 0.0).astype(int).tolist(),
}
SHARES = np.exp(np.column_stack([np.zeros(ROWS), Z, Z * 0.5]))
SHARES /= SHARES.sum(axis=1, keepdims=True)
# With text, both trainings read CSR, and few functions are compiled.
FEATURES = ("a", "b", "k", "flag")


def columns(*names, **changed):
    """Columns of the table; text features unless names are given."""
    return {name: COLUMNS[name] for name in names or FEATURES} | changed


def cut(table, *edges):
    """Parts of a table that begin at these rows."""
    table = pa.table(table)
    stops = [*edges, table.num_rows]
    return [
        table.slice(first, stop - first) for first, stop in zip([0, *edges], stops, strict=True)
    ]


def agree(parts, label=None, *, size=None, **options):
    """Train both ways, which must agree, and return the streamed result."""
    table = parts_table(parts, size) if isinstance(parts, list) else parts
    whole, streamed = fit_both(table, label, **options)
    assert_same(whole, streamed)
    return streamed


# Labels -----------------------------------------------------------------------------------

LABELS = {
    "numbers": "hard",
    "two texts": "two",
    "three texts": "three",
    "between 0 and 1": "soft",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(
    "options", [{}, {"weight": "w"}, {"l2": 0.0}, {"intercept": False}], ids=str
)
def test_any_label_with_any_option(label, options):
    used = [*FEATURES, label, *options.get("weight", ())]
    agree(cut(columns(*used), 1, 1, 20, 40), label, size=7, **options)


@pytest.mark.parametrize("values", [(1, 2), (-1.0, 1.0), (False, True), (5, 7, 9), (0, 1, 2)])
@pytest.mark.parametrize("label_type", [None, pa.float32(), pa.int8(), pa.string()], ids=str)
def test_labels_of_any_type(values, label_type):
    labels = pa.array([values[place % len(values)] for place in np.digitize(Z, [-1.0, 1.0])])
    if label_type is not None:
        labels = labels.cast(pa.int8() if isinstance(values[0], bool) else labels.type)
        labels = labels.cast(label_type)
    streamed = agree(cut(columns("a", "b", "k", t=labels), 10, 30), "t")
    assert len(streamed.model.classes) == len(values)


def test_a_class_that_one_batch_has_and_batches_of_one_class():
    order = np.argsort(COLUMNS["three"], kind="stable")
    table = pa.table(columns("a", "b", "k", "three")).take(order)
    assert agree(cut(table, 5, 25), "three").model.classes == ("low", "mid", "top")
    two = pa.table(columns("a", "b", "two")).take(np.argsort(COLUMNS["two"], kind="stable"))
    agree(cut(two, 5, 25), "two", size=4)


def test_a_class_without_weight():
    weight = [0.0 if one == "mid" else 1.0 for one in COLUMNS["three"]]
    streamed = agree(cut(columns("a", "k", "three", w=weight), 20), "three", weight="w")
    assert "no row with a weight has the label 'mid'" in str(streamed.warnings[0])


@pytest.mark.parametrize("name", ["two", "hard"])
def test_the_positive_label(name):
    first = min(COLUMNS[name])
    streamed = agree(cut(columns("a", name), 20), name, positive=first, weight=None)
    assert streamed.model.classes[1] == first


@pytest.mark.parametrize("class_weight", ["balanced", {"low": 2.0, "top": 0.25}, {"mid": 0.0}])
@pytest.mark.parametrize("weight", [None, "w"])
def test_class_weights(class_weight, weight):
    used = columns("a", "k", "three", "w")
    ignore = () if weight else ["w"]
    agree(
        cut(used, 13, 14),
        "three",
        class_weight=class_weight,
        weight=weight,
        ignore=ignore,
    )


@pytest.mark.parametrize("shares", ["soft", "hard", "rounded"])
@pytest.mark.parametrize("count", [2, 3])
def test_columns_of_probabilities(shares, count):
    given = SHARES[:, :count] / SHARES[:, :count].sum(axis=1, keepdims=True)
    if shares == "hard":
        given = np.eye(count)[np.argmax(given, axis=1)]
    elif shares == "rounded":  # sums that are only nearly 1
        given = np.eye(count)[np.argmax(given, axis=1)] * (1.0 - 1e-9)
    names = ["u", "v", "w"][:count]
    table = columns("a", "b", "k") | dict(zip(names, given.T.tolist(), strict=True))
    streamed = agree(cut(table, 20), names)
    assert streamed.model.classes == tuple(names)
    agree(cut(table, 20), names, class_weight="balanced")
    agree(cut(table, 20), names, positive="u")


BAD_LABELS = {
    "one label": (["x"] * ROWS, {}),
    "a third number": ([0.0] * 30 + [1.0] * 29 + [2.5], {}),
    "a number below 0": ([-0.5] + [1.0] * 58 + [0.0], {}),
    "numbers for rows": ([float(row) for row in range(ROWS)], {}),
    "texts for rows": ([f"row {row}" for row in range(ROWS)], {}),
    "an infinite one": ([0.0, 1.0] * 29 + [np.inf, np.nan], {"missing": "skip"}),
    "one missing": ([0, 1] * 29 + [None, 1], {}),
    "all missing": ([None] * ROWS, {"missing": "skip"}),
    "no such positive": (COLUMNS["two"], {"positive": "maybe"}),
    "positive of three": (COLUMNS["three"], {"positive": "low"}),
    "positive of probabilities": (COLUMNS["soft"], {"positive": 1}),
    "class_weight of probabilities": (COLUMNS["soft"], {"class_weight": "balanced"}),
    "class_weight of others": (COLUMNS["two"], {"class_weight": {"maybe": 1.0}}),
    "class_weight of another type": (COLUMNS["two"], {"class_weight": 3}),
    "a large label": ([2**53 + 1] + [0] * (ROWS - 1), {}),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_are_none_give_the_same_error(name):
    labels, options = BAD_LABELS[name]
    table = pa.table(columns("a", t=pa.array(labels)))
    assert isinstance(agree(cut(table, 20, 21), "t", **options), str)


# Columns ----------------------------------------------------------------------------------


def test_missing_values_in_one_batch():
    table = pa.table(columns("a", "b", "k", "two"))
    holes = {
        "a": [None, 1.0, np.nan, 2.0],
        "b": [1.0, None, 3.0, 2.5],
        "k": ["new", "red", "x", None],
    }
    part = pa.table(holes | {"two": ["yes", "no", "perhaps", "no"]})
    streamed = agree([table, part, table], "two", missing="skip")
    assert streamed.skipped == 4
    assert streamed.model.categories == {"k": ("blue", "green", "grey", "red")}
    assert "has 2 missing values" in agree([table, part, table], "two")


def test_only_missing_values_in_one_batch():
    table = pa.table(columns("a", "k", "two"))
    part = pa.table({"a": pa.nulls(3), "k": pa.nulls(3), "two": pa.nulls(3)})
    assert agree([part, table, part], "two", missing="skip").skipped == 6


@pytest.mark.parametrize(
    ("types", "values"),
    [
        ([pa.int64(), pa.float64(), pa.float32()], [1, 2, 3, -4]),
        ([pa.bool_(), pa.int8(), pa.float32()], [0, 1, 1, 0]),
        ([pa.decimal128(9, 2), pa.int32(), pa.float64()], [1, 2, 3, -4]),
        ([pa.uint8(), pa.uint64(), pa.int16()], [1, 2, 3, 4]),
        ([pa.float16(), pa.bool_(), pa.null()], [0, 1, 1, 0]),
    ],
    ids=str,
)
def test_a_column_of_another_type_in_each_part(types, values):
    whole = np.resize(np.array(values), ROWS)
    parts = []
    for place, (part, kind) in enumerate(
        zip(cut(columns("b", "two", x=whole), 20, 40), types, strict=True)
    ):
        x = part.column("x").cast(pa.float32())
        x = pa.nulls(part.num_rows) if kind == pa.null() else x.cast(kind)
        part = part.set_column(part.column_names.index("x"), "x", x)
        parts.append(part.select(["two", "x", "b"] if place == 1 else ["x", "b", "two"]))
    agree(parts, "two", missing="skip", size=9)


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.int8(), pa.bool_(), pa.string_view(), "dictionary"]
)
def test_categories_of_any_type(kind):
    codes = pa.array(np.arange(ROWS) % (2 if kind == pa.bool_() else 4))
    if kind == "dictionary":
        codes = codes.cast(pa.string()).dictionary_encode()
    else:
        codes = codes.cast(pa.string() if kind == pa.string_view() else kind).cast(kind)
    parts = cut(columns("a", "two", c=codes), 20)
    if kind == pa.bool_():  # a part with integers
        parts[1] = parts[1].set_column(2, "c", parts[1].column("c").cast(pa.int8()))
    agree(parts, "two", categorical=["c"], l2=0.0)


def test_rare_categories_and_those_of_one_part():
    table = pa.table(columns("a", "k", "two"))
    odd = pa.table(
        {"a": [0.5, 1.5, -1.0], "k": ["odd", "odder", "red"], "two": ["yes", "no", "no"]}
    )
    for min_count in (1, 2, 3, 1000):
        found = agree([table, odd, table], "two", min_count=min_count)
        assert (None in found.model.categories["k"]) == (min_count > 1)
        agree([table, odd, table], "two", min_count=min_count, l2=0.0)


BAD_COLUMNS = {
    "infinite": ({"a": [np.inf, *COLUMNS["a"][1:]]}, {}),
    "infinite at the end": ({"b": [*COLUMNS["b"][1:], -np.inf]}, {"missing": "skip"}),
    "a negative weight": ({"w": [-1, *COLUMNS["w"][1:]]}, {"weight": "w"}),
    "no weight": ({"w": [0] * ROWS}, {"weight": "w"}),
    "little weight": ({"w": [1e-300] * ROWS}, {"weight": "w"}),
    "an infinite offset": ({"o": [*COLUMNS["o"][1:], np.inf]}, {"offset": "o"}),
    "two offsets": ({"o": COLUMNS["o"], "p": COLUMNS["p"]}, {"offset": ["o", "p"]}),
    "identifiers": ({"k": [f"{row} x" for row in range(ROWS)]}, {}),
    "dates": ({"k": ["2024-01-01", "2024-01-02"] * 30}, {}),
    "an empty column": ({"e": [None] * ROWS}, {"missing": "skip"}),
    "a feature twice": ({"k=red": COLUMNS["a"]}, {}),
    "nothing that varies": ({"a": None, "b": None, "k": ["x"] * ROWS}, {"l2": 0.0}),
    "a penalty of another length": ({}, {"l2": [1.0, 2.0]}),
    "a negative penalty": ({}, {"l2": -1.0}),
    "a start of another model": ({}, {"start": fl.LogisticModel([1.0], 0.0)}),
    "separation": ({"a": (2.0 * Z).tolist()}, {"l2": 0.0, "on_separation": "raise"}),
    "too large": ({"a": [1e308, -1e308] * 30}, {"intercept": False}),
}


@pytest.mark.parametrize("name", BAD_COLUMNS)
def test_columns_that_are_no_features_give_the_same_error(name):
    changed, options = BAD_COLUMNS[name]
    given = columns("a", "b", "k", "two") | changed
    table = pa.table({name: values for name, values in given.items() if values is not None})
    assert isinstance(agree(cut(table, 20, 21), "two", **options), str)


def test_tables_without_rows():
    table = pa.table(columns("a", "k", "two"))
    assert agree([table.slice(0, 0)], "two") == "ValueError: rows: has no rows"
    empty = pa.table({"a": [1.0, None], "k": [None, "a"], "two": ["yes", "no"]})
    message = "ValueError: rows: has no rows without a missing value"
    assert agree([empty], "two", missing="skip") == message
    agree([table.slice(0, 0), table, table.slice(0, 0)], "two")


# Weights, offsets, centres ----------------------------------------------------------------


def test_weights_of_0_for_whole_batches():
    weight = [0.0] * 20 + [1.5] * 20 + [0.0] * 20
    streamed = agree(cut(columns("a", "b", "two", w=weight), 20, 40), "two", weight="w")
    assert streamed.model.total_weight == 30.0


def test_weights_of_all_sizes():
    weight = np.resize([1e-300, 1.0, 1e300, 0.0, 1e150], ROWS).tolist()
    agree(cut(columns("a", "b", "two", w=weight), 20, 40), "two", weight="w", l2=1e290)
    tiny = np.resize([5e-324, 1e-200, 1e-250], ROWS).tolist()
    agree(cut(columns("a", "b", "two", w=tiny), 20, 40), "two", weight="w", l2=1e-210)


def test_an_infinite_sum_of_weights():
    table = parts_table(cut(columns("a", "two", w=[1e308] * ROWS), 20, 40))
    whole, streamed = fit_both(table, "two", weight="w")
    message = "ValueError: rows: weight must have a finite sum; its largest is "
    assert whole == f"{message}1e+308"
    assert streamed.startswith(message)


@pytest.mark.parametrize("offset", ["o", ["o", "p", "q"]], ids=["1", "3"])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_offsets(offset, shift):
    names = [offset] if isinstance(offset, str) else offset
    label = "two" if isinstance(offset, str) else "three"
    shifted = {name: (np.array(COLUMNS[name]) + shift).tolist() for name in names}
    table = columns("a", "k", "w", label) | shifted
    agree(cut(table, 7, 30), label, offset=offset, weight="w")
    agree(cut(table, 7, 30), label, offset=offset, weight="w", intercept=shift > 0.0)


def test_most_offsets_decide_the_label():
    offset = np.where(np.array(COLUMNS["two"]) == "yes", 30.0, -30.0)
    offset[::6] = 0.0
    agree(cut(columns("a", "b", "two", o=offset), 20), "two", offset="o")


@pytest.mark.parametrize("text", [{}, {"k": TEXTS}], ids=["columns", "csr"])
def test_columns_far_from_0(text):
    seconds = 1.7e9 + 3600 * X[:, 2]
    table = columns("a", "two", time=seconds) | text
    agree(cut(table, 20), "two", l2=0.0)
    agree(cut(table | {"constant": [7.0] * ROWS}, 20), "two", l2=1e-6)


def test_timestamps_as_integers_in_one_part():
    seconds = np.round(1.7e9 + 3600 * X[:, 2])
    parts = cut(columns("a", "two", time=seconds), 20, 40)
    parts[1] = parts[1].set_column(2, "time", parts[1].column("time").cast(pa.int64()))
    agree(parts, "two", l2=0.0)


# Options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["newton", "sampled-newton", "lbfgs", "gradient-descent"])
def test_every_solver(solver):
    tol = 1e-8 if solver == "gradient-descent" else 1e-14
    table = parts_table(cut(columns("a", "b", "hard"), 20, 40))
    whole, streamed = fit_both(table, "hard", solver=solver, tol=tol)
    assert_same(whole, streamed, rtol=1e-5 if solver == "gradient-descent" else 1e-9)


@pytest.mark.parametrize("label", ["two", "three"])
def test_a_start(label):
    parts = cut(columns("a", "k", label), 20)
    first = agree(parts, label, l2=2.0).model
    again = agree(parts, label, l2=2.0, start=first).model
    assert again.passes <= 3
    agree(parts, label, start=first, offset=None, l2=0.5)
    other = fl.LogisticModel(first.coef, first.intercept, first.feature_names)
    agree(parts, label, start=other)


@pytest.mark.parametrize("max_passes", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("solver", ["auto", "sampled-newton"])
def test_few_passes(monkeypatch, max_passes, solver):
    if solver == "sampled-newton" and max_passes < 4:
        return
    reads, run = [], TablePartitions.run
    monkeypatch.setattr(
        TablePartitions, "run", lambda self, *args: reads.append(args) or run(self, *args)
    )
    table = parts_table(cut(columns("a", "b", "o", "two"), 20))
    whole, streamed = fit_both(table, "two", offset="o", max_passes=max_passes, solver=solver)
    # The first read counts, and the model needs another one.
    assert streamed.model.passes == len(reads) <= max(max_passes, 2)
    assert whole.model.converged or not streamed.model.converged


def test_many_rows_with_a_rare_category(monkeypatch):
    monkeypatch.setattr("fastlogit.training.partitions.contract.Partitions.sample_bytes", 1 << 20)
    rng = np.random.default_rng(1)
    rows = 60_000
    text = np.where(rng.random(rows) < 1e-3, "rare", rng.choice(["a", "b"], rows))
    x, weight = rng.normal(size=rows), rng.exponential(size=rows) * (rng.random(rows) < 0.9)
    t = x + 2.0 * (text == "rare") + rng.logistic(size=rows) > 1.0
    table = pa.table({"x": x, "k": text, "w": weight, "t": t})
    options = {"weight": "w", "solver": "sampled-newton", "tol": 1e-10}
    whole, streamed = fit_both(parts_table(cut(table, 25_000), 4096), "t", **options)
    assert_same(whole, streamed, rtol=1e-7)
    assert streamed.model.converged


# Arrays and LIBSVM ------------------------------------------------------------------------


def test_columns_of_an_array_by_their_positions():
    array = np.column_stack([X, COLUMNS["w"], COLUMNS["hard"], np.digitize(Z, [-1.0, 1.0])])
    for size in (1, 7, ROWS):
        agree(matrix_table(array[:, :5], size), -1, weight=3)
        agree(matrix_table(array[:, [0, 1, 2, 5]], size), 3, l2=0.0)
    agree(matrix_table(array[:, :5].astype(np.float32), 7), "4", offset=1)
    array[30, 1] = np.nan
    assert agree(matrix_table(array[:, :5], 7), 4, missing="skip").skipped == 1
    assert "column 1 has 1 missing value in 60 rows" in agree(matrix_table(array[:, :5], 7), 4)


def libsvm():
    matrix = sparse.random_array((ROWS, 6), density=0.4, format="csr", rng=RNG)
    return matrix + sparse.csr_array(np.eye(ROWS, 6))


@pytest.mark.parametrize("labels", [(-1.0, 1.0), (0.0, 1.0), (1.0, 2.0, 3.0), (0.25, 0.5, 1.0)])
def test_matrices_with_labels_besides(labels):
    matrix = libsvm()
    t = np.array(labels)[np.digitize(Z, [-1.0, 1.0][: len(labels) - 1])]
    for size in (7, ROWS):
        agree(matrix_table(matrix, size, t))
    assert "missing='skip'" in agree(matrix_table(matrix, 7, np.where(t == t[20], np.nan, t)))
    t[20] = np.nan
    matrix.data[3] = np.nan
    assert agree(matrix_table(matrix, 7, t), missing="skip").skipped == 2
    assert re.search("row [0-9]+ has a missing value", agree(matrix_table(matrix, 7, t)))
    assert "has a missing value" in agree(matrix_table(matrix, 7, np.full(ROWS, np.nan)))
    matrix.data[-1] = np.inf
    assert "every value must be finite" in agree(matrix_table(matrix, 7, t), missing="skip")


def test_a_column_of_a_sparse_matrix_that_is_far_from_0():
    matrix = libsvm().tolil()
    matrix[:, 0] = (1e6 + X[:, 0])[:, np.newaxis]
    matrix[5, 0] = 0.0
    t = (Z > 0.0) * 1.0
    whole, streamed = fit_both(matrix_table(sparse.csr_array(matrix), 7, t), l2=0.5, tol=1e-8)
    assert_same(whole, streamed, rtol=1e-6)
    assert streamed.model.converged


def test_an_array_with_many_labels_has_no_notes():
    t = np.resize(np.arange(120.0), 1200)
    array = np.column_stack([np.random.default_rng(1).normal(size=1200), t])
    assert agree(matrix_table(array, 500), 1, max_passes=1).notes == ()
