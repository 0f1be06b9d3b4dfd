"""Turn a batch of a table into output columns: scores, and the columns that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit import elementwise
from fastlogit.core import checks
from fastlogit.core.arrow import as_type, from_numpy, string_array
from fastlogit.models.fields import repeated
from fastlogit.scoring.model_columns import ModelColumns
from fastlogit.tables.errors import errors_naming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Batch, Columns, Table

Output = Literal["probability", "logit", "label", "log-probability"]
OUTPUTS: tuple[Output, ...] = get_args(Output)


class ScoredBatch(NamedTuple):
    """A batch after scoring.

    Attributes
    ----------
    rows : pyarrow.RecordBatch
        Kept columns and scores.
    skipped : ndarray of int64
        Numbers of the rows that were left out.
    read : int
        Rows read, left out or not.
    file : str
        Where they were read.
    unknown : int
        Values that are not one of the model's categories.
    bytes_read : int, optional
        Bytes of the file read so far, as in the table's batch.
    """

    rows: Any
    skipped: NDArray[np.int64]
    read: int
    file: str
    unknown: int
    bytes_read: int | None = None


class Scorer:
    """Checked options of a scoring run; `score_batch` applies them.

    Attributes
    ----------
    columns : list of int
        Positions of the table's columns to read: the model's, then the others that are kept.
    text : set of int
        Those to read as text.
    schema : pyarrow.Schema
        Schema of the scored batches.
    """

    def __init__(
        self,
        model: LogisticModel,
        table: Table,
        *,
        output: Output | Sequence[Output] = "probability",
        names: str | Sequence[str] | None = None,
        keep: Sequence[str] = (),
        offset: Columns = None,
        threshold: float = 0.5,
        missing: Missing = "error",
        unknown: Unknown = "error",
    ) -> None:
        self.outputs = _checked_outputs(output)
        self.threshold = checks.probability(threshold, "threshold")
        self.model, self.table = model, table
        self.features = ModelColumns(
            model, table, offset=offset, missing=missing, unknown=unknown, threads=1
        )
        features = self.features.positions
        keep = checks.names(keep, "keep")
        kept = _positions(table, keep)
        self.columns = features + [column for column in kept if column not in set(features)]
        # A kept column is written as it was read, even if it is a feature.
        self.text = self.features.text | set(kept)
        self.kept = [self.columns.index(column) for column in kept]
        self.kept_numbers = [
            place
            for place, column in enumerate(features)
            if column in self.text - self.features.text
        ]
        self.names = _output_names(names, self.outputs, keep)
        self.classes = _class_array(model.classes)
        self.schema = self._schema(kept)

    def _schema(self, kept: Sequence[int]) -> Any:
        """The schema of the kept columns, then the outputs."""
        import pyarrow as pa

        fields = [self.table.arrow_field(position) for position in kept]
        for name, output in zip(self.names, self.outputs, strict=True):
            # The label of a row with a score of NaN is null; other outputs are NaN.
            is_label = output == "label"
            fields.append(pa.field(name, self.classes.type if is_label else pa.float64(), is_label))
        return pa.schema(fields)

    @property
    def options(self) -> dict[str, Any]:
        """Everything besides model and table that determines the bytes of the result."""
        return {
            "output": self.outputs,
            "names": self.names,
            "kept": [self.columns[column] for column in self.kept],
            "offset": self.features.offsets or None,
            "threshold": self.threshold,
            "missing": self.features.missing,
            "unknown": self.features.unknown,
        }

    def score_batch(self, batch: Batch) -> ScoredBatch:
        """Score the rows of a batch, or leave them out."""
        import pyarrow as pa

        data = batch.data
        X = data.select(range(len(self.features.positions))) if hasattr(data, "schema") else data
        for place in self.kept_numbers:
            numbers = self.table.parse_numbers(X.column(place), self.columns[place], batch)
            X = X.set_column(place, X.schema.names[place], numbers)
        z, unknown = self.features.logits(X, batch)
        skipped = np.empty(0, np.int64)
        kept = [
            self._kept(data.column(column), self.schema.field(place), batch)
            for place, column in enumerate(self.kept)
        ]
        count = z.size
        if self.features.missing == "skip" and np.isnan(z).any():
            skipped = np.flatnonzero(np.isnan(z)) + batch.first
            there = np.flatnonzero(~np.isnan(z))
            z, kept = z[there], [column.take(from_numpy(there)) for column in kept]
        columns = [self._output(one, z) for one in self.outputs]
        rows = pa.record_batch([*kept, *columns], schema=self.schema)
        return ScoredBatch(rows, skipped, count, batch.file, unknown, batch.bytes_read)

    def _kept(self, column: Any, field: Any, batch: Batch) -> Any:
        with errors_naming(f"{batch.file}: column {checks.shown(field.name)} cannot be kept"):
            return as_type(column, field.type)

    def _output(self, output: Output, z: NDArray[np.float64]) -> Any:
        if output == "logit":
            return from_numpy(z)
        if output == "log-probability":
            return from_numpy(elementwise.log_sigmoid(z, threads=1))
        y = elementwise.sigmoid(z, threads=1)
        if output == "probability":
            return from_numpy(y)
        return self.classes.take(from_numpy((y > self.threshold).astype(np.int8), ~np.isnan(y)))


def _class_array(classes: tuple[Any, Any]) -> Any:
    """Both classes as an Arrow array."""
    import pyarrow as pa

    if isinstance(classes[0], str):
        return string_array(classes)
    if isinstance(classes[0], bool):
        return pa.concat_arrays([pa.repeat(label, 1) for label in classes])
    return from_numpy(np.array(classes))


def _checked_outputs(output: Output | Sequence[Output]) -> tuple[Output, ...]:
    several = isinstance(output, Sequence) and not isinstance(output, str | bytes)
    given: tuple[Any, ...] = tuple(output) if several else (output,)
    outputs: tuple[Output, ...] = tuple(checks.choice(one, "output", OUTPUTS) for one in given)
    if len(set(outputs)) != max(1, len(outputs)):
        raise ValueError(f"output must be one or more different ones; got {outputs}")
    return outputs


def _output_names(
    names: str | Sequence[str] | None, outputs: Sequence[Output], keep: Sequence[str]
) -> tuple[str, ...]:
    """Names of the output columns; they must differ from each other and from the kept ones."""
    if names is None:
        names = [output.replace("-", "_") for output in outputs]
    names = (names,) if isinstance(names, str) else tuple(checks.names(names, "names"))
    if len(names) != len(outputs):
        raise ValueError(
            f"names must have one name for each output, {len(outputs)}; got {len(names)}"
        )
    everything = [*keep, *names]
    if len(set(everything)) != len(everything):
        twice = checks.shown(repeated(everything))
        raise ValueError(f"names of outputs and kept columns must differ; got {twice} twice")
    return names


def _positions(table: Table, keep: Sequence[str]) -> list[int]:
    """Positions of the kept columns."""
    if keep and table.names is None:
        raise ValueError(f"{table.name}: has no column names, so keep must be empty")
    return table.find(keep)
