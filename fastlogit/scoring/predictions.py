"""What is written of each batch: what a model says of its rows, beside columns that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from fastlogit import elementwise
from fastlogit.core import checks
from fastlogit.core.arrow import array_of, as_type, texts_of
from fastlogit.scoring.logits import Columns
from fastlogit.tables.table import UNTYPED, checked_names, naming

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.table import Batch, Table

Output = Literal["probability", "logit", "label", "log-probability"]
OUTPUTS: tuple[Output, ...] = get_args(Output)


class Part(NamedTuple):
    """What comes of some rows: a record batch, and the numbers of the rows that are not in it."""

    rows: Any
    skipped: NDArray[np.int64]
    # How many were read, and of which file.
    read: int
    file: str
    # How many values are none of the model's categories.
    unknown: int
    # As of the batch.
    position: int | None = None


class Predictions:
    """Checked options; `of` applies them to a batch of a table.

    Attributes
    ----------
    columns : list of int
        Positions of the columns of the table to read: first the features, then what is kept.
    text : set of int
        Those of them that are only carried over.
    schema : pyarrow.Schema
        Of all parts.
    """

    def __init__(
        self,
        model: LogisticModel,
        table: Table,
        *,
        output: Output | Sequence[Output] = "probability",
        names: str | Sequence[str] | None = None,
        keep: Sequence[str] = (),
        offset: str | int | None = None,
        threshold: float = 0.5,
        missing: Missing = "error",
        unknown: Unknown = "error",
    ) -> None:
        import pyarrow as pa

        self.outputs = _checked_outputs(output)
        self.threshold = checks.probability(threshold, "threshold")
        self.model, self.table = model, table
        self.features = Columns(
            model, table, offset=offset, missing=missing, unknown=unknown, threads=1
        )
        features = self.features.positions
        keep = checked_names(keep, "keep")
        kept = _kept(table, keep)
        others = [column for column in kept if column not in set(features)]
        self.columns = features + others
        # What is kept is read as it is, features as well.
        self.text = self.features.text | set(kept)
        self.kept = [self.columns.index(column) for column in kept]
        self.kept_numbers = [
            place
            for place, column in enumerate(features)
            if column in self.text - self.features.text
        ]
        labels = _labels(model.classes)
        self.names = _checked_names(names, self.outputs, keep)
        self.classes = labels
        self.schema = pa.schema(
            [
                field if table.typed else field.with_metadata(UNTYPED)
                for field in map(table.field, kept)
            ]
            + [
                # A label of NaN is null; all others may be NaN themselves.
                pa.field(name, labels.type)
                if one == "label"
                else pa.field(name, pa.float64(), False)
                for name, one in zip(self.names, self.outputs, strict=True)
            ]
        )

    @property
    def options(self) -> dict[str, Any]:
        """All that the bytes of the result depend on, beside model and table."""
        return {
            "output": self.outputs,
            "names": self.names,
            "kept": [self.columns[column] for column in self.kept],
            "offset": self.features.offset,
            "threshold": self.threshold,
            "missing": self.features.missing,
            "unknown": self.features.unknown,
        }

    def of(self, batch: Batch) -> Part:
        """Score a batch."""
        import pyarrow as pa

        data = batch.data
        X = data.select(range(len(self.features.positions))) if hasattr(data, "schema") else data
        for place in self.kept_numbers:
            numbers = self.table.numbers_of(X.column(place), self.columns[place], batch)
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
            z, kept = z[there], [column.take(array_of(there)) for column in kept]
        columns = [self._output(one, z) for one in self.outputs]
        rows = pa.record_batch([*kept, *columns], schema=self.schema)
        return Part(rows, skipped, count, batch.file, unknown, batch.position)

    def _kept(self, column: Any, field: Any, batch: Batch) -> Any:
        with naming(f"{batch.file}: column {checks.shown(field.name)} cannot be kept"):
            return as_type(column, field.type)

    def _output(self, output: Output, z: NDArray[np.float64]) -> Any:
        if output == "logit":
            return array_of(z)
        if output == "log-probability":
            return array_of(elementwise.log_sigmoid(z, threads=1))
        y = elementwise.sigmoid(z, threads=1)
        if output == "probability":
            return array_of(y)
        return self.classes.take(array_of((y > self.threshold).astype(np.int8), ~np.isnan(y)))


def _labels(classes: tuple[Any, Any]) -> Any:
    """Both classes as an array of Arrow."""
    import pyarrow as pa

    if isinstance(classes[0], str):
        return texts_of(classes)
    if isinstance(classes[0], bool):
        return pa.concat_arrays([pa.repeat(label, 1) for label in classes])
    return array_of(np.array(classes))


def _checked_outputs(output: Output | Sequence[Output]) -> tuple[Output, ...]:
    several = isinstance(output, Sequence) and not isinstance(output, str | bytes)
    given: tuple[Any, ...] = tuple(output) if several else (output,)
    outputs: tuple[Output, ...] = tuple(checks.choice(one, "output", OUTPUTS) for one in given)
    if len(set(outputs)) != max(1, len(outputs)):
        raise ValueError(f"output must have different ones; got {outputs}")
    return outputs


def _checked_names(
    names: str | Sequence[str] | None, outputs: Sequence[Output], keep: Sequence[str]
) -> tuple[str, ...]:
    """Names of the columns of the outputs."""
    if names is None:
        names = [output.replace("-", "_") for output in outputs]
    names = (names,) if isinstance(names, str) else tuple(checked_names(names, "names"))
    if len(names) != len(outputs):
        raise ValueError(
            f"names must have one name for each output, {len(outputs)}; got {len(names)}"
        )
    everything = [*keep, *names]
    if len(set(everything)) != len(everything):
        twice = next(name for name in everything if everything.count(name) > 1)
        raise ValueError(
            f"names of outputs and kept columns must differ; got {checks.shown(twice)} twice"
        )
    return names


def _kept(table: Table, keep: Sequence[str]) -> list[int]:
    if keep and table.names is None:
        raise ValueError(f"{table.name}: has no names of columns, so that none can be kept")
    return table.find(keep)
