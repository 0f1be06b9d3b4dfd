"""A real data set for examples, tests and benchmarks: the flights out of New York in 2013.

What its columns mean is told in :mod:`fastlogit.data.make_flights`, which makes the file.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["flights_path"]


def flights_path() -> Path:
    """Where the Parquet file of the flights lies: 336 776 rows, `late` and 48 features.

    Returns
    -------
    pathlib.Path
        A file inside the installed package; pyarrow, for one, can read it.

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> flights_path().name
    'flights.parquet'
    """
    return Path(str(resources.files(__name__) / "flights.parquet"))
