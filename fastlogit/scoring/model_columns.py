"""The columns of a table that a model needs, and the logits of a batch of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, SupportsIndex

import numpy as np

from fastlogit import linear
from fastlogit.core import checks
from fastlogit.matrix import onehot
from fastlogit.tables.source import open_table

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Batch, Columns, Table


def open_model_table(
    source: Any,
    model: LogisticModel,
    offset: Columns,
    source_format: str | None,
    csv: CSVOptions | None,
) -> Table:
    """Open a table to score; the model gives the number of columns where the format does not."""
    offsets = 0 if offset is None else _offset_coef(model).shape[-1]
    width = model.coef.shape[-1] + offsets
    return open_table(source, file_format=source_format, width=width, csv=csv)


class Logits(NamedTuple):
    """Logits of the rows of a batch, (n,) or (n, K), NaN where a value is missing."""

    z: NDArray[np.float64]
    # Number of values that belong to no category of the model.
    unknown: int


def without_score(z: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of logits, (n,) or (n, K), have probabilities of NaN."""
    absent: NDArray[np.bool_]
    if z.ndim == 1:
        absent = np.isnan(z)
    elif np.isfinite(z).all():  # ten times faster than row by row
        absent = np.zeros(len(z), np.bool_)
    else:
        absent = ~np.isfinite(z.max(axis=1))
    return absent


class ModelColumns:
    """The columns of a table that a model needs, checked; `logits` reads a batch of them.

    Parameters
    ----------
    offset : str or int, or sequence of these, optional
        Columns to add to the logits, one for each: their names, or their positions.
    without : int, optional
        Position of a column that is not a feature, for tables without names.

    Attributes
    ----------
    positions : list of int
        Positions in the table: columns of numbers, including the offsets, then columns of text.
    offsets : list of int
        Positions of the offsets.
    text : set of int
        Positions of the columns of text.
    """

    def __init__(
        self,
        model: LogisticModel,
        table: Table,
        *,
        offset: Columns = None,
        missing: Missing = "error",
        unknown: Unknown = "error",
        without: int | None = None,
        threads: SupportsIndex | None = None,
    ) -> None:
        self.missing = checks.missing(missing)
        self.unknown = onehot.checked_unknown(unknown)
        self.intercept, self.threads, self.clean_text = model.intercept, threads, table.clean_text
        self.encodings = dict[str, onehot.Encoding]()
        self.offsets = _offset_positions(table, model, offset)
        if model.feature_names is not None and table.names is not None:
            names, coef, text = model.columns
            self.encodings = {name: onehot.encoding(values) for name, values in text.items()}
            found = table.find([*names, *text])
            features, texts = found[: len(names)], found[len(names) :]
            order = np.arange(len(features) + len(self.offsets))
            if both := set(self.offsets) & set(found):
                raise ValueError(
                    f"{table.name}: {table.describe(min(both))} is a feature of the model, so it "
                    "cannot be the offset"
                )
        else:
            if model.categories:
                raise ValueError(f"{table.name}: columns of text must have names, as in the model")
            coef, texts = model.coef, []
            features = _all_columns(table, coef.shape[-1], (without, *self.offsets))
            # All columns of an array are read, in their order.
            order = np.argsort([*features, *self.offsets])
        if self.offsets:
            coef = np.concatenate([coef, _offset_coef(model)], axis=-1)[..., order]
        numbers = np.array([*features, *self.offsets], np.intp)[order].tolist()
        self.coef, self.positions, self.text = coef, [*numbers, *texts], set(texts)
        table.must_hold_numbers(numbers)
        table.must_hold_text(texts)

    def logits(self, data: Any, batch: Batch) -> Logits:
        """Logits of `data`, these columns of a batch; messages name the batch's file and row."""
        if hasattr(data, "schema") and self.missing == "error":
            _refuse_nulls(data, batch)
        offset, unknown = batch.offset, 0
        numbers = data
        if self.encodings:
            count = self.coef.shape[-1]
            numbers = data.select(range(count))
            offset = np.zeros((len(data), *np.shape(self.intercept)))
            for name, column in zip(self.encodings, data.columns[count:], strict=True):
                found = onehot.look_up(self.clean_text(column), self.encodings[name])
                if self.missing == "error" and found.nulls.any():
                    _refuse_null(name, batch.first + int(np.argmax(found.nulls)), batch)
                unknown += self._count_unknown(found, name, column, batch)
                offset += found.logits
            if count == 0:
                return Logits(offset + self.intercept, unknown)
        z = linear.decision(
            numbers,
            self.coef,
            self.intercept,
            offset=offset,
            missing="nan",
            threads=self.threads,
        )
        return Logits(z, unknown)

    def _count_unknown(self, found: onehot.Found, name: str, column: Any, batch: Batch) -> int:
        count = int(np.count_nonzero(found.unknown))
        if count and self.unknown == "error":
            row = int(np.argmax(found.unknown))
            message = onehot.unknown_value(batch.file, name, column[row], batch.first + row)
            raise ValueError(message)
        return count


def _offset_coef(model: LogisticModel) -> NDArray[np.float64]:
    """The coefficients of offsets, as columns of numbers: each is added to one logit."""
    return np.ones(1) if model.coef.ndim == 1 else np.eye(len(model.coef))


def _offset_positions(table: Table, model: LogisticModel, offset: Columns) -> list[int]:
    """Positions of the offsets, one for each logit; empty for None."""
    positions, logits = table.positions(offset, "offset"), _offset_coef(model).shape[-1]
    if len(positions) not in (0, logits) or len(set(positions)) < len(positions):
        plural = " different columns, one for each class" if logits > 1 else " column"
        raise ValueError(
            f"{table.name}: offset must be {logits}{plural}; got {checks.shown(offset)}"
        )
    return positions


def _all_columns(table: Table, count: int, others: Collection[int | None]) -> list[int]:
    """Positions of all columns except an index, the label and the offsets."""
    left_out = {*others, *table.index_columns}
    columns = [column for column in range(len(table.dtypes)) if column not in left_out]
    if len(columns) != count:
        beside = " beside the label and the offset" if any(x is not None for x in others) else ""
        raise ValueError(
            f"{table.name}: must have {count} columns{beside}, as the model has; it has "
            f"{len(columns)}"
        )
    if table.names is not None:
        table.find([table.names[column] for column in columns])  # raises if names repeat
    return columns


def _refuse_nulls(data: Any, batch: Batch) -> None:
    for name, column in zip(data.schema.names, data.columns, strict=True):
        if column.null_count:
            _refuse_null(name, batch.first + int(np.argmin(column.is_valid())), batch)


def _refuse_null(name: str, row: int, batch: Batch) -> NoReturn:
    raise ValueError(
        f"{batch.file}: column {checks.shown(name)} is null in row {row} "
        "(missing='nan' scores such rows as NaN, missing='skip' leaves them out)"
    )
