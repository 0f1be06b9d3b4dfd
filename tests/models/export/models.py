"""Models that every export is tested with, each with a table of its columns."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow.parquet as pq

import fastlogit as fl
from fastlogit.core.ulp import ulp
from fastlogit.data import flights_path
from tests.examples import flights as example

ROWS = 2000


def sample(table):
    """Rows without nulls from all over a table."""
    table = table.take(np.arange(0, table.num_rows, table.num_rows // (2 * ROWS)))
    return table.drop_null().slice(0, ROWS)


def columns(table, *dropped):
    """The columns of a table of Arrow: numbers, and text as objects."""
    kept = table.drop_columns(list(dropped))
    return {name: kept[name].to_numpy() for name in kept.column_names}


@cache
def raw():
    return sample(example.raw_table()).drop_columns(["flight"])


@cache
def flights():
    """The flights, whose categories are columns of 0 and 1."""
    table = sample(pq.read_table(flights_path()))
    return fl.fit(table, label="late"), columns(table, "late")


@cache
def text():
    """The flights, with categories of text and a group of rare ones."""
    options = {"categorical": ["month", "weekday"], "min_count": 20}
    model = fl.fit(raw(), label="late", **options)
    assert None in model.categories["carrier"]
    return model, columns(raw(), "late")


@cache
def three_classes():
    """The airport of a flight, also by the text of its airline."""
    model = fl.fit(raw(), label="origin", l2=0.5, ignore=["late", "month", "weekday"])
    return model, columns(raw(), "late", "month", "weekday", "origin")


@cache
def extreme():
    """Logits from -745 to 745."""
    rng = np.random.default_rng(11)
    model = fl.LogisticModel(
        [700.0, -44.0, 1e-3, 1e-300], 0.5, tuple("abcd"), classes=("no", "yes")
    )
    table = {name: rng.uniform(-1.0, 1.0, ROWS) for name in "abcd"}
    table["a"][:4], table["b"][:4] = [1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, 1.0, -1.0]
    return model, table


MODELS = {one.__name__: one for one in (flights, text, three_classes, extreme)}


def tolerance(model, table, exact):
    """Largest error of probabilities, if each d products and sums rounds by half an ULP."""
    size = np.max(np.abs(model.intercept))
    numbers, coef, categories = model.columns
    for name, w in zip(numbers, np.atleast_2d(coef).T, strict=True):
        size = size + np.abs(table[name].astype(float)) * np.abs(w).max()
    for coefficients in categories.values():
        size = size + max(np.abs(w).max() for w in coefficients.values())
    factors = 4 + 2 * (len(table) + 2) * size
    return factors[:, np.newaxis] * ulp(exact)
