"""Pictures: the data drawn, what the axes say, and that it can be told apart in grey."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

from fastlogit import plot

PLOTS = [plot.logistic, plot.derivative, plot.cross_entropy, plot.gradient]
each = pytest.mark.parametrize("draw", PLOTS, ids=lambda draw: draw.__name__)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


# The textbook formulas, which are good enough for the range that is drawn.
@pytest.mark.parametrize(
    ("draw", "formulas"),
    [
        (plot.logistic, [sigmoid, lambda z: 1 - sigmoid(z)]),
        (plot.derivative, [lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2]),
        (plot.cross_entropy, [lambda y: -np.log(y), lambda y: -np.log(1 - y)]),
        (plot.gradient, [lambda z: sigmoid(z) - 1, sigmoid]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_data(draw, formulas):
    lines = draw().lines
    assert len(lines) == len(formulas)
    for line, formula in zip(lines, formulas, strict=True):
        x, height = line.get_data()
        assert x.size > 500
        assert np.all(np.diff(x) > 0)
        np.testing.assert_allclose(height, formula(x), rtol=1e-12, atol=1e-15)


def test_ranges():
    for draw in (plot.logistic, plot.derivative, plot.gradient):
        assert draw().get_xlim() == (-8.0, 8.0)
    assert plot.cross_entropy().get_xlim() == (0.0, 1.0)
    assert plot.cross_entropy().get_ylim() == (0.0, 5.0)


@each
def test_draws_on_the_axes_given(draw):
    _, (left, right) = plt.subplots(ncols=2)
    figures = plt.get_fignums()
    assert draw(ax=left) is left
    assert draw(left) is left
    assert not right.lines
    assert plt.get_fignums() == figures


@each
def test_makes_a_figure_of_its_own(draw):
    _, before = plt.subplots()
    ax = draw()
    assert ax is not before
    assert not before.lines
    assert len(plt.get_fignums()) == 2


@each
def test_never_shows(draw, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("shown"))
    draw()


@each
def test_says_what_it_shows(draw):
    ax = draw()
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [line.get_label() for line in ax.lines]
    assert not any(label.startswith("_") for label in labels)


@each
def test_lines_differ_without_colour(draw):
    lines = draw().lines
    assert len({line.get_linestyle() for line in lines}) == len(lines)
    # Dark enough on white for a contrast of 3:1, which WCAG asks of graphics.
    for line in lines:
        rgb = np.array(to_rgb(line.get_color()))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 3.0


@each
@pytest.mark.parametrize("size", [(6.4, 4.8), (3.2, 2.4)], ids=str)
def test_nothing_is_clipped_or_hidden(draw, size):
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    draw(ax)
    figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    inside = ax.get_window_extent()
    assert legend.y0 >= inside.y1  # hides no curve
    for text in (legend, ax.xaxis.label.get_window_extent(), ax.yaxis.label.get_window_extent()):
        assert text.x0 >= 0
        assert text.y0 >= 0
        assert text.x1 <= figure.bbox.x1
        assert text.y1 <= figure.bbox.y1
