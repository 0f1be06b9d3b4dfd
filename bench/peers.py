"""Other libraries: whichever is installed adds its functions to the table as a further key.

Each is called as its own documentation recommends for speed; `Library.source` says where.  A
library takes arguments of its own kind, so they are converted before the clock runs.  Numbers of
threads are set where a library lets one; JAX, which does not, takes all cores for large arrays
(`bench.measure.on_cores` keeps it from that), and SciPy and NumPy have one thread.

The derivative is y (1 - y) of one sigmoid, as PyTorch's and JAX's own gradients have it: it loses
the digits of 1 - y, and sigma(z) sigma(-z), which does not, would take them twice as long.
Numexpr has no sigmoid, so that the formula which loses nothing takes it no longer.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from bench.machine import cores

Array = Any  # of whatever library

SCIPY = "scipy"
SKLEARN = "sklearn"
TORCH = "torch"
TORCH_COMPILE = "torch-compile"
JAX = "jax"
NUMEXPR = "numexpr"
PEERS = (SCIPY, SKLEARN, TORCH, TORCH_COMPILE, JAX, NUMEXPR)


def _itself(array: Array) -> Array:
    return array


def _no_options(_: int | None) -> dict[str, Any]:
    return {}


class Library(NamedTuple):
    """A peer's functions, by the names of the table, and how they want to be called."""

    functions: dict[str, Callable[..., Any]]
    # Where its documentation, or else its source, says how to call it for speed.
    source: str = ""
    # Which of them take ``out=``.
    writing: frozenset[Callable[..., Any]] = frozenset()
    # From a NumPy array.
    convert: Callable[[Array], Array] = _itself
    # What to give as ``out=``, of a converted array.
    place: Callable[[Array], Any] = _itself
    # For a number of threads, None for all cores; where there are no options it is set for all
    # later calls.
    options: Callable[[int | None], dict[str, Any]] = _no_options
    # What to call many times in.
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    # Whether it can use several.
    threaded: bool = True


def _scipy() -> Library:
    """Universal functions with ``out=``, and NumPy's in their result's place."""
    expit, log_expit, softplus = special.expit, special.log_expit, special.softplus

    def sigmoid_derivative(z: Array, out: Array = None) -> Array:
        y = expit(z, out=out)
        y *= 1 - y
        return y

    def logistic_loss(z: Array, t: Array, out: Array = None) -> Array:
        loss = softplus(z, out=out)
        loss -= t * z
        return loss

    def residual(z: Array, t: Array, out: Array = None) -> Array:
        y = expit(z, out=out)
        y -= t
        return y

    def cross_entropy(y: Array, t: Array, out: Array = None) -> Array:
        terms = special.xlogy(t, y, out=out)
        terms += special.xlog1py(1 - t, -y)
        return np.negative(terms, out=terms)

    def log_loss(z: Array, t: Array) -> float:
        return np.sum(logistic_loss(z, t, buffer(z.size, z.dtype)))

    def log_loss_gradient(z: Array, t: Array, out: Array = None) -> tuple[float, Array]:
        return log_loss(z, t), residual(z, t, out)

    functions = {
        "sigmoid": expit,
        "sigmoid_derivative": sigmoid_derivative,
        "log_sigmoid": log_expit,
        "softplus": softplus,
        "logit": special.logit,
        "logistic_loss": logistic_loss,
        "residual": residual,
        "cross_entropy": cross_entropy,
        "log_loss": log_loss,
        "log_loss_gradient": log_loss_gradient,
    }
    return Library(
        functions,
        source="https://docs.scipy.org/doc/scipy/reference/special.html",
        writing=frozenset(functions.values()) - {log_loss},
        threaded=False,
    )


@cache
def buffer(n: int, dtype: Any) -> Array:
    """Where to put what is summed afterwards: new memory would cost more than the loss."""
    return np.empty(n, dtype)


