"""Pictures of the logistic function, of its cross-entropy, and of their derivatives.

Every function takes the axes to draw on, or makes a new figure, and returns the axes; none
shows anything.  The colours can be told apart by colour-blind eyes, the line styles in grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np

from fastlogit import elementwise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["cross_entropy", "derivative", "gradient", "logistic"]

# Of a first and a second curve: blue and vermilion of Okabe and Ito's palette.
_STYLES = (("#0072B2", "-"), ("#D55E00", "--"))
_LOGIT = "logit $z$ (log-odds)"


def logistic(ax: Axes | None = None) -> Axes:
    """Draw the logistic function: the probabilities of t = 1 and of t = 0 over the logit z.

    P(t=1|z) = σ(z) = 1 / (1 + e^-z), and P(t=0|z) = 1 - σ(z) = σ(-z).

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from fastlogit.plot import logistic
    >>> ax = logistic()
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('logit $z$ (log-odds)', 'probability')
    """
    z = _logits()
    curves = {
        r"$P(t{=}1\mid z) = \sigma(z)$": elementwise.sigmoid(z),
        r"$P(t{=}0\mid z) = \sigma(-z)$": elementwise.sigmoid(-z),
    }
    return _draw(ax, z, curves, _LOGIT, "probability")


def derivative(ax: Axes | None = None) -> Axes:
    """Draw the derivative of the logistic function, σ'(z) = σ(z) σ(-z), over the logit z.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from fastlogit.plot import derivative
    >>> ax = derivative()
    >>> z, slope = ax.lines[0].get_data()
    >>> float(slope.max())
    0.25
    """
    z = _logits()
    curves = {r"$\sigma'(z) = \sigma(z)\,\sigma(-z)$": elementwise.sigmoid_derivative(z)}
    return _draw(ax, z, curves, _LOGIT, r"derivative $d\sigma/dz$")


def cross_entropy(ax: Axes | None = None) -> Axes:
    """Draw the cross-entropy ξ(t, y) of the targets t = 1 and t = 0 over the probability y.

    ξ(1, y) = -log y and ξ(0, y) = -log(1 - y); both go on to infinity.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from fastlogit.plot import cross_entropy
    >>> ax = cross_entropy()
    >>> ax.get_xlabel(), len(ax.lines)
    ('predicted probability $y$', 2)
    """
    y = np.linspace(0.0, 1.0, 1001)[1:-1]
    curves = {
        r"$\xi(1, y) = -\log y$": elementwise.cross_entropy(y, 1),
        r"$\xi(0, y) = -\log(1 - y)$": elementwise.cross_entropy(y, 0),
    }
    ax = _draw(ax, y, curves, "predicted probability $y$", r"cross-entropy $\xi(t, y)$ in nats")
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 5.0))
    return ax


def gradient(ax: Axes | None = None) -> Axes:
    """Draw the derivative of the cross-entropy by the logit z, ∂ξ/∂z = σ(z) - t, over z.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from fastlogit.plot import gradient
    >>> ax = gradient()
    >>> [line.get_linestyle() for line in ax.lines]
    ['-', '--']
    """
    z = _logits()
    curves = {
        r"$t = 1$: $\sigma(z) - 1$": elementwise.residual(z, 1),
        r"$t = 0$: $\sigma(z)$": elementwise.residual(z, 0),
    }
    return _draw(ax, z, curves, _LOGIT, r"gradient $\partial\xi/\partial z$")


def _logits() -> NDArray[np.float64]:
    """Logits to draw at: up to where σ(z) cannot be told from 0 and 1 by eye, and 0 itself."""
    return np.linspace(-8.0, 8.0, 801)


def _draw(
    ax: Axes | None,
    x: NDArray[np.float64],
    curves: dict[str, NDArray[np.float64]],
    xlabel: str,
    ylabel: str,
) -> Axes:
    """Draw curves, the one for t = 1 first, by their labels."""
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    for (label, values), (color, linestyle) in zip(curves.items(), _STYLES, strict=False):
        ax.plot(x, values, color=color, linestyle=linestyle, label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(x=0.0)
    ax.grid(alpha=0.3)
    # Above the axes, where it hides no curve in however small a picture.
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax
