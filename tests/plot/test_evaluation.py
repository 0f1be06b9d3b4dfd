"""Calibration, ROC, precision and recall against scikit-learn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats
from sklearn import calibration, metrics

import fastlogit as fl
from fastlogit import plot
from tests.plot.example import MODEL, T, X, Y, Z, last


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
    with pytest.raises(ValueError, match=f"got none of t = {1 - label}"):
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
