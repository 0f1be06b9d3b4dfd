"""Scores of rows that an engine holds: record batches of Arrow in, one column out.

Engines tell a missing value, null, from the number NaN, and so do their functions: by default a
null in a row makes its score null, and NaN makes it NaN.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit.core import checks
from fastlogit.core.arrow import numbers
from fastlogit.core.pipeline import map_in_order
from fastlogit.scoring.scorer import OUTPUTS, Scorer
from fastlogit.tables.record_batches import typed_table
from fastlogit.tables.table import Batch
from fastlogit.training.partitions.contract import nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.scoring.scorer import Output
    from fastlogit.tables.table import Wanted

# Treatment of a null among the columns of a row: its score is null or NaN, or it is an error.
Nulls = Literal["null", "nan", "error"]

# Queries pass few different schemas to one function.
_MOST_SCHEMAS = 8


class RowScorer:
    """A model as a function of record batches; columns are found by name, others are ignored.

    Parameters
    ----------
    name : str
        How messages name the rows.
    offset : str or sequence of str, optional
        Names of the columns that are added to the logits.
    missing : {"null", "nan", "error"}
        The score of a row with a null, or an error.
    threads : int
        Most threads that work on the batches of one call.

    Attributes
    ----------
    columns : list of str
        Columns that the rows must have.
    type : pyarrow.DataType
        Type of the scores; a struct if the output has a column for each class.
    """

    def __init__(
        self,
        name: str,
        model: LogisticModel,
        *,
        output: Output = "probability",
        offset: str | Sequence[str] | None = None,
        threshold: float = 0.5,
        missing: Nulls = "null",
        unknown: Unknown = "error",
        threads: int = 1,
    ) -> None:
        import pyarrow as pa

        names, _, text = model.columns
        self.missing = checks.choice(missing, "missing", get_args(Nulls))
        self.name, self.model, self.threads = name, model, threads
        self.options: dict[str, Any] = {
            "output": checks.choice(output, "output", OUTPUTS),
            "offset": offset,
            "threshold": threshold,
            "unknown": unknown,
        }
        offsets = checks.names([offset] if isinstance(offset, str) else offset or (), "offset")
        types = dict.fromkeys([*names, *offsets], pa.float64()) | dict.fromkeys(text, pa.string())
        # The options are checked before there are rows.
        self._prepared = [self._prepare(pa.schema(list(types.items())))]
        self.columns, fields = list(types), list(self._prepared[0].scorer.schema)
        self.type = fields[0].type if len(fields) == 1 else pa.struct(fields)

    def score(self, batches: Sequence[Any]) -> Any:
        """The scores of all rows, a chunked array."""
        import pyarrow as pa

        several = len(batches) > 1 and self.threads > 1
        work = map_in_order(self._score, batches, self.threads) if several else None
        return pa.chunked_array(list(work or map(self._score, batches)), self.type)

    def _score(self, rows: Any) -> Any:
        prepared = self._for_schema(rows.schema)
        data = rows.select(list(prepared.wanted.columns))
        scores = prepared.scorer.score_batch(prepared.batch(data)).rows
        joined = self._joined(scores)
        # A null counts as NaN: if all rows have a score, no row has a null.
        if self.missing == "nan" or not _has_missing(scores.column(0)):
            return joined
        nulls = {
            name: column
            for name, column in zip(data.schema.names, data.columns, strict=True)
            if column.null_count
        }
        if not nulls:
            return joined
        if self.missing == "error":
            raise ValueError(
                f"{self.name}: column {checks.shown(next(iter(nulls)))} must have no nulls "
                "(missing='null' scores such rows as null, missing='nan' as NaN)"
            )
        from pyarrow import compute

        valid = reduce(compute.and_, (column.is_valid() for column in nulls.values()))
        return compute.if_else(valid, joined, None)

    def _joined(self, scores: Any) -> Any:
        """The columns of an output as one array."""
        import pyarrow as pa

        if scores.num_columns == 1:
            return scores.column(0)
        return pa.StructArray.from_arrays(scores.columns, fields=list(self.type))

    def _for_schema(self, schema: Any) -> _Prepared:
        for prepared in self._prepared:
            if prepared.schema.equals(schema):
                return prepared
        prepared = self._prepare(schema)
        # One assignment, as several threads may be here.
        self._prepared = [prepared, *self._prepared[: _MOST_SCHEMAS - 1]]
        return prepared

    def _prepare(self, schema: Any) -> _Prepared:
        import pyarrow as pa

        table = typed_table(self.name, (), schema, None, nothing)
        # Nulls count as NaN until the scores are computed.
        scorer = Scorer(self.model, table, missing="nan", **self.options)
        wanted = table.want(scorer.columns, text=scorer.text)
        types = schema.types  # a new list at each access
        read = {types[column] for column in wanted.columns if column not in wanted.text}
        as_they_are = all(numbers(pa.array([], kind)).type == kind for kind in read)
        return _Prepared(schema, scorer, wanted, as_they_are)


class _Prepared(NamedTuple):
    """A scorer for rows of one schema."""

    schema: Any
    scorer: Scorer
    wanted: Wanted
    # Whether no column must be converted, which would take as long as scoring a few thousand rows.
    as_they_are: bool

    def batch(self, data: Any) -> Batch:
        """The wanted columns as a batch of numbers and texts."""
        batch = Batch(data, self.scorer.table.name, 0)
        return batch if self.as_they_are else self.scorer.table.converted(batch, self.wanted)


def _has_missing(column: Any) -> bool:
    """Whether scores have a null or a NaN."""
    import pyarrow as pa

    is_float = pa.types.is_floating(column.type)
    return bool(column.null_count or (is_float and np.isnan(column.to_numpy()).any()))