def _sklearn() -> Library:
    """What its own solvers call, with memory for the results and a number of threads."""
    from sklearn._loss.loss import HalfBinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    half = HalfBinomialLoss()
    linear = LinearModelLoss(base_loss=HalfBinomialLoss(), fit_intercept=True)

    def logistic_loss(z: Array, t: Array, out: Array = None, threads: int = 1) -> Array:
        return half.loss(t, z, loss_out=out, n_threads=threads)

    def residual(z: Array, t: Array, out: Array = None, threads: int = 1) -> Array:
        return half.gradient(t, z, gradient_out=out, n_threads=threads)

    def log_loss(z: Array, t: Array, threads: int = 1) -> float:
        return logistic_loss(z, t, buffer(z.size, z.dtype), threads).sum()

    def log_loss_gradient(
        z: Array, t: Array, out: Array = None, threads: int = 1
    ) -> tuple[float, Array]:
        outputs = {"loss_out": buffer(z.size, z.dtype), "gradient_out": out}
        loss, gradient = half.loss_gradient(t, z, **outputs, n_threads=threads)
        return loss.sum(), gradient

    # These are means over the rows.
    def linear_log_loss(X: Array, t: Array, coef: Array, threads: int = 1) -> float:
        return t.size * linear.loss(np.append(coef, 0 * coef[:1]), X, t, n_threads=threads)

    def linear_log_loss_gradient(
        X: Array, t: Array, coef: Array, threads: int = 1
    ) -> tuple[float, Array, float]:
        both = np.append(coef, 0 * coef[:1])
        loss, gradient = linear.loss_gradient(both, X, t, n_threads=threads)
        gradient *= t.size
        return t.size * loss, gradient[:-1], gradient[-1]

    def linear_log_loss_gradient_hessian(
        X: Array, t: Array, coef: Array, threads: int = 1
    ) -> tuple[float, Array, Array]:
        both = np.append(coef, 0 * coef[:1])
        options = {"n_threads": threads, "raw_prediction": linear.weight_intercept_raw(both, X)[2]}
        loss = linear.loss(both, X, t, **options)
        gradient, hessian, _ = linear.gradient_hessian(both, X, t, **options)
        gradient *= t.size
        hessian *= t.size
        return t.size * loss, gradient, hessian

    # No linear.hessian, which it gives with a gradient alone, nor a product, for which it makes an
    # array as large as X, for many products with it.
    return Library(
        {
            "logistic_loss": logistic_loss,
            "residual": residual,
            "log_loss": log_loss,
            "log_loss_gradient": log_loss_gradient,
            "linear.log_loss": linear_log_loss,
            "linear.log_loss_gradient": linear_log_loss_gradient,
            "linear.log_loss_gradient_hessian": linear_log_loss_gradient_hessian,
        },
        source="https://github.com/scikit-learn/scikit-learn/blob/main/sklearn/_loss/loss.py",
        writing=frozenset([logistic_loss, residual, log_loss_gradient]),
        options=lambda threads: {"threads": threads or cores()},
    )


def _torch_convert(array: Array) -> Array:
    """NumPy's own memory (huge pages), but writable, as PyTorch knows no other."""
    import torch

    return torch.from_numpy(np.array(array))


def _torch_options(threads: int | None) -> dict[str, Any]:
    import torch

    torch.set_num_threads(threads or cores())
    return {}


def _torch_compile_options(threads: int | None) -> dict[str, Any]:
    """Forget what was compiled for another number of threads: of a function eight are the most."""
    import torch

    if torch.get_num_threads() != (threads or cores()):
        torch.compiler.reset()
    return _torch_options(threads)


_TORCH_GUIDE = "https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html"


