"""The kernels: numbers and arrays in, numbers and arrays out, compiled by Numba.

Most functions exported here take single numbers.  Call them from your own compiled code: a loop
over them vectorises, and float32 stays float32.  Those of K classes, `softmax` and others, take a
row of K logits and put a row of results into an array.

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

A NaN argument gives NaN.  In a ufunc of your own (``@numba.vectorize``), NaN also raises the
floating-point flag "invalid", as any comparison of numbers may.  A probability of 0 or 1 raises
"divide", as ``np.log`` does.  NumPy warns of both; to silence it, call your ufunc within
``np.errstate(invalid="ignore", divide="ignore")``.

Nothing in this package checks its input, starts a thread or opens a file.

==========================  ==================================================================
`functions`, `elementwise`  the table of functions of numbers, and how they are made from it
`logistic`, `exponential`   their mathematics
`float32`                   σ in float32 arithmetic
`multinomial`               functions of a row of K logits, and their mathematics
`ufuncs`                    the same over arrays, as NumPy ufuncs
`sums`                      sums over an array of logits
`class_blocks`              results and sums over many rows of K logits
`class_sums`                their sums over the classes
`passes`                    sums over a matrix X
`layouts`, `families`       how a pass reads X; how the loss depends on the logits
`lanes`, `ieee`             vectors of eight float64; single operations of IEEE 754
`tiles`                     blocks of a matrix in registers
`lane_operators`            arithmetic of these vectors: one source for a number and for eight
`workers`                   how threads wait, and share a loop, without the GIL
`jit`                       how Numba compiles all of these
==========================  ==================================================================
"""

from fastlogit.kernels.elementwise import FUNCTIONS as _FUNCTIONS
from fastlogit.kernels.functions import *  # noqa: F403
from fastlogit.kernels.multinomial import (
    log_softmax,
    log_sum_exp,
    softmax,
    softmax_loss,
    softmax_residual,
)

__all__ = [
    *_FUNCTIONS,
    "log_softmax",
    "log_sum_exp",
    "softmax",
    "softmax_loss",
    "softmax_residual",
]
__all__.sort()
