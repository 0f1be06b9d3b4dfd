"""Other libraries, each called as its own documentation recommends for speed.

Arguments are converted before the clock runs.  JAX cannot be told a number of threads, so
`bench.measure.on_cores` restricts it; SciPy has one thread.

The derivative is y (1 - y) of one sigmoid, as in the gradients of PyTorch and JAX.  It loses the
digits of 1 - y; σ(z) σ(-z) keeps them and would take these libraries twice as long.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.machine import cores
from bench.registry.library import LONG, Array, Implementation, Library
from tests.references.formulas import buffer, filled, passes

SCIPY, SKLEARN = "scipy", "sklearn"
TORCH, TORCH_COMPILE, JAX = "torch", "torch-compile", "jax"
PEERS = (SCIPY, SKLEARN, TORCH, TORCH_COMPILE, JAX)


def _scipy() -> Library:
    """Ufuncs with ``out=``, combined in place."""
    from scipy import special

    def sigmoid_derivative(z: Array, out: Array = None) -> Array:
        y = special.expit(z, out=out)
        y *= 1 - y
        return y

    def logistic_loss(z: Array, t: Array, out: Array = None) -> Array:
        loss = special.softplus(z, out=out)
        loss -= t * z
        return loss

    def residual(z: Array, t: Array, out: Array = None) -> Array:
        y = special.expit(z, out=out)
        y -= t
        return y

    def cross_entropy(y: Array, t: Array, out: Array = None) -> Array:
        terms = special.xlogy(t, y, out=out)
        terms += special.xlog1py(1 - t, -y)
        return np.negative(terms, out=terms)

    def log_loss(z: Array, t: Array) -> float:
        return np.sum(logistic_loss(z, t, buffer(z.size, z.dtype)))

    functions: dict[str, Implementation] = {
        "sigmoid": special.expit,
        "sigmoid_derivative": sigmoid_derivative,
        "log_sigmoid": special.log_expit,
        "softplus": special.softplus,
        "logit": special.logit,
        "logistic_loss": logistic_loss,
        "residual": residual,
        "cross_entropy": cross_entropy,
        "log_loss": log_loss,
        "log_loss_gradient": lambda z, t, out=None: (log_loss(z, t), residual(z, t, out)),
    }
    return Library(
        functions,
        source="https://docs.scipy.org/doc/scipy/reference/special.html",
        writing=frozenset(functions) - {"log_loss"},
        threaded=False,
    )


def _sklearn() -> Library:
    """The losses that its own solvers call, with preallocated results.

    Its Hessian comes with a gradient only, and its Hessian product needs an array as large as X.
    """
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

    def log_loss_gradient(z: Array, t: Array, out: Array = None, threads: int = 1) -> Any:
        outputs = {"loss_out": buffer(z.size, z.dtype), "gradient_out": out}
        loss, gradient = half.loss_gradient(t, z, **outputs, n_threads=threads)
        return loss.sum(), gradient

    # Its linear losses are means over the rows.
    def linear_log_loss(X: Array, t: Array, coef: Array, threads: int = 1) -> float:
        return t.size * linear.loss(np.append(coef, 0 * coef[:1]), X, t, n_threads=threads)

    def linear_gradient(X: Array, t: Array, coef: Array, threads: int = 1) -> Any:
        both = np.append(coef, 0 * coef[:1])
        loss, gradient = linear.loss_gradient(both, X, t, n_threads=threads)
        gradient *= t.size
        return t.size * loss, gradient[:-1], gradient[-1]

    def linear_hessian(X: Array, t: Array, coef: Array, threads: int = 1) -> Any:
        both = np.append(coef, 0 * coef[:1])
        options = {"n_threads": threads, "raw_prediction": linear.weight_intercept_raw(both, X)[2]}
        loss = linear.loss(both, X, t, **options)
        gradient, hessian, _ = linear.gradient_hessian(both, X, t, **options)
        gradient *= t.size
        hessian *= t.size
        return t.size * loss, gradient, hessian

    return Library(
        {
            "logistic_loss": logistic_loss,
            "residual": residual,
            "log_loss": log_loss,
            "log_loss_gradient": log_loss_gradient,
            "linear.log_loss": linear_log_loss,
            "linear.log_loss_gradient": linear_gradient,
            "linear.log_loss_gradient_hessian": linear_hessian,
        },
        source="https://github.com/scikit-learn/scikit-learn/blob/main/sklearn/_loss/loss.py",
        writing=frozenset(["logistic_loss", "residual", "log_loss_gradient"]),
        options=lambda threads: {"threads": threads or cores()},
    )


def _torch() -> Library:
    """Without autograd, in place where that saves a tensor, in huge pages like NumPy's arrays."""
    # From PyTorch 2.2, for 2 MB and more; read when PyTorch first allocates.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    import torch
    from torch.nn import functional

    losses = functional.binary_cross_entropy_with_logits

    def sigmoid_derivative(z: Array, out: Array = None) -> Array:
        y = torch.sigmoid(z, out=out)
        return torch.mul(y, 1 - y, out=y)

    def residual(z: Array, t: Array, out: Array = None) -> Array:
        return torch.sigmoid(z, out=out).sub_(t)

    def log_loss_gradient(z: Array, t: Array, out: Array = None) -> tuple[Array, Array]:
        # backward() takes half as long again.
        return losses(z, t, reduction="sum"), residual(z, t, out)

    log_loss = partial(losses, reduction="sum")
    functions: dict[str, Implementation] = {
        "sigmoid": torch.sigmoid,
        "sigmoid_derivative": sigmoid_derivative,
        "log_sigmoid": functional.logsigmoid,
        "softplus": functional.softplus,
        "logit": torch.logit,
        "logistic_loss": partial(losses, reduction="none"),
        "residual": residual,
        "cross_entropy": partial(functional.binary_cross_entropy, reduction="none"),
        "log_loss": log_loss,
        "log_loss_gradient": log_loss_gradient,
    }
    functions |= passes(
        torch.sigmoid_,
        sigmoid_derivative,
        log_loss,
        log_loss_gradient,
        lambda vector, number: torch.cat([vector, number[None]]),
        filled(lambda shape, dtype: torch.empty(shape, dtype=dtype)),
    )
    functions["linear.decision"] = torch.mv
    writing = ["sigmoid", "sigmoid_derivative", "logit", "residual", "log_loss_gradient"]
    return Library(
        functions,
        source=_TORCH_GUIDE,
        writing=frozenset([*writing, "linear.decision"]),
        convert=_to_torch,
        options=_set_torch_threads,
        context=torch.inference_mode,
    )


