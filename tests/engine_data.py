"""Rows and models that the tests of DuckDB and Polars share, and the scores that they must give."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

import fastlogit as fl

N = 5_000  # DuckDB passes 2,048 rows at a time
RNG = np.random.default_rng(29)
KINDS = ("elm", "oak", "größe", "it's")
# Names that a query must quote, or that Polars takes for patterns.
HOSTILE = [
    'say "hi"',
    "it's",
    "größe",
    "select",
    "x; drop table rows; --",
    "^a.*$",
    "*",
    "a\nb",
    " ",
]


def _with_nulls(values, share=0.1):
    return pa.array(values, mask=RNG.random(len(values)) < share)


_A = RNG.normal(scale=20.0, size=N)
_A[RNG.random(N) < 0.1] = np.nan
# NaN and null in one column; some columns without nulls; another column, which no model has.
ROWS = pa.table(
    {
        "other": pa.array(np.arange(N)),
        "kind": _with_nulls(np.array(KINDS, object)[RNG.integers(0, 4, N)]),
        "b": _with_nulls(RNG.normal(size=N).astype(np.float32)),
        "a": _with_nulls(_A),
        "count": pa.array(RNG.integers(-9, 9, N, np.int8)),
        "flag": _with_nulls(RNG.random(N) < 0.5),
        "exposure": _with_nulls(RNG.normal(size=N)),
    }
)
NUMBERS = ("a", "b", "count", "flag")
TEXT = ("a", *(f"kind={kind}" for kind in KINDS), "count")
CATEGORIES = {"kind": KINDS}
MODELS = {
    "numbers": fl.LogisticModel([0.5, -2.0, 0.125, 1.0], 0.1, NUMBERS, classes=("no", "yes")),
    "text": fl.LogisticModel([0.5, 1.0, -2.0, 0.25, 3.0, 0.125], 0.1, TEXT, categories=CATEGORIES),
    "text alone": fl.LogisticModel(
        [1.0, -2.0, 0.25, 3.0], 0.1, TEXT[1:5], categories=CATEGORIES, classes=(False, True)
    ),
    "three classes": fl.LogisticModel(
        RNG.normal(size=(3, 6)),
        [0.1, 0.0, -0.1],
        TEXT,
        categories=CATEGORIES,
        classes=("Fichte", "elm", 'say "hi"'),
    ),
}
OFFSET = fl.LogisticModel([0.5, -2.0], 0.1, ("a", "b"), with_offset=True)


def columns(model):
    """Names of a model's columns in `ROWS`."""
    numbers, _, text = model.columns
    return [*numbers, *text]


def null(model, rows=ROWS):
    """Which rows have a null in a column of the model."""
    return np.any([rows[name].is_null().to_numpy() for name in columns(model)], axis=0)


def probabilities(model, rows=ROWS, **options):
    """What `predict_proba` gives, (n, 2) or (n, K); NaN for a null."""
    return model.predict_proba(rows.select(columns(model)), missing="nan", **options)


def with_offset():
    """The probabilities of `OFFSET` with the offset "exposure", and which of them are null.

    `fl.score` adds the offset as a column, and `predict_proba` at last, which may round otherwise.
    """
    exposure = ROWS["exposure"]
    batches = fl.score(OFFSET, ROWS, offset="exposure", missing="nan")
    y = pa.Table.from_batches(batches)["probability"].to_numpy()
    near = probabilities(OFFSET, offset=exposure.to_numpy())[:, 1]
    np.testing.assert_allclose(y, near, rtol=1e-13)
    return y, null(OFFSET) | exposure.is_null().to_numpy()


def must_be(found, expected, is_null):
    """Compare a column of Arrow with numbers, bit for bit, and with nulls."""
    np.testing.assert_array_equal(found.is_null().to_numpy(zero_copy_only=False), is_null)
    numbers = found.fill_null(np.nan).to_numpy(zero_copy_only=False)
    assert numbers.dtype == np.float64
    # Of numbers that are equal, only zeros may differ in their bits.
    np.testing.assert_array_equal(numbers, np.where(is_null, np.nan, expected))
