"""Pictures of the logistic function, the softmax, the cross-entropy, and their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit import classes, elementwise
from fastlogit.plot import axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_LOGIT = "logit $z$ (log-odds)"
_PROBABILITY = "predicted probability $y$"


def logistic(ax: Axes | None = None) -> Axes:
    """Draw the logistic function: the probabilities of t = 1 and t = 0 over the logit z.

    P(t=1|z) = σ(z) = 1 / (1 + e^-z), and P(t=0|z) = 1 - σ(z) = σ(-z).

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.

    Examples
    --------
    >>> from fastlogit.plot import logistic
    >>> ax = logistic()
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('logit $z$ (log-odds)', 'probability')
    """
    ax = axes.single(ax)
    z = _logits()
    curves = {
        r"$P(t{=}1\mid z) = \sigma(z)$": elementwise.sigmoid(z),
        r"$P(t{=}0\mid z) = \sigma(-z)$": elementwise.sigmoid(-z),
    }
    axes.draw_curves(ax, z, curves, _LOGIT, "probability")
    return ax


def derivative(ax: Axes | None = None) -> Axes:
    """Draw the derivative of the logistic function, σ'(z) = σ(z) σ(-z), over the logit z.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.

    Examples
    --------
    >>> from fastlogit.plot import derivative
    >>> ax = derivative()
    >>> z, slope = ax.lines[0].get_data()
    >>> float(slope.max())
    0.25
    """
    ax = axes.single(ax)
    z = _logits()
    curves = {r"$\sigma'(z) = \sigma(z)\,\sigma(-z)$": elementwise.sigmoid_derivative(z)}
    axes.draw_curves(ax, z, curves, _LOGIT, r"derivative $d\sigma/dz$")
    return ax


def cross_entropy(ax: Sequence[Axes] | None = None) -> NDArray[Any]:
    """Draw the cross-entropy of the targets t = 1 and t = 0, over the probability and the logit.

    ξ(1, y) = -log y and ξ(0, y) = -log(1 - y).  With y = σ(z) they are log(1 + e^-z) and
    log(1 + e^z).  The loss goes to infinity where y goes to 0 or 1, but grows no faster than |z|.

    Parameters
    ----------
    ax : two matplotlib Axes, optional
        Where to draw, over y and over z; default: side by side in a new figure.

    Returns
    -------
    ndarray (2,) of matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.

    Examples
    --------
    >>> from fastlogit.plot import cross_entropy
    >>> over_y, over_z = cross_entropy()
    >>> over_y.get_xlabel(), over_z.get_xlabel()
    ('predicted probability $y$', 'logit $z$ (log-odds)')
    """
    over_y, over_z = axes.pair(ax)
    y, z = _probabilities(), _logits()
    curves_over_y = {
        r"$t = 1$: $-\log y$": elementwise.cross_entropy(y, 1),
        r"$t = 0$: $-\log(1 - y)$": elementwise.cross_entropy(y, 0),
    }
    curves_over_z = {
        r"$t = 1$: $\log(1 + e^{-z})$": elementwise.logistic_loss(z, 1),
        r"$t = 0$: $\log(1 + e^{z})$": elementwise.logistic_loss(z, 0),
    }
    axes.draw_curves(over_y, y, curves_over_y, _PROBABILITY, r"cross-entropy $\xi(t, y)$ in nats")
    axes.draw_curves(over_z, z, curves_over_z, _LOGIT, r"cross-entropy $\xi(t, \sigma(z))$ in nats")
    over_y.set(xlim=(0.0, 1.0), ylim=(0.0, 8.0))
    over_z.set(ylim=(0.0, 8.0))
    return np.array([over_y, over_z])


def gradient(ax: Sequence[Axes] | None = None) -> NDArray[Any]:
    """Draw the derivatives of the cross-entropy by the probability y and by the logit z.

    ∂ξ/∂y = (y - t) / (y (1 - y)) is unbounded.  Multiplied by ∂y/∂z = y (1 - y), it becomes
    ∂ξ/∂z = y - t, which lies between -1 and 1.

    Parameters
    ----------
    ax : two matplotlib Axes, optional
        Where to draw, over y and over z; default: side by side in a new figure.

    Returns
    -------
    ndarray (2,) of matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.

    Examples
    --------
    >>> from fastlogit.plot import gradient
    >>> over_y, over_z = gradient()
    >>> [line.get_linestyle() for line in over_z.lines]
    ['-', '--']
    """
    over_y, over_z = axes.pair(ax)
    y, z = _probabilities(), _logits()
    curves_over_y = {
        r"$t = 1$: $-1 / y$": elementwise.cross_entropy_derivative(y, 1),
        r"$t = 0$: $1 / (1 - y)$": elementwise.cross_entropy_derivative(y, 0),
    }
    curves_over_z = {
        r"$t = 1$: $\sigma(z) - 1$": elementwise.residual(z, 1),
        r"$t = 0$: $\sigma(z)$": elementwise.residual(z, 0),
    }
    axes.draw_curves(over_y, y, curves_over_y, _PROBABILITY, r"$\partial\xi/\partial y$ in nats")
    axes.draw_curves(over_z, z, curves_over_z, _LOGIT, r"$\partial\xi/\partial z$ in nats")
    over_y.set(xlim=(0.0, 1.0), ylim=(-10.0, 10.0))
    return np.array([over_y, over_z])


def softmax(ax: Sequence[Axes] | None = None) -> NDArray[Any]:
    """Draw probabilities and losses of three classes with the logits z, 0, 0, and of two classes.

    The first class has the probability e^z / (e^z + 2) = σ(z - log 2): a third class moves the
    logistic function by log 2.  Its loss is log(1 + 2 e^-z).  Each of the others has the loss
    log(e^z + 2), which is never less than log 2, as the other one is as probable.

    Parameters
    ----------
    ax : two matplotlib Axes, optional
        Where to draw, the probabilities and the losses; default: side by side in a new figure.

    Returns
    -------
    ndarray (2,) of matplotlib Axes

    Raises
    ------
    TypeError
        If `ax` is something else.

    Examples
    --------
    >>> from fastlogit.plot import softmax
    >>> probabilities, losses = softmax()
    >>> z, p = probabilities.lines[0].get_data()
    >>> p[z == 0.0]
    array([0.33333333])
    """
    of_probabilities, of_losses = axes.pair(ax)
    z = _logits()
    Z = np.column_stack([z, np.zeros((z.size, 2))])
    p = classes.softmax(Z)
    loss, other_loss = (classes.softmax_loss(Z, np.full(z.size, t)) for t in (0, 1))
    probabilities = {
        r"first of three: $e^z / (e^z + 2)$": p[:, 0],
        r"others of three: $1 / (e^z + 2)$": p[:, 1],
        r"first of two: $\sigma(z)$": elementwise.sigmoid(z),
        r"other of two: $\sigma(-z)$": elementwise.sigmoid(-z),
    }
    losses = {
        r"first of three: $\log(1 + 2 e^{-z})$": loss,
        r"others of three: $\log(e^z + 2)$": other_loss,
        r"first of two: $\log(1 + e^{-z})$": elementwise.logistic_loss(z, 1),
        r"other of two: $\log(1 + e^z)$": elementwise.logistic_loss(z, 0),
    }
    xlabel = "logit $z$ of the first class"
    axes.draw_curves(of_probabilities, z, probabilities, xlabel, "probability")
    axes.draw_curves(of_losses, z, losses, xlabel, "cross-entropy in nats")
    of_losses.set(ylim=(0.0, 8.0))
    return np.array([of_probabilities, of_losses])


def _logits() -> NDArray[np.float64]:
    """Logits, 0 among them, up to where σ(z) looks like 0 or 1."""
    return np.linspace(-8.0, 8.0, 801)


def _probabilities() -> NDArray[np.float64]:
    """Probabilities that come so close to 0 and 1 that unbounded curves leave the picture."""
    y: NDArray[np.float64] = elementwise.sigmoid(np.linspace(-12.0, 12.0, 1201))
    return y
