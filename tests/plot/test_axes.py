"""All pictures: axes, labels, lines that differ in grey; and the curves of formulas."""

from __future__ import annotations

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import fastlogit as fl
from fastlogit import plot

X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0], [4.0, 0.0]])
T = np.array([0, 1, 0, 1, 1])
T_CLASSES = np.array([0, 1, 2, 1, 0])
# The number of arguments that each picture takes, of a model, X and T.
ARGUMENTS = {
    plot.logistic: 0,
    plot.derivative: 0,
    plot.cross_entropy: 0,
    plot.gradient: 0,
    plot.softmax: 0,
    plot.tails: 0,
    plot.convergence: 1,
    plot.coefficients: 1,
    plot.reliability: 3,
    plot.roc: 3,
    plot.precision_recall: 3,
    plot.confusion_matrix: 3,
    plot.decision_boundary: 3,
}
PAIRS = {plot.cross_entropy, plot.gradient, plot.softmax}
MATHEMATICS = [plot.logistic, plot.derivative, plot.cross_entropy, plot.gradient]


def of_classes(draw):
    """The picture of a model of three classes."""

    def draw_classes(*given, ax=None):
        assert not given
        return draw(*(model((0, 1, 2, 0, 1, 2)), X, T_CLASSES)[: ARGUMENTS[draw]], ax=ax)

    draw_classes.__name__ = f"{draw.__name__}_of_classes"
    return draw_classes


CLASSES = {draw: of_classes(draw) for draw, count in ARGUMENTS.items() if count}
each = pytest.mark.parametrize(
    "draw", [*ARGUMENTS, *CLASSES.values()], ids=lambda draw: draw.__name__
)


@cache
def model(t=(0, 1, 1, 0, 0, 1)):
    data = {"age": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "dose": [1.0, 0.0, 2.0, 1.0, 3.0, 0.5]}
    return fl.fit(data, t, l2=0 if max(t) == 1 else 1)


def arguments(draw):
    return (model(), X, T)[:count] if (count := ARGUMENTS.get(draw)) else ()


def drawn(draw, ax=None):
    """The axes of the picture, as a list."""
    found = draw(*arguments(draw), ax=ax)
    return list(found) if draw in PAIRS else [found]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


