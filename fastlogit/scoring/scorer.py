"""Turn a batch of a table into output columns: scores, and the columns that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit import classes, elementwise
from fastlogit.core import checks
from fastlogit.core.arrow import as_type, from_numpy, string_array
from fastlogit.models import predictions
from fastlogit.models.fields import repeated
from fastlogit.scoring.model_columns import ModelColumns, without_score
from fastlogit.tables.errors import errors_naming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Batch, Columns, Table

Output = Literal["probability", "logit", "label", "log-probability", "label-probability"]
OUTPUTS: tuple[Output, ...] = get_args(Output)
# Outputs with one column for any number of classes.
_SINGLE = ("label", "label-probability")


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
        Values that belong to no category of the model.
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
        self.threshold = predictions.checked_threshold(threshold, model.classes)
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
        columns = _output_columns(self.outputs, model.classes)
        self.names = _output_names(names, list(columns), keep)
        self.classes = _class_array(model.classes)
        self.schema = self._schema(kept, list(columns.values()))

    def _schema(self, kept: Sequence[int], outputs: Sequence[Output]) -> Any:
        """The schema of the kept columns, then the outputs."""
        import pyarrow as pa

        fields = [self.table.arrow_field(position) for position in kept]
        for name, output in zip(self.names, outputs, strict=True):
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
        count = len(z)
        if self.features.missing == "skip" and (absent := without_score(z)).any():
            skipped = np.flatnonzero(absent) + batch.first
            there = np.flatnonzero(~absent)
            z, kept = z[there], [column.take(from_numpy(there)) for column in kept]
        columns = [column for one in self.outputs for column in self._output(one, z)]
        rows = pa.record_batch([*kept, *columns], schema=self.schema)
        return ScoredBatch(rows, skipped, count, batch.file, unknown, batch.bytes_read)

    def _kept(self, column: Any, field: Any, batch: Batch) -> Any:
        with errors_naming(f"{batch.file}: column {checks.shown(field.name)} cannot be kept"):
            return as_type(column, field.type)

    def _output(self, output: Output, z: NDArray[np.float64]) -> list[Any]:
        """The columns of an output, of logits (n,) or (n, K)."""
        if output in _SINGLE:
            numbers = predictions.class_numbers(z, self.threshold, 1)
            if output == "label":
                return [self.classes.take(from_numpy(numbers, numbers >= 0))]
            p = predictions.probabilities(z, 1)  # NaN in all classes of a row without a label
            return [from_numpy(np.take_along_axis(p, numbers[:, np.newaxis], axis=1)[:, 0])]
        scores = z
        if output == "probability":
            scores = (elementwise.sigmoid if z.ndim == 1 else classes.softmax)(z, threads=1)
        elif output == "log-probability":
            scores = (elementwise.log_sigmoid if z.ndim == 1 else classes.log_softmax)(z, threads=1)
        return [from_numpy(column) for column in np.ascontiguousarray(np.atleast_2d(scores.T))]


def _output_columns(outputs: Sequence[Output], labels: Sequence[Any]) -> dict[str, Output]:
    """The default names of the columns, each with its output."""
    columns: dict[str, Output] = {}
    for output in outputs:
        name = output.replace("-", "_")
        one = len(labels) == 2 or output in _SINGLE
        columns |= {name: output} if one else {f"{name}_{label}": output for label in labels}
    return columns


def _class_array(labels: Sequence[Any]) -> Any:
    """The classes as an Arrow array."""
    import pyarrow as pa

    if isinstance(labels[0], str):
        return string_array(labels)
    if isinstance(labels[0], bool):
        return pa.concat_arrays([pa.repeat(label, 1) for label in labels])
    return from_numpy(np.array(labels))


def _checked_outputs(output: Output | Sequence[Output]) -> tuple[Output, ...]:
    several = isinstance(output, Sequence) and not isinstance(output, str | bytes)
    given: tuple[Any, ...] = tuple(output) if several else (output,)
    outputs: tuple[Output, ...] = tuple(checks.choice(one, "output", OUTPUTS) for one in given)
    if len(set(outputs)) != max(1, len(outputs)):
        raise ValueError(f"output must be one or more different ones; got {outputs}")
    return outputs


def _output_names(
    names: str | Sequence[str] | None, default: Sequence[str], keep: Sequence[str]
) -> tuple[str, ...]:
    """Names of the output columns; they must differ from each other and from the kept ones."""
    names = default if names is None else names
    names = (names,) if isinstance(names, str) else tuple(checks.names(names, "names"))
    if len(names) != len(default):
        raise ValueError(
            f"names must have one name for each column of the output, {len(default)}; got "
            f"{len(names)}"
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
