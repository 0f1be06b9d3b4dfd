"""A model and data to draw, and how to read a picture."""

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
OF_DATA = [plot.reliability, plot.roc, plot.precision_recall, plot.decision_boundary]
each = pytest.mark.parametrize("draw", OF_DATA, ids=lambda draw: draw.__name__)


def shown(text):
    """The text that matplotlib draws, which must not be a formula."""
    found, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    return found


def last(ax):
    """The curve: the last line that is drawn."""
    return ax.lines[-1].get_xydata()