def _torch() -> Library:
    """Without autograd, in place where that saves a tensor, and in huge pages as NumPy's arrays."""
    # Since PyTorch 2.2, of 2 MB and more; it looks when it first needs memory.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    import torch
    from torch.nn import functional

    loss_with_logits = functional.binary_cross_entropy_with_logits

    def sigmoid_derivative(z: Array, out: Array = None) -> Array:
        y = torch.sigmoid(z, out=out)
        return torch.mul(y, 1 - y, out=y)

    def residual(z: Array, t: Array, out: Array = None) -> Array:
        return torch.sigmoid(z, out=out).sub_(t)

    def log_loss_gradient(z: Array, t: Array, out: Array = None) -> tuple[Array, Array]:
        # By backward() it takes half as long again.
        return loss_with_logits(z, t, reduction="sum"), residual(z, t, out)

    def linear_log_loss_gradient(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        loss, gradient = log_loss_gradient(X @ coef, t)
        return loss, gradient @ X, gradient.sum()

    def newton(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        z, d = X @ coef, X.shape[1]
        loss, gradient = log_loss_gradient(z, t)
        curvature = sigmoid_derivative(z)
        scaled = X * curvature[:, None]
        hessian = X.new_empty((d + 1, d + 1))
        hessian[:d, :d] = scaled.T @ X
        hessian[:d, d] = hessian[d, :d] = scaled.sum(0)
        hessian[d, d] = curvature.sum()
        return loss, torch.cat([gradient @ X, gradient.sum()[None]]), hessian

    return Library(
        {
            "sigmoid": torch.sigmoid,
            "sigmoid_derivative": sigmoid_derivative,
            "log_sigmoid": functional.logsigmoid,
            "softplus": functional.softplus,
            "logit": torch.logit,
            "logistic_loss": partial(loss_with_logits, reduction="none"),
            "residual": residual,
            "cross_entropy": partial(functional.binary_cross_entropy, reduction="none"),
            "log_loss": partial(loss_with_logits, reduction="sum"),
            "log_loss_gradient": log_loss_gradient,
            "linear.decision": torch.mv,
            "linear.probability": lambda X, coef: (X @ coef).sigmoid_(),
            "linear.log_loss": lambda X, t, coef: loss_with_logits(X @ coef, t, reduction="sum"),
            "linear.log_loss_gradient": linear_log_loss_gradient,
            "linear.log_loss_gradient_hessian": newton,
            "linear.hessian": lambda X, coef: (X * sigmoid_derivative(X @ coef)[:, None]).T @ X,
            "linear.hessian_diagonal": lambda X, coef: sigmoid_derivative(X @ coef) @ (X * X),
            "linear.hessian_product": lambda X, coef, direction: (
                sigmoid_derivative(X @ coef).mul_(X @ direction) @ X
            ),
        },
        source=_TORCH_GUIDE,
        writing=frozenset(
            [
                torch.sigmoid,
                torch.logit,
                torch.mv,
                sigmoid_derivative,
                residual,
                log_loss_gradient,
            ]
        ),
        convert=_torch_convert,
        options=_torch_options,
        context=torch.inference_mode,
    )


def _torch_compile() -> Library:
    """Compiled at the first call; what is copied to `out` is computed there.

    For the very shapes: what is compiled for any has some loops of a pass on one thread.
    """
    import torch
    from torch.nn import functional

    loss_with_logits = functional.binary_cross_entropy_with_logits

    @cache
    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of itself
            return torch.compile(function, dynamic=False)

    def lazily(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: compiled(function)(*args)

    def writing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Array, out: Array = None) -> Any:
            if out is None:
                out = args[0].new_empty(len(args[0]))
            return compiled(function)(*args, out)

        return call

    def sigmoid_derivative(z: Array) -> Array:
        y = torch.sigmoid(z)
        return y * (1 - y)

    def log_loss(z: Array, t: Array) -> Array:
        return loss_with_logits(z, t, reduction="sum")

    def residual(z: Array, t: Array) -> Array:
        return torch.sigmoid(z) - t

    def linear_log_loss_gradient(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        z = X @ coef
        gradient = residual(z, t)
        return log_loss(z, t), gradient @ X, gradient.sum()

    def newton(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        z = X @ coef
        gradient, curvature = residual(z, t), sigmoid_derivative(z)
        scaled = X * curvature[:, None]
        border = scaled.sum(0)
        rows = torch.cat([scaled.T @ X, border[None]])
        column = torch.cat([border, curvature.sum()[None]])
        hessian = torch.cat([rows, column[:, None]], 1)
        return log_loss(z, t), torch.cat([gradient @ X, gradient.sum()[None]]), hessian

    # Each of them a function of its own, as what is compiled is kept by the code.
    long = {
        "sigmoid": lambda z, out: out.copy_(torch.sigmoid(z)),
        "sigmoid_derivative": lambda z, out: out.copy_(sigmoid_derivative(z)),
        "log_sigmoid": lambda z, out: out.copy_(functional.logsigmoid(z)),
        "softplus": lambda z, out: out.copy_(functional.softplus(z)),
        "logit": lambda y, out: out.copy_(torch.logit(y)),
        "logistic_loss": lambda z, t, out: out.copy_(loss_with_logits(z, t, reduction="none")),
        "residual": lambda z, t, out: out.copy_(residual(z, t)),
        "cross_entropy": lambda y, t, out: out.copy_(
            functional.binary_cross_entropy(y, t, reduction="none")
        ),
        "log_loss_gradient": lambda z, t, out: (log_loss(z, t), out.copy_(residual(z, t))),
        "linear.probability": lambda X, coef, out: out.copy_(torch.sigmoid(X @ coef)),
    }
    others = {
        "log_loss": log_loss,
        "linear.log_loss": lambda X, t, coef: log_loss(X @ coef, t),
        "linear.log_loss_gradient": linear_log_loss_gradient,
        "linear.log_loss_gradient_hessian": newton,
        "linear.hessian": lambda X, coef: (X * sigmoid_derivative(X @ coef)[:, None]).T @ X,
        "linear.hessian_diagonal": lambda X, coef: sigmoid_derivative(X @ coef) @ (X * X),
        "linear.hessian_product": lambda X, coef, direction: (
            (sigmoid_derivative(X @ coef) * (X @ direction)) @ X
        ),
    }
    functions = {name: writing(function) for name, function in long.items()}
    return Library(
        functions | {name: lazily(function) for name, function in others.items()},
        source=_TORCH_GUIDE,
        writing=frozenset(functions.values()),
        convert=_torch_convert,
        options=_torch_compile_options,
        context=torch.inference_mode,
    )


def _jax() -> Library:
    """Compiled, and waited for; results are where the last one was, which is donated."""
    import jax
    from jax import nn
    from jax import numpy as jnp
    from jax.scipy import special

    jax.config.update("jax_enable_x64", True)

    def ready(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function)

        @partial(jax.jit, donate_argnames="out", keep_unused=True)
        def donated(*args: Array, out: Array) -> Array:  # noqa: ARG001
            return function(*args)

        def call(*args: Array, out: list[Array] | None = None) -> Array:
            if out is None:
                return jax.block_until_ready(compiled(*args))
            result = jax.block_until_ready(donated(*args, out=out[0]))
            out[0] = result[1] if isinstance(result, tuple) else result
            return result

        return call

    def sigmoid_derivative(z: Array) -> Array:
        y = nn.sigmoid(z)
        return y * (1 - y)

    def logistic_loss(z: Array, t: Array) -> Array:
        # `optax` has log_sigmoid(z) and log_sigmoid(-z), which loses less and takes twice as long.
        return nn.softplus(z) - t * z

    def log_loss(z: Array, t: Array) -> Array:
        return jnp.sum(logistic_loss(z, t))

    def linear_log_loss_gradient(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        loss, gradient = jax.value_and_grad(log_loss)(X @ coef, t)
        return loss, gradient @ X, jnp.sum(gradient)

    def newton(X: Array, t: Array, coef: Array) -> tuple[Array, Array, Array]:
        z = X @ coef
        loss, gradient = jax.value_and_grad(log_loss)(z, t)
        curvature = sigmoid_derivative(z)
        scaled = X * curvature[:, None]
        border = jnp.sum(scaled, axis=0)
        hessian = jnp.block([[scaled.T @ X, border[:, None]], [border, jnp.sum(curvature)]])
        return loss, jnp.append(gradient @ X, jnp.sum(gradient)), hessian

    functions = {
        "sigmoid": nn.sigmoid,
        "sigmoid_derivative": sigmoid_derivative,
        "log_sigmoid": nn.log_sigmoid,
        "softplus": nn.softplus,
        "logit": special.logit,
        "logistic_loss": logistic_loss,
        "residual": lambda z, t: nn.sigmoid(z) - t,
        "cross_entropy": lambda y, t: -special.xlogy(t, y) - special.xlog1py(1 - t, -y),
        "log_loss": log_loss,
        "log_loss_gradient": jax.value_and_grad(log_loss),
        "linear.decision": lambda X, coef: X @ coef,
        "linear.probability": lambda X, coef: nn.sigmoid(X @ coef),
        "linear.log_loss": lambda X, t, coef: log_loss(X @ coef, t),
        "linear.log_loss_gradient": linear_log_loss_gradient,
        "linear.log_loss_gradient_hessian": newton,
        "linear.hessian": lambda X, coef: (X * sigmoid_derivative(X @ coef)[:, None]).T @ X,
        "linear.hessian_diagonal": lambda X, coef: sigmoid_derivative(X @ coef) @ (X * X),
        "linear.hessian_product": lambda X, coef, direction: (
            (sigmoid_derivative(X @ coef) * (X @ direction)) @ X
        ),
    }
    compiled = {name: ready(function) for name, function in functions.items()}
    # Those with a result as long as z, or as X has rows.
    long = {name for name in functions if not name.startswith("linear.")} - {"log_loss"}
    long |= {"linear.decision", "linear.probability"}
    return Library(
        compiled,
        # And https://docs.jax.dev/en/latest/benchmarking.html.
        source="https://docs.jax.dev/en/latest/buffer_donation.html",
        writing=frozenset(compiled[name] for name in long),
        convert=jnp.asarray,
        place=lambda array: [jnp.array(array)],  # memory of its own
    )


def _numexpr() -> Library:
    """Expressions with ``out=``, evaluated again without a check where they were the last one.

    Reductions have one thread, so sums are left to NumPy; products of matrices there are none.
    """
    import numexpr

    last = threading.local()  # as numexpr's own is

    def evaluated(expression: str, *names: str) -> Callable[..., Any]:
        def compute(*args: Array, out: Array = None) -> Array:
            values = dict(zip(names, args, strict=True))
            this = (expression, args[0].dtype)
            if getattr(last, "evaluated", None) == this and last.out is out:
                return numexpr.re_evaluate(values)
            last.evaluated, last.out = this, out
            return numexpr.evaluate(expression, values, out=out)

        return compute

    sigmoid = "1 / (1 + exp(-z))"
    loss = "where(z < 0, 0, z) - t * z + log1p(exp(-abs(z)))"
    logistic_loss, residual = evaluated(loss, "z", "t"), evaluated(f"{sigmoid} - t", "z", "t")

    def log_loss(z: Array, t: Array) -> float:
        return logistic_loss(z, t, out=buffer(z.size, z.dtype)).sum()

    def log_loss_gradient(z: Array, t: Array, out: Array = None) -> tuple[float, Array]:
        return log_loss(z, t), residual(z, t, out=out)

    def options(threads: int | None) -> dict[str, Any]:
        numexpr.set_num_threads(threads or cores())
        return {}

    functions = {
        "sigmoid": evaluated(sigmoid, "z"),
        "sigmoid_derivative": evaluated("exp(-abs(z)) / (1 + exp(-abs(z)))**2", "z"),
        "log_sigmoid": evaluated("where(z < 0, z, 0) - log1p(exp(-abs(z)))", "z"),
        "softplus": evaluated("where(z < 0, 0, z) + log1p(exp(-abs(z)))", "z"),
        "logit": evaluated("log(y / (1 - y))", "y"),
        "logistic_loss": logistic_loss,
        "residual": residual,
        "cross_entropy": evaluated("(t - 1) * log1p(-y) - t * log(y)", "y", "t"),
        "cross_entropy_derivative": evaluated("(y - t) / (y * (1 - y))", "y", "t"),
        "log_loss": log_loss,
        "log_loss_gradient": log_loss_gradient,
    }
    return Library(
        functions,
        source="https://numexpr.readthedocs.io/en/latest/user_guide.html",
        writing=frozenset(functions.values()) - {log_loss},
        options=options,
    )


def _has_compiler() -> bool:
    """Whether there is what torch.compile compiles with."""
    default = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX", default)) is not None


def _libraries() -> dict[str, Library]:
    makers = {
        SCIPY: _scipy,
        SKLEARN: _sklearn,
        TORCH: _torch,
        JAX: _jax,
        NUMEXPR: _numexpr,
    }
    found = {name: make() for name, make in makers.items() if find_spec(name)}
    if TORCH in found and _has_compiler():
        found[TORCH_COMPILE] = _torch_compile()
    return found


LIBRARIES = _libraries()

_helper = ThreadPoolExecutor(1, thread_name_prefix="copy")


def copy(size: int, threads: int) -> Callable[[], Any]:
    """What memory allows: reading and writing `size` bytes in all, on one or two threads."""
    source, target = np.ones(size // 2, np.uint8), np.empty(size // 2, np.uint8)
    if threads == 1:
        return partial(np.copyto, target, source)
    half = source.size // 2

    def in_halves() -> None:
        other = _helper.submit(np.copyto, target[half:], source[half:])
        np.copyto(target[:half], source[:half])
        other.result()

    return in_halves
