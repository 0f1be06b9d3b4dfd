"""Families: the terms of the loss as functions of the logits, and their contract.

A family says how the loss of a row depends on its logits.  It owns everything that depends on the
number of outputs, K: the binomial family has one logit for each row, a softmax family one for each
class.

A family is an empty named tuple class, by which compiled code chooses, and a module of functions.
:data:`MODULES` lists them all.  From it :func:`jit.by_class` makes the functions below.

============================================================  =====================================
``outputs(family, coef)``                                     K
``add_constants(family, z, first, rows, intercept, offset)``  z += intercept + offset
``put_logits(family, z, first, rows, out)``                   out = z
``put_probabilities(family, z, first, rows, float32, out)``   out = probabilities
``differentiate(family, z, t, weight, float32, first, rows,   losses, and their derivatives by z
losses, slopes)``
``prepare_curvature(family, z, rows)``                        z = what `put_curvature` reads
``put_curvature(family, k, other, z, weight, first, rows,     second derivatives by two logits
curvatures)``
============================================================  =====================================

`z` : float64 (K + `SCRATCH`, rows rounded up to 8)
    Logits of a block, one row for each output, and scratch memory.  `add_constants` completes what
    ``X @ coef.T`` has put there.  `put_probabilities` may overwrite the logits, as no other result
    is then wanted.
`first`, `rows`
    The block: rows `first` to ``first + rows`` of `offset`, `t`, `weight` and `out`.
`intercept` : float64 (K,)
`offset`, `t`, `weight` : array, or None for `offset` and `weight`
    Of any real dtype, with an element (or a row) for each row of X.
`float32` : True or None
    True if terms need only a relative error of 2**-30, as X and the coefficients are float32.
`losses` : float64 (rows rounded up to 8,)
`slopes` : float64 (K, rows rounded up to 8)
`curvatures` : float64 (rows rounded up to 8,)
    ∂²loss / ∂z_k ∂z_other of each row.

The functions must keep these rules:

- ``outputs`` returns a constant where the family has one, so that the compiler drops the loops over
  outputs.
- ``differentiate`` returns False if a target is not valid.  To check this beforehand would mean
  reading `t` twice.
- ``losses``, ``slopes`` and ``curvatures`` are multiplied by `weight`; a weight of 0 makes even NaN
  and infinities 0.  They end with zeros up to a multiple of 8.
- All are :func:`jit.inner` functions.

To add a family, write its module and list its class here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastlogit.kernels import jit
from fastlogit.kernels.families import binomial, softmax
from fastlogit.kernels.families.binomial import Binomial as Binomial
from fastlogit.kernels.families.softmax import SCRATCH as SCRATCH
from fastlogit.kernels.families.softmax import Softmax as Softmax

if TYPE_CHECKING:
    from types import ModuleType


MODULES: dict[type, ModuleType] = {Binomial: binomial, Softmax: softmax}


def _by_family(name: str) -> Any:
    return jit.by_class(lambda family: getattr(MODULES[family], name))


def by_outputs(one: Any, several: Any) -> Any:
    """Join two `inner` functions: one for families of one output, one for families of several.

    So a pass of one output does not compile the code of the other.
    """
    return jit.by_class(lambda family: one if family is Binomial else several)


outputs = _by_family("outputs")
add_constants = _by_family("add_constants")
put_logits = _by_family("put_logits")
put_probabilities = _by_family("put_probabilities")
differentiate = _by_family("differentiate")
prepare_curvature = _by_family("prepare_curvature")
put_curvature = _by_family("put_curvature")