def _torch_compile() -> Library:
    """Compiled at the first call, for fixed shapes; results are copied to `out` in the kernel.

    Code for any shape runs some loops of a pass on one thread.
    """
    import torch

    functions = _traceable(
        SimpleNamespace(
            sigmoid=torch.sigmoid,
            log_sigmoid=torch.nn.functional.logsigmoid,
            softplus=torch.nn.functional.softplus,
            logit=torch.logit,
            logistic_loss=partial(_torch_losses, "none"),
            log_loss=partial(_torch_losses, "sum"),
            cross_entropy=partial(torch.nn.functional.binary_cross_entropy, reduction="none"),
            log_loss_gradient=lambda z, t: (_torch_losses("sum", z, t), torch.sigmoid(z) - t),
            append=lambda vector, number: torch.cat([vector, number[None]]),
            join=torch.cat,
        )
    )
    del functions["linear.decision"]
    writing = LONG & functions.keys()

    def compiled(name: str) -> Implementation:
        function = functions[name]

        # A function of its own for each, as PyTorch caches compiled code by the code object.
        def copied(*args: Array) -> Any:
            *args, out = args
            result = function(*args)
            if isinstance(result, tuple):
                return result[0], out.copy_(result[1])
            return out.copy_(result)

        @cache
        def ready() -> Implementation:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of PyTorch itself
                return torch.compile(copied if name in writing else function, dynamic=False)

        def call(*args: Array, out: Array = None) -> Any:
            if name not in writing:
                return ready()(*args)
            return ready()(*args, args[0].new_empty(len(args[0])) if out is None else out)

        return call

    def options(threads: int | None) -> dict[str, Any]:
        # Code for another number of threads is dropped: PyTorch keeps eight versions at most.
        if torch.get_num_threads() != (threads or cores()):
            torch.compiler.reset()
        return _set_torch_threads(threads)

    return Library(
        {name: compiled(name) for name in functions},
        source=_TORCH_GUIDE,
        writing=frozenset(writing),
        convert=_to_torch,
        options=options,
        context=torch.inference_mode,
    )


