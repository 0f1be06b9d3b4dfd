"""Parquet files to train on: the rows of a table that might come from practice, and repeated.

30 columns of float32 and a label, 0 or 1.  Each column has a correlation of 0.8 with the one before
it.  Then five of them are made skewed (log-normal), three counts and two flags, and all get scales
from 0.01 to 1,000 and means that differ from 0.  A quarter of the labels is 1.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

COLUMNS, LABEL = 30, "t"
NAMES = [f"x{j}" for j in range(COLUMNS)]
SKEWED, COUNTS, FLAGS = slice(20, 25), slice(25, 28), slice(28, 30)
GROUP_ROWS = 1 << 20
# Different rows; a larger file repeats them.
MOST_ROWS = 10_000_000


class Rows(NamedTuple):
    """Features and labels."""

    X: Any
    t: Any


def draw(rows: int) -> Iterator[Rows]:
    """The rows, in row groups."""
    rng = np.random.default_rng(28)
    coef = rng.normal(scale=0.3, size=COLUMNS).astype(np.float32)
    scales = 10.0 ** rng.permutation(np.linspace(-2.0, 3.0, COLUMNS))
    scales[COUNTS.start :] = 1.0
    shifts = scales * rng.uniform(-3.0, 3.0, COLUMNS) * (scales != 1.0)
    for start in range(0, rows, GROUP_ROWS):
        rng = np.random.default_rng([28, start])
        X = rng.standard_normal((min(GROUP_ROWS, rows - start), COLUMNS), np.float32)
        for j in range(1, COLUMNS):
            X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
        t = (rng.random(len(X)) < special.expit(X @ coef - 1.5)).astype(np.int8)
        X[:, SKEWED] = np.exp(X[:, SKEWED])
        X[:, COUNTS] = np.floor(np.exp(X[:, COUNTS]))
        X[:, FLAGS] = X[:, FLAGS] > 1.0
        yield Rows((X * scales + shifts).astype(np.float32), t)


class Files:
    """Files in a folder, each made when it is wanted first.

    Parameters
    ----------
    folder : Path
        Files that an earlier run has left there are used again.
    rows : int
        Different rows.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows

    def features(self, times: int = 1) -> Path:
        """The rows, repeated."""
        return self._made(f"features-{self.rows}x{times}.parquet", self._draw, times)

    def standardised(self) -> Path:
        """The rows with columns of mean 0 and variance 1."""
        return self._made(f"standardised-{self.rows}.parquet", self._standardise, 1)

    @cached_property
    def moments(self) -> tuple[Any, Any]:
        """Mean and standard deviation of each column."""
        sums = np.zeros((2, COLUMNS))
        centre = next(draw(1000)).X.mean(axis=0, dtype=np.float64)
        for X, _ in draw(self.rows):
            sums += [((X - centre) ** power).sum(axis=0, dtype=np.float64) for power in (1, 2)]
        mean, square = sums / self.rows
        return centre + mean, np.sqrt(square - mean**2)

    def standardised_theta(self, coef: Any, intercept: float) -> tuple[Any, float]:
        """Coefficients and intercept for the standardised columns, from those for the others."""
        mean, deviation = self.moments
        return coef * deviation, intercept + coef @ mean

    def in_memory(self, path: Path) -> Rows:
        """The rows of a file, X row by row."""
        import pyarrow.parquet as pq

        X, t = np.empty((self.rows, COLUMNS), np.float32), np.empty(self.rows, np.int8)
        row = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(GROUP_ROWS):
                here = slice(row, row := row + batch.num_rows)
                X[here], t[here] = row_major(batch)
        return Rows(X, t)

    def _draw(self) -> Iterator[Rows]:
        return draw(self.rows)

    def _standardise(self) -> Iterator[Rows]:
        mean, deviation = self.moments
        for X, t in draw(self.rows):
            yield Rows(((X - mean) / deviation).astype(np.float32), t)

    def _made(self, name: str, rows: Any, times: int) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / name
        if path.exists():
            return path
        must_have_space(self.folder, self.rows * times * (4 * COLUMNS + 1))
        fields = [*((name, pa.float32()) for name in NAMES), (LABEL, pa.int8())]
        schema = pa.schema(fields)
        groups = [pa.table([*np.ascontiguousarray(X.T), t], schema=schema) for X, t in rows()]
        unfinished = path.with_suffix(".unfinished")
        with pq.ParquetWriter(unfinished, schema) as writer:
            for _ in range(times):
                for group in groups:
                    writer.write_table(group, GROUP_ROWS)
        return unfinished.rename(path)


def row_major(batch: Any) -> Rows:
    """A record batch as arrays."""
    columns = batch.select(NAMES).to_tensor(row_major=True).to_numpy()
    return Rows(columns, batch.column(LABEL).to_numpy())


def must_have_space(folder: Path, needed: int) -> None:
    """Exit with a message if a file of this size does not fit on the disk."""
    free = shutil.disk_usage(folder).free
    if 1.1 * needed > free:
        raise SystemExit(
            f"{folder} must have {1.1 * needed / 1e9:.1f} GB free; it has {free / 1e9:.1f} GB "
            "(--rows makes a smaller file, --folder puts it elsewhere)"
        )
