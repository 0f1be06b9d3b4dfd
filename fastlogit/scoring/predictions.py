"""What is written of each batch: what a model says of its rows, beside columns that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex, get_args

import numpy as np

from fastlogit import arrays, elementwise
from fastlogit.scoring.logits import Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.model import LogisticModel
    from fastlogit.onehot import Unknown
    from fastlogit.scoring.logits import Missing
    from fastlogit.scoring.table import Batch, Table

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
        threshold: float = 0.5,
        missing: Missing = "error",
        unknown: Unknown = "error",
        threads: SupportsIndex | None = None,
    ) -> None:
        import pyarrow as pa

        self.outputs = _checked_outputs(output)
        self.threshold = arrays.number(threshold, "threshold")
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold must lie between 0 and 1; got {threshold}")
        self.model, self.table, self.threads = model, table, threads
        self.features = Columns(model, table, missing=missing, unknown=unknown, threads=threads)
        features = self.features.positions
        kept = _kept(table, keep)
        others = [column for column in kept if column not in set(features)]
        self.columns = features + others
        self.text = self.features.text | set(others)
        self.kept = [self.columns.index(column) for column in kept]
        labels = pa.array(model.classes)
        kinds = [labels.type if one == "label" else pa.float64() for one in self.outputs]
        self.names = _checked_names(names, self.outputs, keep)
        self.classes = labels
        self.schema = pa.schema(
            [table.field(column) for column in kept]
            + [pa.field(name, kind) for name, kind in zip(self.names, kinds, strict=True)]
        )

    @property
    def options(self) -> dict[str, Any]:
        """All that the bytes of the result depend on, beside model and table."""
        return {
            "output": self.outputs,
            "names": self.names,
            "kept": [self.columns[column] for column in self.kept],
            "threshold": self.threshold,
            "missing": self.features.missing,
            "unknown": self.features.unknown,
        }

    def of(self, batch: Batch) -> Part:
        """Score a batch."""
        import pyarrow as pa

        data = batch.data
        X = data.select(range(len(self.features.positions))) if hasattr(data, "schema") else data
        z, unknown = self.features.logits(X, batch)
        skipped = np.empty(0, np.int64)
        kept = [data.column(column) for column in self.kept]
        count = z.size
        if self.features.missing == "skip" and np.isnan(z).any():
            there = ~np.isnan(z)
            skipped = np.flatnonzero(~there) + batch.first
            z, kept = z[there], [column.filter(pa.array(there)) for column in kept]
        columns = [self._output(one, z) for one in self.outputs]
        rows = pa.record_batch([*kept, *columns], schema=self.schema)
        return Part(rows, skipped, count, batch.file, unknown, batch.position)

    def _output(self, output: Output, z: NDArray[np.float64]) -> Any:
        if output == "logit":
            return z
        if output == "log-probability":
            return elementwise.log_sigmoid(z, threads=self.threads)
        y = elementwise.sigmoid(z, threads=self.threads)
        if output == "probability":
            return y
        import pyarrow as pa

        numbers = pa.array((y > self.threshold).astype(np.int8), mask=np.isnan(y))
        return self.classes.take(numbers)


def _checked_outputs(output: Output | Sequence[Output]) -> tuple[Output, ...]:
    outputs = (output,) if isinstance(output, str) else tuple(output)
    for one in outputs:
        if one not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}; got {one!r}")
    if len(set(outputs)) != max(1, len(outputs)):
        raise ValueError(f"output must have different ones; got {outputs}")
    return outputs


def _checked_names(
    names: str | Sequence[str] | None, outputs: Sequence[Output], keep: Sequence[str]
) -> tuple[str, ...]:
    """Names of the columns of the outputs."""
    if names is None:
        names = [output.replace("-", "_") for output in outputs]
    names = (names,) if isinstance(names, str) else tuple(names)
    if len(names) != len(outputs):
        raise ValueError(
            f"names must have one name for each output, {len(outputs)}; got {len(names)}"
        )
    everything = [*keep, *names]
    if len(set(everything)) != len(everything):
        twice = next(name for name in everything if everything.count(name) > 1)
        raise ValueError(f"names of outputs and kept columns must differ; got {twice!r} twice")
    return names


def _kept(table: Table, keep: Sequence[str]) -> list[int]:
    if isinstance(keep, str):
        raise TypeError(f"keep must be a sequence of names; got {keep!r}")
    if keep and table.names is None:
        raise ValueError(f"{table.name}: has no names of columns, so that none can be kept")
    return table.find(list(keep)) if keep else []