def _jax() -> Library:
    """Compiled, and waited for; the memory of the previous result is donated to the next."""
    import jax
    from jax import nn
    from jax import numpy as jnp
    from jax.scipy import special

    jax.config.update("jax_enable_x64", True)

    def logistic_loss(z: Array, t: Array) -> Array:
        # optax uses log_sigmoid(z) and log_sigmoid(-z): more accurate, and twice as slow.
        return nn.softplus(z) - t * z

    def log_loss(z: Array, t: Array) -> Array:
        return jnp.sum(logistic_loss(z, t))

    functions = _traceable(
        SimpleNamespace(
            sigmoid=nn.sigmoid,
            log_sigmoid=nn.log_sigmoid,
            softplus=nn.softplus,
            logit=special.logit,
            logistic_loss=logistic_loss,
            log_loss=log_loss,
            cross_entropy=lambda y, t: -special.xlogy(t, y) - special.xlog1py(1 - t, -y),
            log_loss_gradient=jax.value_and_grad(log_loss),
            append=jnp.append,
            join=jnp.concatenate,
        )
    )

    def ready(function: Implementation) -> Implementation:
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

    return Library(
        {name: ready(function) for name, function in functions.items()},
        # And https://docs.jax.dev/en/latest/benchmarking.html.
        source="https://docs.jax.dev/en/latest/buffer_donation.html",
        writing=LONG & functions.keys(),
        convert=jnp.asarray,
        place=lambda array: [jnp.array(array)],  # memory of its own
    )


# Shared by the two versions of PyTorch, and by everything that is traced and compiled ----------

_TORCH_GUIDE = "https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html"


def _to_torch(array: Array) -> Array:
    """NumPy's own memory (huge pages), but writable, as PyTorch requires."""
    import torch

    return torch.from_numpy(np.array(array))


def _set_torch_threads(threads: int | None) -> dict[str, Any]:
    import torch

    torch.set_num_threads(threads or cores())
    return {}


def _torch_losses(reduction: str, z: Array, t: Array) -> Array:
    import torch

    return torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction=reduction)


def _traceable(own: SimpleNamespace) -> dict[str, Implementation]:
    """All functions without side effects, from those that a library has."""

    def derivative(z: Array) -> Array:
        y = own.sigmoid(z)
        return y * (1 - y)

    def bordered(hessian: Array, border: Array, corner: Array) -> Array:
        rows = own.join([hessian, border[None]])
        return own.join([rows, own.append(border, corner)[:, None]], 1)

    names = ("log_sigmoid", "softplus", "logit", "logistic_loss", "cross_entropy")
    return {
        "sigmoid": own.sigmoid,
        "sigmoid_derivative": derivative,
        **{name: getattr(own, name) for name in names},
        "residual": lambda z, t: own.sigmoid(z) - t,
        "log_loss": own.log_loss,
        "log_loss_gradient": own.log_loss_gradient,
        **passes(
            own.sigmoid, derivative, own.log_loss, own.log_loss_gradient, own.append, bordered
        ),
    }


def _has_compiler() -> bool:
    """Whether torch.compile finds a C++ compiler."""
    default = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX", default)) is not None


def installed() -> dict[str, Library]:
    """The libraries that can be imported here."""
    makers: dict[str, Callable[[], Library]] = {
        SCIPY: _scipy,
        SKLEARN: _sklearn,
        TORCH: _torch,
        JAX: _jax,
    }
    found = {name: make() for name, make in makers.items() if find_spec(name)}
    if TORCH in found and _has_compiler():
        found[TORCH_COMPILE] = _torch_compile()
    return found
