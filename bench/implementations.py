"""What is compared: one table, and in it each function by fastlogit, by plain NumPy and by peers.

``numpy-naive``
    The formula from the textbook; its tails lose digits or overflow.
``numpy-stable``
    The usual remedy: `numpy.logaddexp` and `numpy.where`.
``numpy-tuned``
    As stable, and faster: one exponential for everything, neither `logaddexp` nor a `where` over
    signs that no processor can predict, ``out=`` wherever it saves an array, and block by block, so
    that what lies between two steps stays in the cache.  Passes over X are products of all of X
    with these between them.

A formula that would be another's twin is left out; where only one makes sense it is
``numpy-stable``.  Other libraries' functions come from `bench.peers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple

import numpy as np

import fastlogit as fl
from bench.data import COLUMNS, argument
from bench.peers import LIBRARIES, Array, Library, buffer

Implementation = Callable[..., Any]

FASTLOGIT = "fastlogit"
NAIVE = "numpy-naive"
STABLE = "numpy-stable"
TUNED = "numpy-tuned"


_FASTLOGIT = Library(
    {},
    writing=frozenset(
        [
            *(getattr(fl, name) for name in fl.elementwise.__all__),
            fl.log_loss_gradient,
            fl.linear.decision,
            fl.linear.probability,
        ]
    ),
    # An option that is given costs a short call as much as the call.
    options=lambda threads: {} if threads is None else {"threads": threads},
)


class Function(NamedTuple):
    """A row of the table: what the arguments are (see `bench.data`), and who computes it."""

    arguments: tuple[str, ...]
    implementations: dict[str, Implementation]
    # How many arrays of length n it returns.
    outputs: int = 1

    def bind(
        self,
        peer: str,
        n: int,
        dtype: str = "float64",
        threads: int | None = None,
        *,
        out: bool = False,
    ) -> Callable[[], Any]:
        """One implementation with arguments of length n, ready to be called.

        `threads` is for peers that can be told, None for all cores; `out` gives those that can
        write into an array one of length n.
        """
        args = [argument(name, n, dtype) for name in self.arguments]
        return self.ready(peer, args, threads, np.empty(n, dtype) if out else None)

    def ready(
        self,
        peer: str,
        args: Sequence[Array],
        threads: int | None = None,
        out: Array | None = None,
    ) -> Callable[[], Any]:
        """As `bind`, with NumPy arrays that are given."""
        compute, library = self.implementations[peer], library_of(peer)
        options = library.options(threads)
        if out is not None and compute in library.writing:
            options["out"] = library.place(library.convert(out))
        return partial(compute, *map(library.convert, args), **options)

    def compute(self, peer: str, *args: Array) -> Array:
        """What one implementation makes of NumPy arrays on one thread, as a NumPy array."""
        return np.asarray(self.ready(peer, args, 1)())

    def elements(self, n: int) -> int:
        """Of its longest argument."""
        return n * COLUMNS if "X" in self.arguments else n

    def bytes_moved(self, n: int, dtype: str) -> int:
        """Arguments and results of length n, each once; what is d long stays in the cache."""
        rows = sum(
            COLUMNS if name == "X" else name not in ("coef", "direction") for name in self.arguments
        )
        return (rows + self.outputs) * n * np.dtype(dtype).itemsize


def library_of(peer: str) -> Library:
    return _FASTLOGIT if peer == FASTLOGIT else LIBRARIES.get(peer, _NUMPY)


def thread_counts(name: str, peer: str) -> tuple[int | None, ...]:
    """On how many threads to measure: 1 and all (None), for who can use more than one.

    Everyone can in a pass, if by way of BLAS.
    """
    return (1, None) if library_of(peer).threaded or name in PASSES else (1,)


def _naive_sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def _stable_sigmoid(z: Array) -> Array:
    u = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, u) / (1 + u)


def _exponential(z: Array, out: Array | None = None) -> Array:
    """e^-|z|."""
    u = np.abs(z, out=out)
    np.negative(u, out=u)
    return np.exp(u, out=u)


def _sigmoid_of(u: Array, z: Array) -> Array:
    """In the place of u = e^-|z|."""
    divisor = 1 + u
    np.maximum(u, z >= 0, out=u)
    return np.divide(u, divisor, out=u)


def _loss_of(u: Array, z: Array, t: Array) -> Array:
    """In the place of u = e^-|z|."""
    np.log1p(u, out=u)
    u += np.maximum(z, 0)
    u -= t * z
    return u


BLOCK = 32_768


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _in_blocks(formula: Implementation) -> Implementation:
    """A formula that makes `out`, or a sum and `out`, of arrays that are as long."""

    @wraps(formula)
    def compute(*args: Array, out: Array | None = None) -> Any:
        n = len(args[0])
        if n <= BLOCK:
            return formula(*args, out=out)
        if out is None:
            out = np.empty_like(args[0])
        found = [formula(*(arg[block] for arg in args), out=out[block]) for block in _blocks(n)]
        return (np.sum([loss for loss, _ in found]), out) if isinstance(found[0], tuple) else out

    return compute


@_in_blocks
def _tuned_sigmoid(z: Array, out: Array | None = None) -> Array:
    return _sigmoid_of(_exponential(z, out), z)


@_in_blocks
def _tuned_sigmoid_derivative(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    divisor = 1 + u
    divisor *= divisor
    return np.divide(u, divisor, out=u)


@_in_blocks
def _tuned_log_sigmoid(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    np.log1p(u, out=u)
    return np.subtract(np.minimum(z, 0), u, out=u)


@_in_blocks
def _tuned_softplus(z: Array, out: Array | None = None) -> Array:
    u = _exponential(z, out)
    np.log1p(u, out=u)
    u += np.maximum(z, 0)
    return u


@_in_blocks
def _tuned_logit(y: Array, out: Array | None = None) -> Array:
    u = np.subtract(1, y, out=out)
    np.divide(y, u, out=u)
    return np.log(u, out=u)


@_in_blocks
def _tuned_logistic_loss(z: Array, t: Array, out: Array | None = None) -> Array:
    return _loss_of(_exponential(z, out), z, t)


@_in_blocks
def _tuned_residual(z: Array, t: Array, out: Array | None = None) -> Array:
    y = _sigmoid_of(_exponential(z, out), z)
    y -= t
    return y


@_in_blocks
def _tuned_cross_entropy(y: Array, t: Array, out: Array | None = None) -> Array:
    u = np.negative(y, out=out)
    np.log1p(u, out=u)
    u *= t - 1
    u -= t * np.log(y)
    return u


@_in_blocks
def _tuned_cross_entropy_derivative(y: Array, t: Array, out: Array | None = None) -> Array:
    u = np.subtract(1, y, out=out)
    u *= y
    return np.divide(y - t, u, out=u)


@_in_blocks
def _tuned_log_loss_gradient(z: Array, t: Array, out: Array | None = None) -> tuple[float, Array]:
    u = _exponential(z, buffer(z.size, z.dtype))
    gradient = np.add(u, 0, out=out)
    gradient = _sigmoid_of(gradient, z)
    gradient -= t
    return np.sum(_loss_of(u, z, t)), gradient


def _tuned_log_loss(z: Array, t: Array) -> float:
    def of_a_block(z: Array, t: Array) -> float:
        return np.sum(_tuned_logistic_loss(z, t, out=buffer(z.size, z.dtype)))

    return np.sum([of_a_block(z[block], t[block]) for block in _blocks(len(z))])


def _naive_sigmoid_derivative(z: Array) -> Array:
    y = _naive_sigmoid(z)
    return y * (1 - y)


def _stable_sigmoid_derivative(z: Array) -> Array:
    u = np.exp(-np.abs(z))
    return u / (1 + u) ** 2


def _naive_cross_entropy(y: Array, t: Array) -> Array:
    return -t * np.log(y) - (1 - t) * np.log(1 - y)


def _naive_logistic_loss(z: Array, t: Array) -> Array:
    return _naive_cross_entropy(_naive_sigmoid(z), t)


def _stable_logistic_loss(z: Array, t: Array) -> Array:
    return np.logaddexp(0, z) - t * z


def _naive_log_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    y = _naive_sigmoid(z)
    return -np.sum(t * np.log(y) + (1 - t) * np.log(1 - y)), y - t


def _stable_log_loss_gradient(z: Array, t: Array) -> tuple[float, Array]:
    return np.sum(np.logaddexp(0, z) - t * z), _stable_sigmoid(z) - t


_NUMPY = Library(
    {},
    source="https://numpy.org/doc/stable/user/basics.ufuncs.html",
    writing=frozenset(
        [
            _tuned_sigmoid,
            _tuned_sigmoid_derivative,
            _tuned_log_sigmoid,
            _tuned_softplus,
            _tuned_logit,
            _tuned_logistic_loss,
            _tuned_residual,
            _tuned_cross_entropy,
            _tuned_cross_entropy_derivative,
            _tuned_log_loss_gradient,
        ]
    ),
    # The naive formulas overflow.
    context=lambda: np.errstate(all="ignore"),
    threaded=False,
)

ELEMENTWISE = {
    "sigmoid": Function(
        ("z",),
        {
            FASTLOGIT: fl.sigmoid,
            NAIVE: _naive_sigmoid,
            STABLE: _stable_sigmoid,
            TUNED: _tuned_sigmoid,
        },
    ),
    "sigmoid_derivative": Function(
        ("z",),
        {
            FASTLOGIT: fl.sigmoid_derivative,
            NAIVE: _naive_sigmoid_derivative,
            STABLE: _stable_sigmoid_derivative,
            TUNED: _tuned_sigmoid_derivative,
        },
    ),
    "log_sigmoid": Function(
        ("z",),
        {
            FASTLOGIT: fl.log_sigmoid,
            NAIVE: lambda z: np.log(_naive_sigmoid(z)),
            STABLE: lambda z: -np.logaddexp(0, -z),
            TUNED: _tuned_log_sigmoid,
        },
    ),
    "softplus": Function(
        ("z",),
        {
            FASTLOGIT: fl.softplus,
            NAIVE: lambda z: np.log(1 + np.exp(z)),
            STABLE: lambda z: np.logaddexp(0, z),
            TUNED: _tuned_softplus,
        },
    ),
    "logit": Function(
        ("y",),
        {
            FASTLOGIT: fl.logit,
            STABLE: lambda y: np.log(y / (1 - y)),
            TUNED: _tuned_logit,
        },
    ),
    "logistic_loss": Function(
        ("z", "t"),
        {
            FASTLOGIT: fl.logistic_loss,
            NAIVE: _naive_logistic_loss,
            STABLE: _stable_logistic_loss,
            TUNED: _tuned_logistic_loss,
        },
    ),
    "residual": Function(
        ("z", "t"),
        {
            FASTLOGIT: fl.residual,
            NAIVE: lambda z, t: _naive_sigmoid(z) - t,
            STABLE: lambda z, t: _stable_sigmoid(z) - t,
            TUNED: _tuned_residual,
        },
    ),
    "cross_entropy": Function(
        ("y", "t"),
        {
            FASTLOGIT: fl.cross_entropy,
            NAIVE: _naive_cross_entropy,
            STABLE: lambda y, t: -t * np.log(y) - (1 - t) * np.log1p(-y),
            TUNED: _tuned_cross_entropy,
        },
    ),
    "cross_entropy_derivative": Function(
        ("y", "t"),
        {
            FASTLOGIT: fl.cross_entropy_derivative,
            STABLE: lambda y, t: (y - t) / (y * (1 - y)),
            TUNED: _tuned_cross_entropy_derivative,
        },
    ),
}

SUMS = {
    "log_loss": Function(
        ("z", "t"),
        {
            FASTLOGIT: fl.log_loss,
            NAIVE: lambda z, t: np.sum(_naive_logistic_loss(z, t)),
            STABLE: lambda z, t: np.sum(_stable_logistic_loss(z, t)),
            TUNED: _tuned_log_loss,
        },
        outputs=0,
    ),
    "log_loss_gradient": Function(
        ("z", "t"),
        {
            FASTLOGIT: fl.log_loss_gradient,
            NAIVE: _naive_log_loss_gradient,
            STABLE: _stable_log_loss_gradient,
            TUNED: _tuned_log_loss_gradient,
        },
    ),
}


def _probability(sigmoid: Implementation) -> Implementation:
    return lambda X, coef: sigmoid(X @ coef)


def _log_loss(log_loss: Implementation) -> Implementation:
    return lambda X, t, coef: log_loss(X @ coef, t)


def _log_loss_gradient(log_loss_gradient: Implementation) -> Implementation:
    def over_rows(X: Array, t: Array, coef: Array) -> tuple[float, Array, float]:
        loss, residual = log_loss_gradient(X @ coef, t)
        return loss, X.T @ residual, residual.sum()

    return over_rows


def _newton(log_loss_gradient: Implementation, derivative: Implementation) -> Implementation:
    def over_rows(X: Array, t: Array, coef: Array) -> tuple[float, Array, Array]:
        z, d = X @ coef, X.shape[1]
        loss, residual = log_loss_gradient(z, t)
        curvature = derivative(z)
        scaled = X * curvature[:, None]
        hessian = np.empty((d + 1, d + 1), X.dtype)
        hessian[:d, :d] = scaled.T @ X
        hessian[:d, d] = hessian[d, :d] = scaled.sum(axis=0)
        hessian[d, d] = curvature.sum()
        return loss, np.append(X.T @ residual, residual.sum()), hessian

    return over_rows


def _hessian(derivative: Implementation) -> Implementation:
    return lambda X, coef: (X * derivative(X @ coef)[:, None]).T @ X


def _hessian_product(derivative: Implementation) -> Implementation:
    return lambda X, coef, direction: X.T @ (derivative(X @ coef) * (X @ direction))


def _over_rows(
    change: Callable[[Implementation], Implementation], function: Function
) -> dict[str, Implementation]:
    """From NumPy's functions of z, those of X."""
    peers = function.implementations.items()
    return {peer: change(compute) for peer, compute in peers if peer != FASTLOGIT}