# The textbook formulas are accurate in the range that is drawn.
@pytest.mark.parametrize(
    ("draw", "formulas"),
    [
        (plot.logistic, [[sigmoid, lambda z: 1 - sigmoid(z)]]),
        (plot.derivative, [[lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2]]),
        (
            plot.cross_entropy,
            [
                [lambda y: -np.log(y), lambda y: -np.log(1 - y)],
                [lambda z: np.log(1 + np.exp(-z)), lambda z: np.log(1 + np.exp(z))],
            ],
        ),
        (
            plot.gradient,
            [
                [lambda y: -1 / y, lambda y: 1 / (1 - y)],
                [lambda z: sigmoid(z) - 1, sigmoid],
            ],
        ),
        (
            plot.softmax,
            [
                [
                    lambda z: sigmoid(z - np.log(2)),
                    lambda z: sigmoid(np.log(2) - z) / 2,
                    sigmoid,
                    lambda z: sigmoid(-z),
                ],
                [
                    lambda z: np.log(1 + 2 * np.exp(-z)),
                    lambda z: np.log(np.exp(z) + 2),
                    lambda z: np.log(1 + np.exp(-z)),
                    lambda z: np.log(1 + np.exp(z)),
                ],
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_curves_are_what_the_formulas_give(draw, formulas):
    for ax, of_curves in zip(drawn(draw), formulas, strict=True):
        assert len(ax.lines) == len(of_curves)
        for line, formula in zip(ax.lines, of_curves, strict=True):
            x, height = line.get_data()
            assert x.size > 500
            assert np.all(np.diff(x) > 0)
            np.testing.assert_allclose(height, formula(x), rtol=1e-11, atol=1e-15)


def test_ranges():
    for draw in MATHEMATICS:
        ax = drawn(draw)[-1]
        assert ax.get_xlim() == (-8.0, 8.0)
    for draw in PAIRS - {plot.softmax}:
        over_y = drawn(draw)[0]
        assert over_y.get_xlim() == (0.0, 1.0)
        # The curves leave the picture before they end.
        low, high = over_y.get_ylim()
        heights = np.concatenate([line.get_ydata() for line in over_y.lines])
        assert heights.max() > high
        assert heights.min() <= low + 0.01


@each
def test_draws_on_the_axes_given(draw):
    _, (left, middle, right) = plt.subplots(ncols=3)
    given = [left, middle] if draw in PAIRS else left
    figures = plt.get_fignums()
    assert drawn(draw, given) == ([left, middle] if draw in PAIRS else [left])
    assert not right.lines
    assert plt.get_fignums() == figures


@each
def test_makes_a_figure_of_its_own(draw):
    _, before = plt.subplots()
    axes = drawn(draw)
    assert before not in axes
    assert not before.lines
    assert len(plt.get_fignums()) == 2


@each
@pytest.mark.parametrize("ax", ["axes", 1, [None, None]], ids=str)
def test_other_axes_are_an_error(draw, ax):
    with pytest.raises(TypeError, match=r"^ax must be"):
        draw(*arguments(draw), ax=ax)
    assert not plt.get_fignums()


@each
def test_never_shows(draw, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: pytest.fail("shown"))
    draw(*arguments(draw))


@pytest.mark.parametrize("draw", CLASSES, ids=lambda draw: draw.__name__)
def test_many_classes_with_long_names_fit(draw):
    rng, K = np.random.default_rng(0), 30
    names = tuple(f"a class with a long name, {k}" for k in range(K))
    history = model().history
    trained = fl.LogisticModel(rng.normal(size=(K, 2)), classes=names, history=history)
    t = np.array(names)[np.arange(90) % K]
    ax = draw(*(trained, rng.normal(size=(90, 2)), t)[: ARGUMENTS[draw]])
    ax.figure.canvas.draw()  # a warning, if there is no room, would be an error
    legend = ax.get_legend()
    for box in [ax.get_window_extent(), *([legend.get_window_extent()] if legend else [])]:
        assert box.x0 >= 0
        assert box.x1 <= ax.figure.bbox.x1
        assert box.y1 <= ax.figure.bbox.y1
    assert ax.get_window_extent().height > 100


LOGIT, PROBABILITY = "logit $z$ (log-odds)", "predicted probability $y$"
# Labels of the axes, with units.
NAMES = {
    plot.logistic: [(LOGIT, "probability")],
    plot.derivative: [(LOGIT, r"derivative $d\sigma/dz$")],
    plot.cross_entropy: [
        (PROBABILITY, r"cross-entropy $\xi(t, y)$ in nats"),
        (LOGIT, r"cross-entropy $\xi(t, \sigma(z))$ in nats"),
    ],
    plot.gradient: [
        (PROBABILITY, r"$\partial\xi/\partial y$ in nats"),
        (LOGIT, r"$\partial\xi/\partial z$ in nats"),
    ],
    plot.softmax: [
        ("logit $z$ of the first class", "probability"),
        ("logit $z$ of the first class", "cross-entropy in nats"),
    ],
    plot.tails: [("logit $z$", "error of log_sigmoid(z) in ULP")],
    plot.convergence: [("passes over X", "nats")],
    plot.coefficients: [("log-odds per unit of a feature", "")],
    plot.reliability: [("mean predicted probability", "frequency of t = 1")],
    plot.roc: [("false positive rate", "true positive rate")],
    plot.precision_recall: [("recall", "precision")],
    plot.confusion_matrix: [("predicted class", "class")],
    plot.decision_boundary: [("age", "dose")],
}
NAMES |= {drawn_classes: NAMES[draw] for draw, drawn_classes in CLASSES.items()} | {
    CLASSES[plot.coefficients]: [("class", "feature")],
    CLASSES[plot.reliability]: [("mean predicted probability", "frequency of a class")],
}
# Pictures with a colour bar, and its label.
WITH_BAR = {
    plot.confusion_matrix: "% of the class",
    CLASSES[plot.confusion_matrix]: "% of the class",
    CLASSES[plot.coefficients]: "log-odds per unit",
}


@each
def test_axes_and_curves_are_labelled(draw):
    axes = drawn(draw)
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes] == NAMES[draw]
    if draw in WITH_BAR:
        (ax,) = axes
        assert ax.images[0].colorbar.ax.get_ylabel() == WITH_BAR[draw]
        return
    for ax in axes:
        labels = [text.get_text() for text in ax.get_legend().get_texts()]
        lines = [line for line in ax.lines if not line.get_label().startswith("_")]
        assert labels == [line.get_label() for line in lines]
        assert labels


@each
def test_lines_differ_without_colour(draw):
    for ax in drawn(draw):
        lines = [line for line in ax.lines if not line.get_label().startswith("_")]
        looks = {(str(line._dash_pattern), line.get_marker()) for line in lines}
        assert len(looks) == len(lines)
        # WCAG requires a contrast of 3:1 for graphics.
        for line in lines:
            rgb = np.array(to_rgb(line.get_color()))
            linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
            assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 3.0


@each
@pytest.mark.parametrize(("width", "layout"), [(3.2, None), (6.4, "constrained")])
def test_nothing_is_clipped_or_hidden(draw, width, layout):
    columns = 2 if draw in PAIRS else 1
    figure, ax = plt.subplots(ncols=columns, figsize=(columns * width, 0.75 * width), layout=layout)
    for one in drawn(draw, ax):
        figure.canvas.draw()
        names = [one.xaxis.label, one.yaxis.label]
        if draw in WITH_BAR:
            names += [one.title, one.images[0].colorbar.ax.yaxis.label]
        else:
            names += [one.get_legend()]
            assert names[-1].get_window_extent().y0 >= one.get_window_extent().y1  # hides no curve
        if draw in WITH_BAR or draw is plot.coefficients:
            names += one.get_yticklabels()
        for text in (name.get_window_extent() for name in names):
            if not text.width:
                continue
            assert text.x0 >= 0
            assert text.y0 >= 0
            assert text.x1 <= figure.bbox.x1
            assert text.y1 <= figure.bbox.y1
