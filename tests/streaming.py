"""Tables in batches of any size; trainings on them, in memory and streamed, which must agree."""

from __future__ import annotations

from dataclasses import fields
from unittest import mock

import numpy as np
import pyarrow as pa

from fastlogit.tables.folder import join_tables
from fastlogit.tables.record_batches import split_batches, typed_table
from fastlogit.tables.table import Batch, Table
from fastlogit.training.fit_table import TableOptions, fit_table
from fastlogit.training.options import Options

# Numbers of a model that are found by training; all else must be equal.
_TRAINED = ("coef", "intercept", "variances", "gradient_norm", "mean_log_loss")
_COUNTED = ("passes", "seconds", "history")


def parts_table(parts, size=None):
    """A table of several, each like a file of its own, in batches of at most `size` rows.

    The parts are tables of Arrow or dicts of columns, and may differ in the types of columns.
    """
    parts = [one if isinstance(one, pa.Table) else pa.table(one) for one in parts]
    tables = [_part_table(number, part, size) for number, part in enumerate(parts)]
    return join_tables("rows", tables, {})


def _part_table(number, part, size):
    name = f"rows, part {number}"

    def read(wanted):
        names = [part.schema.names[column] for column in wanted.columns]
        small = wanted._replace(batch_rows=min(wanted.batch_rows, size or part.num_rows or 1))
        yield from split_batches(part.to_batches(), names, name, small)

    return typed_table(name, (), part.schema, part.num_rows, read)


def matrix_table(X, size, labels=None):
    """A table of an array or a CSR matrix, in batches of `size` rows, perhaps with labels."""

    def read(wanted):
        for first in range(0, X.shape[0], min(size, wanted.batch_rows)):
            here = slice(first, first + min(size, wanted.batch_rows))
            yield Batch(X[here], "rows", first, None if labels is None else labels[here])

    dtypes = (X.dtype,) * X.shape[1]
    has_labels = labels is not None
    return Table("rows", None, dtypes, X.shape[0], (), read, has_labels=has_labels)


def fit_both(table, label=None, *, l2=1.0, class_weight=None, start=None, **given):
    """Train in memory and streamed; each result is a `TableFit`, or the text of an error."""
    chosen = {"tol": 1e-14, "threads": 1} | given
    names = {one.name for one in fields(Options)}
    options = Options(**{name: value for name, value in chosen.items() if name in names})
    columns = {name: value for name, value in given.items() if name not in names}
    results = []
    with mock.patch("fastlogit.training.fit_table.open_table", lambda source, **_: source):
        for out_of_core in (False, True):
            asked = TableOptions(label=label, out_of_core=out_of_core, **columns)
            try:
                fitted = fit_table(
                    table, asked, options, l2=l2, class_weight=class_weight, start=start
                )
                results.append(fitted)
            except (TypeError, ValueError) as error:
                results.append(f"{type(error).__name__}: {error}")
    return results


def assert_same(whole, streamed, *, rtol=1e-9):
    """Assert that two trainings have given the same model, warnings and notes, or error."""
    if isinstance(whole, str) or isinstance(streamed, str):
        assert streamed == whole
        return
    assert (streamed.rows, streamed.skipped, streamed.notes) == (
        whole.rows,
        whole.skipped,
        whole.notes,
    )
    np.testing.assert_allclose(streamed.class_weights, whole.class_weights, rtol=1e-12)
    warned = _warned(whole)
    assert _warned(streamed) == warned
    one, other = whole.model, streamed.model
    for field in fields(one):
        name = field.name
        if name in (*_TRAINED, *_COUNTED):
            continue
        assert _shown(getattr(other, name)) == _shown(getattr(one, name)), name
    assert other.passes <= one.passes + 2
    if any("infinite" in text for text in warned):
        return  # there is no optimum
    np.testing.assert_allclose(other.mean_log_loss, one.mean_log_loss, rtol=rtol)
    largest = max(np.abs(one.coef).max(), np.abs(one.intercept).max())
    for name in ("coef", "intercept"):
        np.testing.assert_allclose(
            getattr(other, name), getattr(one, name), rtol=0, atol=rtol * largest, err_msg=name
        )
    assert (one.variances is None) == (other.variances is None)
    if one.variances is not None:
        np.testing.assert_allclose(other.variances, one.variances, rtol=1e-6)


def _warned(result):
    """The warnings of a training, without the digits of a gradient norm."""
    return [str(one).partition(" after ")[0] for one in result.warnings]


def _shown(value):
    """A value as text; a number to 12 digits, as the order of a sum changes the last ones."""
    return f"{value:.11e}" if isinstance(value, float) else repr(value)
