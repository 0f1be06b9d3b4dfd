"""The feature matrix X: every kind that the kernels can read, in place.

==================================================  ============================================
a NumPy array, row-major, of any dtype but float16  :mod:`fastlogit.matrix.rows`
any other NumPy array                               :mod:`fastlogit.matrix.columns`
a table: Arrow, Polars, pandas, a dict of columns   :mod:`fastlogit.matrix.table`, then columns
a CSR matrix or array of SciPy                      :mod:`fastlogit.matrix.csr`
==================================================  ============================================

:func:`as_matrix` chooses.  Each kind is a subclass of :class:`fastlogit.matrix.base.Matrix`, whose
docstrings are the contract.  :mod:`passes` reads any of them on several threads, :mod:`centring`
chooses what to subtract from columns, and :mod:`onehot` makes a CSR matrix of text columns.  Few
rows of an array take a shorter way: :mod:`short`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import checks
from fastlogit.matrix import columns, csr, rows, table
from fastlogit.matrix.base import Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing

__all__ = ["Matrix", "as_matrix"]


def as_matrix(X: Any, missing: Missing = "error") -> Matrix:
    """Check X and return the matrix by which the kernels read it.

    Parameters
    ----------
    X : array_like (n, d), CSR matrix, table, mapping from names to columns, or Matrix
    missing : {"error", "nan"}
        Whether Arrow's nulls are an error or become NaN.
    """
    checks.missing(missing, ("error", "nan"))
    if type(X) is np.ndarray:  # first, as short calls count
        return _array_matrix(X)
    if isinstance(X, Matrix):
        return X
    X = table.in_memory(X)
    if hasattr(type(X), "tocsr"):  # of the class, as a data frame may have a column "tocsr"
        return csr.from_scipy(X)
    if isinstance(X, Mapping):
        return table.from_mapping(X, missing)
    return table.from_frame(X, missing) if table.is_frame(X) else _array_matrix(X)


def _array_matrix(X: Any) -> Matrix:
    array: NDArray[Any] = checks.real_array(X, "X", 2, float16=True)
    by_rows = array.strides[1] == array.itemsize or array.shape[1] == 1
    if by_rows and array.dtype != np.float16:
        return rows.from_array(array)
    return columns.from_array(array)
