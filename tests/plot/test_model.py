"""The pictures of a model alone: the history of its training, and its coefficients."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastlogit as fl
from fastlogit import plot
from fastlogit.models.model import History
from tests.plot.example import CLASSES, MODEL, RNG, T, X, last, shown


def test_convergence_is_the_history():
    t = (RNG.random(900) < fl.sigmoid(X[:, 0])).astype(int)
    model = fl.fit(X, t)
    loss, norm = plot.convergence(model).lines
    np.testing.assert_array_equal(loss.get_xdata(), model.history.passes)
    np.testing.assert_array_equal(norm.get_ydata(), model.history.gradient_norm)
    objective = np.array(model.history.objective)
    gap = objective - objective.min()
    np.testing.assert_array_equal(loss.get_ydata(), np.where(gap > 0, gap, np.nan))


def test_convergence_of_a_step_that_was_far_too_long():
    history = History((1, 2, 3), (0.6, np.inf, 0.5), (0.1, np.nan, 0.0), (0, 1, 1), (0, 0, 0))
    loss, norm = plot.convergence(fl.LogisticModel([1.0], history=history)).lines
    np.testing.assert_allclose(loss.get_ydata(), [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(norm.get_ydata(), [0.1, np.nan, np.nan])


def test_convergence_of_one_pass():
    history = History((1,), (0.6,), (0.1,), (0,), (0,))
    ax = plot.convergence(fl.LogisticModel([1.0], history=history))
    assert [line.get_label() for line in ax.lines] == ["gradient norm"]
    left, right = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if left < tick < right] == [1.0]


def test_a_model_without_a_history_is_an_error():
    with pytest.raises(ValueError, match="model must have a history"):
        plot.convergence(MODEL)
    assert not plt.get_fignums()


def test_coefficients_and_their_intervals():
    model = fl.fit({"age": X[:, 0], "dose": X[:, 1]}, T, l2=0)
    ax = plot.coefficients(model, level=0.9)
    np.testing.assert_array_equal(last(ax), np.column_stack([model.coef, [0, 1]]))
    (segments,) = (collection.get_segments() for collection in ax.collections)
    found = np.array(segments)[:, :, 0]
    np.testing.assert_allclose(found, model.confidence_intervals(level=0.9)[:2])
    assert ax.get_legend().get_texts()[0].get_text() == "coefficient, 90 % interval"
    # The first coefficient is at the top.
    assert ax.yaxis_inverted()


def test_the_largest_coefficients_in_their_order():
    coef = np.array([0.1, -5.0, 0.0, 3.0, 0.2])
    ax = plot.coefficients(fl.LogisticModel(coef), most=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x1", "x3", "x4"]
    np.testing.assert_array_equal(ax.lines[-1].get_xdata(), [-5.0, 3.0, 0.2])
    assert "3 of 5" in ax.get_xlabel()
    assert ax.lines[-1].get_label() == "coefficient"


def test_coefficients_of_several_classes_are_a_matrix():
    names = ("low", "$mid$", "high")
    model = fl.LogisticModel(CLASSES.coef, CLASSES.intercept, ("age", "dose"), classes=names)
    ax = plot.coefficients(model)
    np.testing.assert_array_equal(ax.images[0].get_array(), CLASSES.coef.T)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["age", "dose"]
    assert tuple(shown(label) for label in ax.get_xticklabels()) == names
    texts = ["1.5", "\N{MINUS SIGN}0.5", "\N{MINUS SIGN}1", "\N{MINUS SIGN}1", "1", "0"]
    assert [text.get_text() for text in ax.texts] == texts
    # Colours of opposite numbers are opposite, and that of 0 is in the middle.
    np.testing.assert_allclose(ax.images[0].norm([-1.5, -1.0, 0.0]), [0.0, 0.1, 0.5], atol=0.05)
    assert ax.get_ylabel() == "feature"


def test_the_largest_coefficients_of_many_classes():
    coef = np.zeros((9, 5))
    coef[[2, 7, 1], [4, 0, 3]] = [-5.0, 3.0, 100.0]
    ax = plot.coefficients(fl.LogisticModel(coef), most=3)
    np.testing.assert_array_equal(ax.images[0].get_array(), coef.T[[0, 3, 4]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x0", "x3", "x4"]
    assert ax.get_ylabel() == "feature (3 of 5)"
    assert not ax.texts
    # One large coefficient does not bleach the others.
    assert ax.images[0].norm(3.0) > 0.55


@pytest.mark.parametrize("largest", [0.0, 1e-300, 1.7e308])
def test_coefficients_of_several_classes_of_any_size(largest):
    ax = plot.coefficients(fl.LogisticModel([[largest], [0.0], [-largest]]))
    ax.figure.canvas.draw()
    assert len(ax.images) == 1


def test_bad_options_of_coefficients_are_an_error():
    with pytest.raises(ValueError, match="most must be"):
        plot.coefficients(MODEL, most=0)
    with pytest.raises(ValueError, match="level must lie"):
        plot.coefficients(MODEL, level=2.0)
    assert not plt.get_fignums()
