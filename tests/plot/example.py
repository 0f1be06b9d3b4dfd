"""Models and data to draw, and how to read a picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import fastlogit as fl
from fastlogit import plot

RNG = np.random.default_rng(0)
X = (8 * RNG.normal(size=(900, 2))).round() / 8  # logits are exact, and some are equal
MODEL = fl.LogisticModel([1.5, -1.0], 0.5, ("age", "dose"))
Z = X @ MODEL.coef + MODEL.intercept
Y = special.expit(Z)
T = (RNG.random(900) < Y).astype(int)
STEEP = fl.LogisticModel([51.0, -36.0], 0.5)
# Three classes; the second has most rows.
CLASSES = fl.LogisticModel(
    [[1.5, -1.0], [-0.5, 1.0], [-1.0, 0.0]], [0.0, 1.0, -0.5], ("age", "dose")
)
_P = special.softmax(X @ CLASSES.coef.T + CLASSES.intercept, axis=1)
T_CLASSES = (RNG.random((900, 1)) > _P.cumsum(axis=1)).sum(axis=1)
CURVES = [plot.reliability, plot.roc, plot.precision_recall]
OF_DATA = [*CURVES, plot.confusion_matrix, plot.decision_boundary]
each = pytest.mark.parametrize("draw", OF_DATA, ids=lambda draw: draw.__name__)


def shown(text):
    """The text that matplotlib draws, which must not be a formula."""
    found, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    return found


def last(ax):
    """The curve: the last line that is drawn."""
    return ax.lines[-1].get_xydata()


def assert_same(ax, other, rtol=0.0):
    """Two pictures have the same lines, matrices and texts."""
    assert len(ax.lines) + len(ax.images) > 0
    for line, expected in zip(ax.lines, other.lines, strict=True):
        np.testing.assert_allclose(line.get_xydata(), expected.get_xydata(), rtol=rtol)
        assert line.get_label() == expected.get_label()
    for image, expected in zip(ax.images, other.images, strict=True):
        np.testing.assert_array_equal(image.get_array(), expected.get_array())
    for one, two in ((ax.title, other.title), (ax.xaxis.label, other.xaxis.label)):
        assert one.get_text() == two.get_text()
