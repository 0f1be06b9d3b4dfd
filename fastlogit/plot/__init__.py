"""Pictures of the mathematics, of rounding errors, of a model, and of how good it is on data.

===================  =====================================================================
mathematics          `logistic`, `derivative`, `cross_entropy`, `gradient`, `softmax`
exactness            `tails`: the errors of formulas and libraries, in ULP
model                `convergence`, `coefficients`
evaluation           `reliability`, `roc`, `precision_recall`, `confusion_matrix`
boundary             `decision_boundary`
===================  =====================================================================

A model may have two classes or more.  Of more than two, the curves of `evaluation` compare each
with all others.

Every function draws on the given axes, or in a new figure, and returns the axes; none shows a
figure.  Several models of two classes may be drawn on the same axes.  A figure without a layout
engine gets the constrained one, as legends stand above the axes.

Colour-blind readers can tell the colours apart, and line styles and markers work in grey.
``fastlogit plot NAME -o FILE`` writes a picture as PNG, SVG or PDF.
"""

from fastlogit.plot.boundary import decision_boundary
from fastlogit.plot.evaluation import confusion_matrix, precision_recall, reliability, roc
from fastlogit.plot.exactness import tails
from fastlogit.plot.mathematics import cross_entropy, derivative, gradient, logistic, softmax
from fastlogit.plot.model import coefficients, convergence

__all__ = [
    "coefficients",
    "confusion_matrix",
    "convergence",
    "cross_entropy",
    "decision_boundary",
    "derivative",
    "gradient",
    "logistic",
    "precision_recall",
    "reliability",
    "roc",
    "softmax",
    "tails",
]
