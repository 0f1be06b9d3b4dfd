"""Calibration, ROC, precision and recall, and confusion, against scikit-learn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import special, stats
from sklearn import calibration, metrics

import fastlogit as fl
from fastlogit import plot
from tests.plot.example import CLASSES, MODEL, T_CLASSES, T, X, Y, Z, last, shown


def test_roc_is_that_of_scikit_learn():
    ax = plot.roc(MODEL, X, T)
    false, true, _ = metrics.roc_curve(T, Z, drop_intermediate=False)
    np.testing.assert_allclose(last(ax), np.column_stack([false, true]), rtol=1e-12)
    assert ax.lines[-1].get_label() == f"900 rows, AUC {metrics.roc_auc_score(T, Z):.4f}"


def test_precision_and_recall_are_those_of_scikit_learn():
    ax = plot.precision_recall(MODEL, X, T)
    precision, recall, _ = metrics.precision_recall_curve(T, Z)
    np.testing.assert_allclose(last(ax)[1:], np.column_stack([recall, precision])[-2::-1])
    average = metrics.average_precision_score(T, Z)
    assert ax.lines[-1].get_label() == f"900 rows, average precision {average:.4f}"
    # Precision is not interpolated between thresholds.
    assert ax.lines[-1].get_drawstyle() == "steps-pre"
    assert ax.lines[0].get_ydata()[0] == T.mean()


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("bins", [1, 4, 10])
def test_reliability_is_that_of_scikit_learn(strategy, bins):
    ax = plot.reliability(MODEL, X, T, bins=bins, strategy=strategy)
    share, mean = calibration.calibration_curve(T, Y, n_bins=bins, strategy=strategy)
    np.testing.assert_allclose(last(ax), np.column_stack([mean, share]), rtol=1e-12)
    (bars,) = ax.figure.axes[1].containers
    counts = [bar.get_height() for bar in bars]
    assert sum(counts) == 900
    # Bars fill the lowest quarter, and short bars are visible.
    beside, edges = bars[0].axes, np.histogram_bin_edges(Y, bins, (0.0, 1.0))
    assert beside.get_yscale() == "log"
    heights = beside.transAxes.inverted().transform(
        beside.transData.transform([[0.5, count] for count in (*counts, 1)])
    )[:, 1]
    np.testing.assert_allclose(heights.max(), 0.25)
    assert heights.min() > 0.02
    assert list(beside.get_yticks()) == [10**k for k in range(3) if 10**k <= max(counts)]
    if strategy == "uniform":
        np.testing.assert_allclose([bar.get_x() for bar in bars], edges[:-1], atol=1e-12)
    # Wilson's intervals, from SciPy.
    (segments,) = (collection.get_segments() for collection in ax.collections)
    for (low, high), count, at in zip(segments, counts, share, strict=True):
        found = stats.binomtest(round(count * at), int(count)).proportion_ci(method="wilson")
        np.testing.assert_allclose([low[1], high[1]], found, rtol=1e-9, atol=1e-12)


def test_bins_of_the_same_probability_are_one():
    ax = plot.reliability(MODEL, np.zeros((4, 2)), [0, 1, 1, 1], strategy="quantile")
    np.testing.assert_allclose(last(ax), [[fl.sigmoid(0.5), 0.75]])


def test_a_bin_of_one_row_and_of_a_hundred_thousand():
    X = np.append(np.full(100_000, -3.0), 3.0)[:, np.newaxis]
    ax = plot.reliability(fl.LogisticModel([1.0]), X, np.append(np.zeros(100_000), 1.0))
    (bars,) = ax.figure.axes[1].containers
    assert [bar.get_height() for bar in bars] == [100_000, 1]
    assert list(bars[0].axes.get_yticks()) == [1, 100, 10_000]
    ax = plot.reliability(fl.LogisticModel([1.0]), [[2.0]], [1])
    assert ax.lines[-1].get_label() == "1 row, 95 % intervals"


def test_a_long_curve_is_drawn_by_some_of_its_points():
    z = np.random.default_rng(1).normal(size=(100_000, 1))
    t = np.random.default_rng(2).random(100_000) < fl.sigmoid(z[:, 0])
    false, true = last(plot.roc(fl.LogisticModel([1.0]), z, t.astype(int))).T
    assert 1000 < false.size <= 2000
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    exact = metrics.roc_auc_score(t, z[:, 0])
    assert abs(np.trapezoid(true, false) - exact) < 1e-5


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall])
@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_are_an_error(draw, label):
    with pytest.raises(ValueError, match="t must have labels of at least two classes; got one"):
        draw(MODEL, X, np.full(900, label))
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": 0}, "bins must be"),
        ({"strategy": "even"}, "strategy must be 'uniform' or 'quantile'; got 'even'"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
    ],
)
def test_bad_options_of_reliability_are_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        plot.reliability(MODEL, X, T, **options)
    assert not plt.get_fignums()


# Several classes ------------------------------------------------------------------------------

# Rounding errors make or break no ties.
UNTIED = X + 0.01 * np.random.default_rng(5).normal(size=X.shape)
P = special.softmax(UNTIED @ CLASSES.coef.T + CLASSES.intercept, axis=1)
BY_ROWS = np.argsort(-np.bincount(T_CLASSES))


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_each_class_has_the_roc_curve_of_scikit_learn():
    ax = plot.roc(CLASSES, UNTIED, T_CLASSES)
    areas = [metrics.roc_auc_score(k == T_CLASSES, P[:, k]) for k in BY_ROWS]
    names = [f"t = {k}, AUC {auc:.4f}" for k, auc in zip(BY_ROWS, areas, strict=True)]
    assert labels(ax) == ["guessing", *names]
    for k, line in zip(BY_ROWS, ax.lines[1:], strict=True):
        false, true, _ = metrics.roc_curve(k == T_CLASSES, P[:, k], drop_intermediate=False)
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([false, true]), rtol=1e-12)


def test_each_class_has_the_precision_of_scikit_learn():
    ax = plot.precision_recall(CLASSES, UNTIED, T_CLASSES)
    for k, line in zip(BY_ROWS, ax.lines, strict=True):
        precision, recall, _ = metrics.precision_recall_curve(k == T_CLASSES, P[:, k])
        expected = np.column_stack([recall, precision])[-2::-1]
        np.testing.assert_allclose(line.get_xydata()[1:], expected, rtol=1e-12)
        average = metrics.average_precision_score(k == T_CLASSES, P[:, k])
        assert line.get_label() == f"t = {k}, AP {average:.4f}"
    assert ax.get_legend().get_title().get_text() == "900 rows, average precision (AP)"


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_each_class_has_the_reliability_of_scikit_learn(strategy):
    ax = plot.reliability(CLASSES, UNTIED, T_CLASSES, bins=4, strategy=strategy)
    assert ax.get_legend().get_title().get_text() == "900 rows, 95 % intervals"
    assert labels(ax) == ["calibrated", *(f"t = {k}" for k in BY_ROWS)]
    for k, line in zip(BY_ROWS, ax.lines[1:], strict=True):
        share, mean = calibration.calibration_curve(
            k == T_CLASSES, P[:, k], n_bins=4, strategy=strategy
        )
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([mean, share]), rtol=1e-12)
    assert len(ax.figure.axes) == 1  # no bars


def test_certain_predictions_of_several_classes_keep_their_order():
    model = fl.LogisticModel([[1.0], [0.0], [0.0]])
    # σ rounds to 1 beyond 37.
    ax = plot.roc(model, [[38.0], [39.0], [40.0], [41.0]], [1, 0, 2, 0])
    assert ax.lines[1].get_label() == "t = 0, AUC 0.7500"


@pytest.mark.parametrize("draw", [plot.reliability, plot.roc, plot.precision_recall])
def test_of_many_classes_five_have_colours(draw):
    rng = np.random.default_rng(3)
    model = fl.LogisticModel(rng.normal(size=(8, 2)), classes=tuple("abcdefgh"))
    t = np.concatenate(
        [np.repeat(list("hgfedcba"), range(10, 90, 10)), rng.choice(list("ab"), 540)]
    )
    ax = draw(model, X, t)
    *shown, others = [
        label for label in labels(ax) if label.startswith("class") or "other" in label
    ]
    assert [label.split(",")[0] for label in shown] == [f"class {name}" for name in "abcde"]
    assert others == "3 other classes"
    assert len({line.get_color() for line in ax.lines[-3:]}) == 1


def test_a_class_without_rows_has_no_roc_curve_but_a_calibration():
    t = np.minimum(T_CLASSES, 1)
    assert len(labels(plot.roc(CLASSES, X, t))) == 3
    assert len(labels(plot.precision_recall(CLASSES, X, t))) == 2
    assert not plot.reliability(CLASSES, X, t).lines[-1].get_ydata().any()
    for draw in (plot.roc, plot.precision_recall):
        with pytest.raises(ValueError, match="t must have labels of at least two classes; got one"):
            draw(CLASSES, X, np.full(900, 2))


# Confusion ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "t", "predicted"),
    [
        (MODEL, T, UNTIED @ MODEL.coef + MODEL.intercept > 0.0),
        (CLASSES, T_CLASSES, P.argmax(axis=1)),
    ],
    ids=["two", "three"],
)
def test_the_confusion_matrix_is_that_of_scikit_learn(model, t, predicted):
    ax = plot.confusion_matrix(model, UNTIED, t)
    counts = metrics.confusion_matrix(t, predicted)
    expected = 100 * metrics.confusion_matrix(t, predicted, normalize="true")
    np.testing.assert_allclose(ax.images[0].get_array(), expected, rtol=1e-12)
    texts = [f"{n:,}\n{share:.1f} %" for n, share in zip(counts.flat, expected.flat, strict=True)]
    assert [text.get_text() for text in ax.texts] == texts
    assert ax.get_title() == f"900 rows, accuracy {(predicted == t).mean():.4f}"
    # The first class is at the top and on the left.
    assert ax.yaxis_inverted()
    assert not ax.xaxis_inverted()


def test_cells_of_the_confusion_matrix_have_less_text_where_there_are_more_classes():
    rng = np.random.default_rng(4)
    for K, texts in ((8, "{}\n100.0 %"), (9, "100"), (20, "100"), (21, "")):
        coef = 10.0 * np.eye(K)
        t = np.append(np.arange(K - 1), rng.integers(0, K - 1, 20))
        ax = plot.confusion_matrix(fl.LogisticModel(coef), np.eye(K)[t], t)
        found = [text.get_text() for text in ax.texts]
        rows = np.bincount(t, minlength=K)
        diagonal = [texts.format(n) if n else "" for n in rows]
        assert found == np.where(np.eye(K), diagonal, "").ravel().tolist()[: len(found)]
        assert len(found) == (K * K if texts else 0)
        # The last class has no rows.
        assert np.ma.getmaskarray(ax.images[0].get_array())[-1].all()


def test_texts_of_dark_cells_are_white():
    ax = plot.confusion_matrix(CLASSES, X, T_CLASSES)
    for text, percent in zip(ax.texts, ax.images[0].get_array().flat, strict=True):
        assert text.get_color() == ("white" if percent > 60 else "black")


def test_names_of_classes_stand_beside_the_matrix():
    names = ("a" * 21, "$b$", "c")
    model = fl.LogisticModel(CLASSES.coef, classes=names)
    ax = plot.confusion_matrix(model, X, np.array(names)[T_CLASSES])
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        assert [shown(tick) for tick in ticks] == ["a" * 20 + " ...", "$b$", "c"]
    assert {tick.get_rotation() for tick in ax.get_xticklabels()} == {90.0}
    many = fl.LogisticModel(np.zeros((100, 2)))
    ticks = plot.confusion_matrix(many, X, np.arange(900) % 100).get_xticklabels()
    assert [tick.get_text() for tick in ticks] == [str(k) for k in range(0, 100, 5)]
