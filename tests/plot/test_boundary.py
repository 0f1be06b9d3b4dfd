"""The decision boundary: its lines, its points and its legend."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import special

import fastlogit as fl
from fastlogit import plot
from tests.plot.example import CLASSES, MODEL, STEEP, T_CLASSES, T, X

LEVELS = [0.1, 0.25, 0.5, 0.75, 0.9]


@pytest.mark.parametrize(("model", "labels"), [(MODEL, 5), (STEEP, 0)], ids=["flat", "steep"])
def test_lines_have_the_probability_of_their_labels(model, labels):
    ax = plot.decision_boundary(model, X, T)
    ones, zeros, _ = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(ones, X[T == 1])
    np.testing.assert_array_equal(zeros, X[T == 0])
    (contours,) = ax.collections
    for y, path in zip(LEVELS, contours.get_paths(), strict=True):
        z = path.vertices @ model.coef + model.intercept
        np.testing.assert_allclose(special.expit(z), y, rtol=1e-9)
        # Lines end at the frame.
        inside = np.abs(path.vertices - np.mean([ax.get_xlim(), ax.get_ylim()], axis=1))
        ends = np.ptp([ax.get_xlim(), ax.get_ylim()], axis=1) / 2
        assert np.isclose(inside, ends, rtol=1e-9).any(axis=1).all()
    assert list(contours.get_linewidths()) == [1.0, 1.0, 2.5, 1.0, 1.0]
    # Steep lines lie too close for numbers.
    assert [text.get_text() for text in ax.texts] == [f"{y:g}" for y in LEVELS][:labels]
    for text, path in zip(ax.texts, contours.get_paths(), strict=False):
        np.testing.assert_allclose(text.get_position(), path.vertices.mean(axis=0))
    legend = ["t = 1", "t = 0", "probability of t = 1: 0.1, 0.25, 0.5, 0.75, 0.9"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == legend


def test_without_a_line_in_view_the_legend_shows_the_range():
    for model, said in (
        (fl.LogisticModel([0.1, 0.0], 5.0), "probability of t = 1: 0.99 to 1"),
        (fl.LogisticModel([0.0, 0.0], 1.0), "probability of t = 1: 0.73 to 0.73"),
    ):
        ax = plot.decision_boundary(model, X, T)
        assert not ax.collections
        assert ax.lines[-1].get_label() == said


def test_of_many_rows_some_are_drawn():
    ax = plot.decision_boundary(MODEL, np.repeat(X, 5, axis=0), np.repeat(T, 5))
    assert sum(len(line.get_xydata()) for line in ax.lines) == 1500


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fl.LogisticModel([1.0]), "model must have two numeric features; got 1"),
        (fl.LogisticModel(np.ones((4, 3))), "model must have two numeric features; got 3"),
        (
            fl.LogisticModel([1.0, 2.0], 0.0, ("c=a", "c=b"), categories={"c": ("a", "b")}),
            "model must have two numeric features; got text",
        ),
    ],
)
def test_a_boundary_needs_two_features(model, message):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(model, X, T)
    assert not plt.get_fignums()


# Several classes ------------------------------------------------------------------------------


def regions(ax):
    """The polygons of the classes by their names."""
    filled = [patch for patch in ax.patches if patch.get_fill()]
    return {text.get_text(): patch for text, patch in zip(ax.texts, filled, strict=True)}


def test_regions_are_where_a_class_is_the_most_probable():
    rng = np.random.default_rng(0)
    names = tuple("abcdefg")
    centres = rng.normal(size=(7, 2))
    intercept = -(centres**2).sum(axis=1) / 2
    model = fl.LogisticModel(centres, intercept, classes=names)
    ax = plot.decision_boundary(model, 2.0 * centres, names)
    view = rng.uniform(*np.transpose([ax.get_xlim(), ax.get_ylim()]), (2000, 2))
    found = model.predict(view)
    assert 5 <= len(regions(ax)) <= 7
    assert set(found) == set(regions(ax))
    for name, patch in regions(ax).items():
        inside = patch.get_path().contains_points(view)
        np.testing.assert_array_equal(inside, found == name)
    # Each name stands in its region.
    places = np.array([text.get_position() for text in ax.texts])
    assert model.predict(places).tolist() == list(regions(ax))


def test_rows_of_several_classes():
    ax = plot.decision_boundary(CLASSES, X, T_CLASSES)
    for k, line in enumerate(ax.lines):
        np.testing.assert_array_equal(line.get_xydata(), X[k == T_CLASSES])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["t = 0", "t = 1", "t = 2"]
    colours = [patch.get_facecolor()[:3] for patch in regions(ax).values()]
    assert colours == [to_rgb(line.get_color()) for line in ax.lines]


def test_a_class_that_is_never_the_most_probable_has_no_region():
    model = fl.LogisticModel(CLASSES.coef, [0.0, 0.0, -50.0], classes=("a", "b", "c"))
    assert list(regions(plot.decision_boundary(model, X, np.array(list("abc"))[T_CLASSES]))) == [
        "a",
        "b",
    ]


def test_equal_classes_share_a_region():
    ax = plot.decision_boundary(fl.LogisticModel(np.zeros((3, 2))), X, T_CLASSES)
    assert list(regions(ax)) == ["0", "1", "2"]


def test_of_many_classes_25_have_looks():
    rng = np.random.default_rng(1)
    t = np.arange(900) % 30
    ax = plot.decision_boundary(fl.LogisticModel(rng.normal(size=(30, 2))), X, t)
    looks = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len(looks) == len(ax.lines) == 26
    assert ax.lines[-1].get_label() == "5 other classes"
    assert sum(len(line.get_xydata()) for line in ax.lines) == 900
