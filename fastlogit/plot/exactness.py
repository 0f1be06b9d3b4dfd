"""The picture of rounding errors: formulas and libraries against decimal arithmetic."""

from __future__ import annotations

import decimal
import importlib
import math
import warnings
from contextlib import suppress
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from fastlogit import elementwise
from fastlogit.core import checks
from fastlogit.core.ulp import ulp_error
from fastlogit.plot import axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Compute = Callable[[NDArray[np.float64]], Any]

Function = Literal["sigmoid", "sigmoid_derivative", "log_sigmoid", "softplus"]

# Logits are drawn from bins of equal width on the picture's axis, which is linear up to 1 and then
# logarithmic.  The last subnormal result is at 745.
_LINEAR_UP_TO = 1.0
_LARGEST_Z = 800.0
_BINS, _POINTS = 160, 12
# float64 has this many numbers with the same exponent; a larger error leaves no correct digit.
_ALL_DIGITS = 2.0**53
# Smaller errors are drawn here.
_LEAST_DRAWN = 0.1
# Digits of the exact results, in addition to those that cancel.
_DIGITS = 40


def tails(function: Function = "log_sigmoid", ax: Axes | None = None) -> Axes:
    """Draw the error of a function in float64 over the logit z, for fastlogit and other libraries.

    The others are the textbook formula in NumPy, and SciPy, PyTorch and JAX if they are
    installed.  Errors are in units in the last place (ULP) of the exact result.  Each point is the
    largest error at a dozen logits, and at least 0.1.  Beyond the dotted line no digit is right.

    Parameters
    ----------
    function : {"log_sigmoid", "softplus", "sigmoid", "sigmoid_derivative"}
        ``-log_sigmoid(z)`` is the loss of t = 1, ``softplus(z)`` the loss of t = 0.
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.
    ValueError
        If `function` is none of these.

    Notes
    -----
    The exact results are computed with :mod:`decimal`, with 40 digits more than cancel.

    Examples
    --------
    >>> from fastlogit.plot import tails
    >>> ax = tails("sigmoid")
    >>> z, ulp = ax.get_lines()[0].get_data()
    >>> bool(ulp.max() < 0.8)
    True
    """
    checks.choice(function, "function", get_args(Function))
    ax = axes.single(ax)
    z = _points()
    exact = _exact(function)
    middle = np.sort(z, axis=1)[:, _POINTS // 2]
    for (name, compute), (color, linestyle) in zip(
        _implementations(function).items(), axes.STYLES, strict=False
    ):
        errors = ulp_error(compute(z), exact).clip(_LEAST_DRAWN, _ALL_DIGITS)
        largest = errors.max(axis=1)
        (line,) = ax.plot(middle, largest, color=color, linestyle=linestyle, label=name)
        if name == "fastlogit":  # in front of the others
            line.set(zorder=3.0, linewidth=2.5)
    ax.axhline(_ALL_DIGITS, color=axes.GREY, linestyle=":", linewidth=1.0)
    ax.annotate(
        "no digit is right",
        (0.5, _ALL_DIGITS),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        color=axes.GREY,
    )
    ax.set_xscale("symlog", linthresh=_LINEAR_UP_TO)
    ax.set_yscale("log")
    ax.set(xlim=(-_LARGEST_Z, _LARGEST_Z), ylim=(0.7 * _LEAST_DRAWN, 1e18))
    ticks = [-100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0]
    ax.set_xticks(ticks, [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
    axes.finish(ax, "logit $z$", f"error of {function}(z) in ULP", columns=2)
    return ax


@cache
def _exact(function: str) -> NDArray[np.object_]:
    """Exact results at all points."""
    z = _points()
    return np.array([_EXACT[function](one) for one in z.ravel().tolist()]).reshape(z.shape)


def _points() -> NDArray[np.float64]:
    """Random logits, shape (bins, points), the same at every call."""
    largest = _LINEAR_UP_TO + math.log10(_LARGEST_Z / _LINEAR_UP_TO)
    edges = np.linspace(-largest, largest, _BINS + 1)
    places = np.random.default_rng(0).uniform(edges[:-1, None], edges[1:, None], (_BINS, _POINTS))
    size = np.abs(places)
    return np.copysign(
        np.where(size <= _LINEAR_UP_TO, size, 10.0 ** (size - _LINEAR_UP_TO)), places
    )


# Exact results -------------------------------------------------------------------------


def _sigmoid(z: float) -> Decimal:
    with decimal.localcontext(prec=_digits(z)):
        return 1 / (1 + (-Decimal(z)).exp())


def _sigmoid_derivative(z: float) -> Decimal:
    with decimal.localcontext(prec=_digits(z)):
        return _sigmoid(z) * _sigmoid(-z)


def _softplus(z: float) -> Decimal:
    with decimal.localcontext(prec=_digits(z)):
        return (1 + Decimal(z).exp()).ln()


_EXACT: dict[str, Callable[[float], Decimal]] = {
    "sigmoid": _sigmoid,
    "sigmoid_derivative": _sigmoid_derivative,
    "log_sigmoid": lambda z: _softplus(-z).copy_negate(),  # unlike -, it does not round
    "softplus": _softplus,
}


def _digits(z: float) -> int:
    """Decimal digits to compute with; |z| / ln 10 of them are lost in 1 + e^-|z|."""
    return _DIGITS + math.ceil(abs(z) / math.log(10.0))


# Implementations -----------------------------------------------------------------------


def _implementations(function: str) -> dict[str, Compute]:
    """The function of each library that is installed, by the library's name and version."""
    found: dict[str, Compute] = {
        "fastlogit": getattr(elementwise, function),
        "textbook": _TEXTBOOK[function],
    }
    for name, (module, find) in _LIBRARIES.items():
        if find_spec(module) is not None:
            with suppress(ImportError), warnings.catch_warnings():  # a broken installation
                warnings.simplefilter("ignore")
                found[f"{name} {version(module)}"] = find(function)
    return found


def _textbook_sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    y: NDArray[np.float64] = 1 / (1 + np.exp(-z))
    return y


def _quiet(compute: Compute) -> Compute:
    """The same function without NumPy's warnings."""

    def with_no_warning(z: NDArray[np.float64]) -> Any:
        with np.errstate(all="ignore"):
            return compute(z)

    return with_no_warning


_TEXTBOOK: dict[str, Compute] = {
    "sigmoid": _quiet(_textbook_sigmoid),
    "sigmoid_derivative": _quiet(lambda z: _textbook_sigmoid(z) * (1 - _textbook_sigmoid(z))),
    "log_sigmoid": _quiet(lambda z: np.log(_textbook_sigmoid(z))),
    "softplus": _quiet(lambda z: np.log(1 + np.exp(z))),
}


def _scipy(function: str) -> Compute:
    from scipy import special

    functions: dict[str, Compute] = {
        "sigmoid": special.expit,
        "sigmoid_derivative": lambda z: special.expit(z) * special.expit(-z),
        "log_sigmoid": special.log_expit,
        "softplus": lambda z: -special.log_expit(-z),
    }
    return functions[function]


def _torch(function: str) -> Compute:
    torch = importlib.import_module("torch")
    functional = torch.nn.functional

    functions: dict[str, Compute] = {
        "sigmoid": torch.sigmoid,
        "sigmoid_derivative": lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
        "log_sigmoid": functional.logsigmoid,
        "softplus": functional.softplus,
    }
    return lambda z: functions[function](torch.from_numpy(z)).numpy()


def _jax(function: str) -> Compute:
    jax = importlib.import_module("jax")
    with_float64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64

    functions: dict[str, Compute] = {
        "sigmoid": jax.nn.sigmoid,
        "sigmoid_derivative": lambda z: jax.nn.sigmoid(z) * jax.nn.sigmoid(-z),
        "log_sigmoid": jax.nn.log_sigmoid,
        "softplus": jax.nn.softplus,
    }

    def compute(z: NDArray[np.float64]) -> Any:
        with with_float64(True):
            return np.asarray(functions[function](z))

    return compute


_LIBRARIES: dict[str, tuple[str, Callable[[str], Compute]]] = {
    "SciPy": ("scipy", _scipy),
    "PyTorch": ("torch", _torch),
    "JAX": ("jax", _jax),
}
