"""Pictures: the mathematics, where others lose their digits, and how good a model is.

===================  =====================================================================
mathematics          `logistic`, `derivative`, `cross_entropy`, `gradient`
exactness            `tails`: the error of formulas and libraries, in units in the last place
of a model           `convergence`, `coefficients`
of a model and data  `reliability`, `roc`, `precision_recall`, `decision_boundary`
===================  =====================================================================

Every function takes the axes to draw on, or makes a new figure, and returns the axes; none shows
anything.  A figure that has no layout engine gets the constrained one, as legends stand above the
axes.  The curves of several models may be drawn on the same axes.  The colours can be told apart by
colour-blind eyes; line styles and markers in grey.
``fastlogit plot NAME -o FILE`` writes each as PNG, SVG or PDF.
"""

from fastlogit.plot.evaluation import (
    coefficients,
    convergence,
    decision_boundary,
    precision_recall,
    reliability,
    roc,
)
from fastlogit.plot.exactness import tails
from fastlogit.plot.mathematics import cross_entropy, derivative, gradient, logistic

__all__ = [
    "coefficients",
    "convergence",
    "cross_entropy",
    "decision_boundary",
    "derivative",
    "gradient",
    "logistic",
    "precision_recall",
    "reliability",
    "roc",
    "tails",
]
