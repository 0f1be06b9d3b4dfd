"""The kernels: numbers and arrays in, numbers and arrays out, compiled by Numba.

The functions exported here take single numbers and can be called from other people's
compiled code; a loop over them vectorises.  float32 stays float32.

>>> import numba
>>> import numpy as np
>>> from fastlogit.kernels import logistic_loss
>>> @numba.njit
... def total_loss(z, t):
...     total = 0.0
...     for i in range(z.size):
...         total += logistic_loss(z[i], t[i])
...     return total
>>> total_loss(np.array([40.0, -1.5]), np.array([1, 0]))
0.2014132779827524

NaN in, NaN out.  In a ufunc of your own (``@numba.vectorize``) NaN also raises the floating-point
flag "invalid", as any comparison of numbers may, and a probability of 0 or 1 "divide", as
``np.log`` does; NumPy warns of both, unless you call the ufunc within
``np.errstate(invalid="ignore", divide="ignore")``.

Nothing in this package checks its input, starts a thread or opens a file.
"""

from fastlogit.kernels.logistic import (
    cross_entropy,
    cross_entropy_derivative,
    log_sigmoid,
    logistic_loss,
    logit,
    residual,
    sigmoid,
    sigmoid_derivative,
    softplus,
)

__all__ = [
    "cross_entropy",
    "cross_entropy_derivative",
    "log_sigmoid",
    "logistic_loss",
    "logit",
    "residual",
    "sigmoid",
    "sigmoid_derivative",
    "softplus",
]
