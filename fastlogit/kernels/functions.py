"""The table of elementwise functions, which `fastlogit` and `fastlogit.kernels` export.

A line names a float64 kernel and, if there is a cheaper one, a float32 kernel.  The float64 kernel
gives the name, the arguments, the formula and the derivation.  The line adds the range, the
accuracy and the examples; :func:`fastlogit.kernels.elementwise._define` describes its columns.

To add a function:

1. Write its mathematics in :mod:`fastlogit.kernels.logistic`, or in a module beside it.
2. Add its line here.  Exports, ufunc, docstrings and ``fastlogit warmup`` follow.
3. Write its formula in ``tests/references/multiprecision.py``; the tests of all functions use it.

Every name in this file without a leading underscore is exported.
"""

from fastlogit.kernels import float32 as _float32
from fastlogit.kernels import logistic as _logistic
from fastlogit.kernels.elementwise import binary as _binary
from fastlogit.kernels.elementwise import unary as _unary

sigmoid = _unary(
    float64=_logistic.sigmoid,
    float32=_float32.sigmoid,
    float32_arithmetic=True,
    returns="In [0, 1]; 0 at -inf, 1 at inf.",
    examples="""
        >>> fl.sigmoid([0.0, 2.0, -745.1])
        array([5.00000000e-001, 8.80797078e-001, 4.94065646e-324])
    """,
)

sigmoid_derivative = _unary(
    float64=_logistic.sigmoid_derivative,
    float32=_logistic.sigmoid_derivative_float32,
    returns="In [0, 1/4]; largest at 0, and 0 at -inf and at inf.",
    examples="""
        >>> fl.sigmoid_derivative([0.0, 40.0])
        array([2.50000000e-01, 4.24835426e-18])
    """,
)

log_sigmoid = _unary(
    float64=_logistic.log_sigmoid,
    float32=_logistic.log_sigmoid_float32,
    returns="At most 0, in nats; -inf at -inf, 0 at inf.",
    examples="""
        >>> fl.log_sigmoid([-1000.0, 0.0, 40.0])
        array([-1.00000000e+03, -6.93147181e-01, -4.24835426e-18])
    """,
)

softplus = _unary(
    float64=_logistic.softplus,
    float32=_logistic.softplus_float32,
    returns="At least 0, in nats; 0 at -inf, inf at inf.",
    examples="""
        >>> fl.softplus([-40.0, 0.0, 1000.0])
        array([4.24835426e-18, 6.93147181e-01, 1.00000000e+03])
    """,
)

logit = _unary(
    float64=_logistic.logit,
    float32=_float32.logit,
    float32_arithmetic=True,
    returns="-inf at 0, inf at 1, NaN outside [0, 1].",
    examples="""
        >>> fl.logit([0.0, 0.25, 0.5, 1.0, 1.5])
        array([       -inf, -1.09861229,  0.        ,         inf,         nan])
    """,
)

logistic_loss = _binary(
    float64=_logistic.logistic_loss,
    float32=_logistic.logistic_loss_float32,
    returns="At least 0, in nats; inf for an infinite logit on the wrong side, 0 on the right.",
    accuracy="""
        For other targets it is the same where the loss is at least 1e-290, and at most 1.2 ULP
        below that: there the rounding error of a product with t is too small for a float64.
    """,
    examples="""
        >>> fl.logistic_loss([40.0, 40.0, 0.0], [1, 0, 0.5])
        array([4.24835426e-18, 4.00000000e+01, 6.93147181e-01])
    """,
)

residual = _binary(
    float64=_logistic.residual,
    float32=_logistic.residual_float32,
    returns="In [-1, 1].",
    accuracy="""
        For other targets the error is at most 1.1 ULP plus 2**-58 (float32: 2**-38) times
        (1 - t) sigmoid(z) + t sigmoid(-z), the size of the terms that cancel where t is near
        sigmoid(z).
    """,
    examples="""
        >>> fl.residual([40.0, 0.0], [1, 0])
        array([-4.24835426e-18,  5.00000000e-01])
    """,
)

cross_entropy = _binary(
    float64=_logistic.cross_entropy,
    float32=_logistic.cross_entropy_float32,
    returns="At least 0, in nats; NaN for y outside [0, 1]; 0 times an infinite logarithm is 0.",
    accuracy="""
        For other targets it is the same where the result is at least 1e-290, and at most 1.2 ULP
        below that: there the rounding error of a product with t is too small for a float64.
    """,
    examples="""
        >>> fl.cross_entropy([0.5, 1.0, 1.0], [1, 1, 0])
        array([0.69314718, 0.        ,        inf])
    """,
)

cross_entropy_derivative = _binary(
    float64=_logistic.cross_entropy_derivative,
    float32=_logistic.cross_entropy_derivative_float32,
    returns="""
        Infinite where y is 0 or 1 and t is not equal to y.  1 / (1 - y) for t = 0 and -1 / y for
        t = 1, also where y = t.  NaN for y outside [0, 1].
    """,
    examples="""
        >>> fl.cross_entropy_derivative([0.0, 0.0, 0.5], [0, 1, 1])
        array([  1., -inf,  -2.])
    """,
)
