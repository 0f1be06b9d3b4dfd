"""Layouts of X: the functions that a pass needs to read any X, and the contract behind them.

A layout is a class, whose instances are X for the kernels, and a module of functions that read
it.  :data:`MODULES` lists them all.  From it :func:`jit.by_class` makes the functions below, which
compiled code calls for any X.

A pass goes over X block by block.  It multiplies a block, works on the logits of its rows, and
then adds the block's share to sums over the rows.  The block is read from memory by the first of
these steps only, so it must fit into a cache.

=======================================================  ==========================================
``shape(X)``                                             (n, d)
``block_rows(X)``                                        rows of a block, at least 8
``workspace(X)``                                         scratch memory, or None
``partial_size(X)``                                      partial sums that `accumulate` needs
``multiply(X, first, rows, coef, z, work)``              z = X @ coef
``multiply_two(X, first, rows, coef, other, z, other_z,  both products in one reading; optional
work)``
``multiply_outputs(X, first, rows, coef, z, work)``      the products with several rows of `coef`;
                                                         optional
``spreads(X, outputs)``                                  whether blocks of several outputs are
                                                         shorter; optional
``accumulate(X, first, rows, factor, sums, total,        Xᵀ @ factor
work)``
``accumulate_outputs(X, first, rows, factors, sums,      the same for several outputs; optional
total, work)``
``accumulate_squares(X, first, rows, factor, sums,       (X * X)ᵀ @ factor
total, work)``
``add_pairs(X, first, rows, factor, total)``             [X | 1]ᵀ diag(factor) [X | 1]
``pack(X, first, rows, packed, work)``                   X as float64
=======================================================  ==========================================

`first`, `rows`
    The block: rows `first` to ``first + rows`` of X.  It has ``block_rows(X)`` rows, or more for
    several outputs and in a pass with a Hessian; the last block may have fewer.
    `pack` is also called for any other rows.  So scratch memory that depends on the number of rows
    must not be sized by ``block_rows(X)``: read a block in steps of a fixed number of rows.
`work`
    What ``workspace(X)`` returned for this X.
`coef` : float64 (d rounded up to 8,)
    Ends with zeros.  A layout whose matrix `multiplies_float32` is also given float32.
`z` : float64, of at least `rows` rounded up to 8
    `multiply` puts the products into the first `rows` elements, and may overwrite the elements up
    to the next multiple of 8.
`factor` : float64, of at least `rows` rounded up to 8
    One number for each row, then zeros up to a multiple of 8.
`sums` : float64 (``partial_size(X)``,)
    Uncompensated sums of columns.  The pass sets them to 0, and adds them to `total` with their
    rounding errors after every ``passes.SUMMED_ROWS`` rows.
`total` : float64, high and low words
    (2, d + 1) for `accumulate`, (2, m, m) with m = ``passes.hessian_size(d)`` for `add_pairs`.
    Column d belongs to the intercept.

The functions must keep these rules:

- ``block_rows`` depends on X alone, so that no result depends on the number of threads.
- ``partial_size`` is d rounded up to 8, or 0 where `accumulate` adds to ``total[0]`` directly.  In
  that case `accumulate_squares` may use ``total[1]`` as scratch memory, as it is all zeros, and
  must leave it so.
- The order of every sum is fixed by d, the dtypes, the block, and whether there are several
  outputs.  It does not depend on where X lies or on the processor.
- The functions for several outputs take arrays with one more axis, the first: `coef`, `z`,
  `factors`, `sums` and `total` of each output.
- ``multiply`` returns False, without reading further, if the block is damaged (a column index of a
  sparse X outside 0 … d - 1).  Other functions are called only for blocks that it accepted.
- ``accumulate_squares`` multiplies ``(factor * x) * x``, as ``x * x`` may overflow.
- ``add_pairs`` adds to the upper triangle of ``total`` and returns True, or does nothing and
  returns False.  In the second case the pass packs the block and multiplies tiles.
- ``pack`` fills the first d columns of the first `rows` rows of `packed`.
- Elements become float64 before anything is computed, except for products with coefficients of
  float32.  A layout with centres subtracts them here.
- All but ``workspace`` are :func:`jit.inner` or :func:`jit.inlined` functions: they do not allocate
  and do not raise.

To add a layout, write its module, list its class here, and give it a class of
:mod:`fastlogit.matrix`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.kernels import jit
from fastlogit.kernels.layouts import columns, csr, rows

if TYPE_CHECKING:
    from types import ModuleType

MODULES: dict[type, ModuleType] = {
    np.ndarray: rows,
    rows.CentredRows: rows,
    columns.Columns: columns,
    csr.CSR: csr,
    csr.CentredCSR: csr,
}


def _by_layout(name: str, **options: bool) -> Any:
    return jit.by_class(lambda layout: getattr(MODULES[layout], name), **options)


shape = _by_layout("shape")
block_rows = _by_layout("block_rows")
workspace = _by_layout("workspace", allocating=True)
partial_size = _by_layout("partial_size")
multiply = _by_layout("multiply", large=True)


@jit.inner
def _multiply_each(
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[Any],
    z: NDArray[np.float64],
    work: Any,
) -> bool:
    """`multiply_outputs` of a layout that has none of its own."""
    good = True
    for k in range(coef.shape[0]):
        good = good and multiply(X, first, rows, coef[k], z[k], work)
    return good


@jit.inner
def _accumulate_each(
    X: Any,
    first: int,
    rows: int,
    factors: NDArray[np.float64],
    sums: NDArray[np.float64],
    total: NDArray[np.float64],
    work: Any,
) -> None:
    """`accumulate_outputs` of a layout that has none of its own."""
    for k in range(factors.shape[0]):
        accumulate(X, first, rows, factors[k], sums[k], total[k], work)


@jit.inlined
def _never(X: Any, outputs: int) -> bool:
    """`spreads` of a layout that has none of its own."""
    return False


@jit.inner
def _multiply_twice(
    X: Any,
    first: int,
    rows: int,
    coef: NDArray[np.float64],
    other: NDArray[np.float64],
    z: NDArray[np.float64],
    other_z: NDArray[np.float64],
    work: Any,
) -> bool:
    """`multiply_two` of a layout that has none of its own."""
    good = multiply(X, first, rows, coef, z, work)
    return good and multiply(X, first, rows, other, other_z, work)


multiply_outputs = jit.by_class(
    lambda layout: getattr(MODULES[layout], "multiply_outputs", _multiply_each), large=True
)
spreads = jit.by_class(lambda layout: getattr(MODULES[layout], "spreads", _never))
multiply_two = jit.by_class(
    lambda layout: getattr(MODULES[layout], "multiply_two", _multiply_twice), large=True
)
accumulate = _by_layout("accumulate", large=True)
accumulate_outputs = jit.by_class(
    lambda layout: getattr(MODULES[layout], "accumulate_outputs", _accumulate_each), large=True
)
accumulate_squares = _by_layout("accumulate_squares", large=True)
add_pairs = _by_layout("add_pairs", large=True)
pack = _by_layout("pack", large=True)
