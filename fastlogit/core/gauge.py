"""The gauge of K classes: a number that is added to a parameter of every class changes no loss.

So a Hessian has no curvature in these directions, and only differences between classes have
standard errors.  Parameters are ordered as :class:`fastlogit.training.family.Family` says: the K d
coefficients, class by class, and then the K intercepts, if there are some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastlogit.core.linalg import SquareMatrix, Vector


def without(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the classes along the first axis, moved to a sum of 0."""
    moved: NDArray[np.float64] = values - values.mean(axis=0)
    return moved


def fix(hessian: SquareMatrix, K: int, d: int, is_penalised: NDArray[np.bool_]) -> SquareMatrix:
    """A Hessian with curvature along the gauge; the Hessian itself for two classes (K = 1).

    A gradient has no component along the gauge.  So Newton steps differ along it alone, and what
    is still singular is so because of the data.

    To the elements of one column, c u uᵀ is added, where c is the sum of its curvatures.  With a
    penalty on the column, all elements of u are 1 / K, as steps must not leave the gauge of the
    optimum.  Without, u has the classes' shares of the curvature.  After scaling to a diagonal of
    ones, the gauge is an eigenvector, so rounding errors along it do not enter other directions.
    Then a class of little curvature, which is rare or has small weights, keeps its digits.
    """
    if K == 1:
        return hessian
    fixed = hessian.copy()
    coef = np.einsum("ijkj->jik", fixed[: K * d, : K * d].reshape(K, d, K, d))
    columns = [*coef, *fixed[np.newaxis, K * d :, K * d :][: len(fixed) - K * d]]
    curvatures = np.array([np.diag(pairs) for pairs in columns])
    totals = curvatures.sum(axis=1)
    is_free = np.append(~is_penalised, True)[: len(columns)] & (totals > 0.0)
    even = np.full(K, 1.0 / K)
    shares = even
    if is_free.any():
        shares = (curvatures[is_free] / totals[is_free, np.newaxis]).mean(axis=0)
    for pairs, total, free in zip(columns, totals, is_free, strict=True):
        u = shares if free else even
        pairs += total * np.outer(u, u)
    return fixed


def parameters(K: int, centres: Vector, *, with_intercept: bool) -> NDArray[np.float64]:
    """Coefficients and intercepts for the original columns, as linear functions of θ.

    `centres` were subtracted from the columns before θ was estimated.

    Returns
    -------
    ndarray (d + 1, d + 1) for K = 1, else (K, d + 1, K (d + 1))
        For each output the coefficients and then the intercept.  Without intercepts d in place of
        d + 1.
    """
    d = centres.size
    rows = np.zeros((K, d + with_intercept, K * (d + with_intercept)))
    for k in range(K):
        coef = slice(k * d, (k + 1) * d)
        rows[k, :d, coef] = np.eye(d)
        if with_intercept:
            rows[k, d, coef] = -centres
            rows[k, d, K * d + k] = 1.0
    return rows[0] if K == 1 else rows


def estimates(K: int, centres: Vector, *, with_intercept: bool) -> NDArray[np.float64]:
    """The numbers that have standard errors: `parameters`; of K classes, their `differences`."""
    functions = parameters(K, centres, with_intercept=with_intercept)
    return functions if K == 1 else differences(functions)


def differences(of_classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of each class but the first, minus those of the first, along the first axis."""
    result: NDArray[np.float64] = of_classes[1:] - of_classes[0]
    return result
