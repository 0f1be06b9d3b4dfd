"""Arguments of :mod:`fastlogit.linear`: checked, in the form in which a pass takes them.

The shape of `coef` tells the number of classes: (d,) is for two, (K, d) for K.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.kernels.families import Binomial, Softmax
from fastlogit.matrix import as_matrix
from fastlogit.matrix.passes import LinearModel, PassInput, multiplies_much, with_zeros

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.base import Matrix

    Array = NDArray[Any]

_BINOMIAL, _SOFTMAX = Binomial(), Softmax()
# X of fewer elements is one part, for which the number of threads need not be known.
_FEW_ELEMENTS = 1 << 16


class Arguments(NamedTuple):
    """A model, and the rows that a pass reads."""

    model: LinearModel
    data: PassInput

    @property
    def logits_shape(self) -> tuple[int, ...]:
        """(n,), or (n, K)."""
        n, K = self.data.X.shape[0], self.model.intercept.size
        return (n, K) if isinstance(self.model.family, Softmax) else (n,)


def checked(
    X: Any,
    coef: ArrayLike,
    intercept: ArrayLike,
    weight: ArrayLike | None,
    offset: ArrayLike | None,
    threads: SupportsIndex | None,
    missing: Missing = "error",
) -> Arguments:
    """Check arguments; each t, and the indices of a sparse X, are checked by the pass itself."""
    matrix = as_matrix(X, missing)
    n = matrix.shape[0]
    is_small = not multiplies_much(n, matrix.elements)
    count = _threads.resolve(threads, 1 if is_small and matrix.elements <= _FEW_ELEMENTS else 2)
    model = _model(matrix, coef, intercept)
    weights = checks.weights(weight, n, "row of X", count)
    offsets = None
    if offset is not None:
        is_softmax = isinstance(model.family, Softmax)
        offsets = of_rows(offset, "offset", (n, len(model.coef)) if is_softmax else (n,))
    return Arguments(model, PassInput(matrix, None, weights, offsets, count))


def with_targets(X: Any, t: ArrayLike, coef: ArrayLike, *options: Any) -> Arguments:
    """Check arguments as `checked` does, and the shape of the targets.

    Of K classes it checks probabilities as well.  Other targets are checked while X is read.
    """
    model, data = checked(X, coef, *options)
    n = data.X.shape[0]
    if isinstance(model.family, Softmax):
        targets = checks.class_targets(t, (n, model.intercept.size), while_read=True)
        if targets.dtype == np.float16:  # the kernels have no float16
            targets = targets.astype(np.float32)
    else:
        targets = checks.vector(t, "t", n, "row of X")
    return Arguments(model, data._replace(t=targets))


def direction(
    vector: ArrayLike, arguments: Arguments, *, with_intercept: bool
) -> tuple[Array, Array]:
    """Factors of the columns and of the intercepts, from a vector like the gradient."""
    model, d = arguments.model, arguments.data.X.shape[1]
    K = model.intercept.size
    each = "column of X" if K == 1 else f"column of X and each of {K} classes"
    if with_intercept:
        each += " and one for the intercept" if K == 1 else ", then one for each intercept"
    array = checks.vector(vector, "direction", K * (d + 1 if with_intercept else d), each)
    rows = with_zeros(array[: K * d].reshape(K, d))
    if array.dtype == np.float32:
        rows = rows.astype(model.coef.dtype)
    return rows, array[K * d :].astype(np.float64) if with_intercept else np.zeros(K)


def _model(matrix: Matrix, coef: ArrayLike, intercept: ArrayLike) -> LinearModel:
    d = matrix.shape[1]
    if _ndim(coef) == 2:
        rows = checks.real_array(coef, "coef", 2)
        if rows.shape[1] != d or len(rows) < 2:
            raise ValueError(
                f"coef must have shape ({d},) for two classes, or (K, {d}) for K >= 2 classes; "
                f"got {rows.shape}"
            )
        family: Binomial | Softmax = _SOFTMAX
        if _ndim(intercept) == 0:
            constants = np.full(len(rows), checks.number(intercept, "intercept"))
        else:
            constants = checks.vector(intercept, "intercept", len(rows), "row of coef")
    else:
        family, rows = _BINOMIAL, checks.vector(coef, "coef", d, "column of X")[np.newaxis]
        constants = np.array([checks.number(intercept, "intercept")])
    is_float32 = bool(matrix.dtype == np.asarray(coef).dtype == np.float32)
    padded = with_zeros(rows)
    if is_float32 and matrix.multiplies_float32:
        padded = padded.astype(np.float32)
    return LinearModel(family, padded, constants.astype(np.float64), is_float32)


def _ndim(value: Any) -> int:
    """Number of axes; 1 for rows of different length."""
    try:
        return np.ndim(value)
    except ValueError:
        return 1


def of_rows(value: ArrayLike, name: str, shape: tuple[int, ...]) -> Array:
    """One number for each row, or one for each row and class."""
    if len(shape) == 1:
        return checks.vector(value, name, shape[0], "row of X")
    array = checks.real_array(value, name, 2)
    if array.shape != shape:
        raise ValueError(
            f"{name} must have one row for each row of X and one column for each class, {shape}; "
            f"got {array.shape}"
        )
    return array
