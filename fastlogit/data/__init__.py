"""A real data set for examples, tests and benchmarks: the flights out of New York in 2013.

:mod:`fastlogit.data.make_flights` makes the file and describes its columns.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["flights_path"]


def flights_path() -> Path:
    """Path of the Parquet file of the flights: 336 776 rows, the label `late` and 48 features.

    Returns
    -------
    pathlib.Path
        A file inside the installed package.

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> flights_path().name
    'flights.parquet'
    """
    return Path(str(resources.files(__name__) / "flights.parquet"))