def _hessian_diagonal(derivative: Implementation) -> Implementation:
    return lambda X, coef: derivative(X @ coef) @ (X * X)


PASSES = {
    "linear.decision": Function(
        ("X", "coef"),
        {FASTLOGIT: fl.linear.decision, STABLE: lambda X, coef: X @ coef},
    ),
    "linear.probability": Function(
        ("X", "coef"),
        {
            FASTLOGIT: fl.linear.probability,
            **_over_rows(_probability, ELEMENTWISE["sigmoid"]),
        },
    ),
    "linear.log_loss": Function(
        ("X", "t", "coef"),
        {
            FASTLOGIT: fl.linear.log_loss,
            **_over_rows(_log_loss, SUMS["log_loss"]),
        },
        outputs=0,
    ),
    "linear.log_loss_gradient": Function(
        ("X", "t", "coef"),
        {
            FASTLOGIT: fl.linear.log_loss_gradient,
            **_over_rows(_log_loss_gradient, SUMS["log_loss_gradient"]),
        },
        outputs=0,
    ),
    "linear.log_loss_gradient_hessian": Function(
        ("X", "t", "coef"),
        {
            FASTLOGIT: fl.linear.log_loss_gradient_hessian,
            STABLE: _newton(_stable_log_loss_gradient, _stable_sigmoid_derivative),
            TUNED: _newton(_tuned_log_loss_gradient, _tuned_sigmoid_derivative),
        },
        outputs=0,
    ),
    "linear.hessian": Function(
        ("X", "coef"),
        {
            FASTLOGIT: fl.linear.hessian,
            **_over_rows(_hessian, ELEMENTWISE["sigmoid_derivative"]),
        },
        outputs=0,
    ),
    "linear.hessian_diagonal": Function(
        ("X", "coef"),
        {
            FASTLOGIT: fl.linear.hessian_diagonal,
            **_over_rows(_hessian_diagonal, ELEMENTWISE["sigmoid_derivative"]),
        },
        outputs=0,
    ),
    "linear.hessian_product": Function(
        ("X", "coef", "direction"),
        {
            FASTLOGIT: fl.linear.hessian_product,
            **_over_rows(_hessian_product, ELEMENTWISE["sigmoid_derivative"]),
        },
        outputs=0,
    ),
}

FUNCTIONS = ELEMENTWISE | SUMS | PASSES

for _peer, _peers_library in LIBRARIES.items():
    for _name, _function in _peers_library.functions.items():
        FUNCTIONS[_name].implementations[_peer] = _function


def cases(table: dict[str, Function]) -> list[tuple[str, str]]:
    """Every function of a table with each who computes it."""
    return [(name, peer) for name, function in table.items() for peer in function.implementations]
