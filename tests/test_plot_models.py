"""Pictures of models: what is drawn against scikit-learn and the model itself, and bad input."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse, special, stats
from sklearn import calibration, metrics

mpl.use("Agg")

import matplotlib.pyplot as plt

import fastlogit as fl
from fastlogit import plot

RNG = np.random.default_rng(0)
X = (8 * RNG.normal(size=(900, 2))).round() / 8  # whose logits are exact, and some are equal
MODEL = fl.LogisticModel([1.5, -1.0], 0.5, ("age", "dose"))
Z = X @ MODEL.coef + MODEL.intercept
Y = special.expit(Z)
T = (RNG.random(900) < Y).astype(int)
OF_DATA = [plot.reliability, plot.roc, plot.precision_recall, plot.decision_boundary]
each = pytest.mark.parametrize("draw", OF_DATA, ids=lambda draw: draw.__name__)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def last(ax):
    """The curve: the last line that is drawn."""
    return ax.lines[-1].get_xydata()


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
    # Wilson's intervals, of SciPy.
    (segments,) = (collection.get_segments() for collection in ax.collections)
    for (low, high), count, at in zip(segments, counts, share, strict=True):
        found = stats.binomtest(round(count * at), int(count)).proportion_ci(method="wilson")
        np.testing.assert_allclose([low[1], high[1]], found, rtol=1e-9, atol=1e-12)


def test_bins_of_the_same_probability_are_one():
    ax = plot.reliability(MODEL, np.zeros((4, 2)), [0, 1, 1, 1], strategy="quantile")
    np.testing.assert_allclose(last(ax), [[fl.sigmoid(0.5), 0.75]])


def test_a_long_curve_is_drawn_by_some_of_its_points():
    z = np.random.default_rng(1).normal(size=(100_000, 1))
    t = np.random.default_rng(2).random(100_000) < fl.sigmoid(z[:, 0])
    false, true = last(plot.roc(fl.LogisticModel([1.0]), z, t.astype(int))).T
    assert 1000 < false.size <= 2000
    assert (false[0], true[0], false[-1], true[-1]) == (0.0, 0.0, 1.0, 1.0)
    exact = metrics.roc_auc_score(t, z[:, 0])
    assert abs(np.trapezoid(true, false) - exact) < 1e-5


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
    history = fl.model.History(
        (1, 2, 3), (0.6, np.inf, 0.5), (0.1, np.nan, 0.0), (0, 1, 1), (0, 0, 0)
    )
    loss, norm = plot.convergence(fl.LogisticModel([1.0], history=history)).lines
    np.testing.assert_allclose(loss.get_ydata(), [0.1, np.nan, np.nan])
    np.testing.assert_array_equal(norm.get_ydata(), [0.1, np.nan, np.nan])


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
    # The first is on top.
    assert ax.yaxis_inverted()


def test_the_largest_coefficients_in_their_order():
    coef = np.array([0.1, -5.0, 0.0, 3.0, 0.2])
    ax = plot.coefficients(fl.LogisticModel(coef), most=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x1", "x3", "x4"]
    np.testing.assert_array_equal(ax.lines[-1].get_xdata(), [-5.0, 3.0, 0.2])
    assert "3 of 5" in ax.get_xlabel()
    assert not ax.collections


def test_the_boundary_is_where_the_probability_is_a_half():
    ax = plot.decision_boundary(MODEL, X, T)
    ones, zeros = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(ones, X[T == 1])
    np.testing.assert_array_equal(zeros, X[T == 0])
    (contours,) = ax.collections
    assert list(contours.levels) == [0.1, 0.25, 0.5, 0.75, 0.9]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        z = path.vertices @ MODEL.coef + MODEL.intercept
        np.testing.assert_allclose(z, fl.logit(level), atol=0.01)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["t = 1", "t = 0"]


def test_of_many_rows_some_are_drawn():
    ax = plot.decision_boundary(MODEL, np.repeat(X, 5, axis=0), np.repeat(T, 5))
    assert sum(len(line.get_xydata()) for line in ax.lines) == 1500


def test_classes_have_their_names():
    model = fl.LogisticModel([1.5, -1.0], 0.5, classes=("early", "late"))
    ax = plot.decision_boundary(model, X, np.where(T, "late", "early"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["late", "early"]


# X and t -------------------------------------------------------------------------------


def sources(folder):
    table = pa.table({"late": T, "dose": X[:, 1], "other": X[:, 0], "age": X[:, 0]})
    pq.write_table(table, folder / "x.parquet")
    np.save(folder / "x.npy", np.column_stack([T, X]))
    with (folder / "x.libsvm").open("w") as file:
        for label, (age, dose) in zip(T, X, strict=True):
            file.write(f"{label} 1:{age} 2:{dose}\n")
    return {
        "array": (X, T),
        "CSR": (sparse.csr_array(X), T),
        "dict": ({"age": X[:, 0], "dose": X[:, 1]}, T.tolist()),
        "bool": (X, T.astype(bool)),
        "path": (folder / "x.parquet", "late"),
        "text": (str(folder / "x.parquet"), "late"),
        "table": (table, "late"),
        "npy": (folder / "x.npy", 0),
        "libsvm": (folder / "x.libsvm", None),
    }


@each
@pytest.mark.parametrize("kind", ["CSR", "dict", "bool", "path", "text", "table", "npy", "libsvm"])
def test_a_picture_is_the_same_whatever_the_data_are_in(draw, kind, tmp_path):
    found = sources(tmp_path)
    expected = draw(MODEL, *found["array"])
    ax = draw(MODEL, *found[kind])
    for line, other in zip(ax.lines, expected.lines, strict=True):
        np.testing.assert_allclose(line.get_xydata(), other.get_xydata(), rtol=1e-12)
        assert line.get_label() == other.get_label()
    assert ax.get_xlabel() == expected.get_xlabel()


@each
def test_rows_without_a_label_or_a_score_are_left_out(draw):
    features, labels = np.vstack([X, [[np.nan, 1.0], [0.0, 0.0]]]), np.append(T, [1.0, np.nan])
    expected = draw(MODEL, X, T)
    for line, other in zip(draw(MODEL, features, labels).lines, expected.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())


@each
@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (X, T[:-1], r"^t must have one label for each row of X, 900; got shape \(899,\)$"),
        (X, np.append(T[:-1], 7), "^t: the label must be 0 or 1; got 7 in row 899$"),
        (X[:, :1], T, "^X must have 2 columns, as the model has coefficients; got 1$"),
        (X, np.full(900, np.nan), "^there is no row with a label and a score$"),
        ({"age": X[:, 0], "late": T}, "late", "missing column 'dose'"),
        ({"age": X[:, 0], "dose": X[:, 1], "late": T}, "laat", r"'laat' \(is it 'late'\?\)"),
    ],
)
def test_bad_data_are_an_error(draw, features, labels, message):
    with pytest.raises(ValueError, match=message):
        draw(MODEL, features, labels)


@each
@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (X, None, "t must be the labels of the rows of X, or name their column"),
        ("x.parquet", T, "t must name the column of the labels where X is a path"),
    ],
)
def test_labels_that_do_not_go_with_the_data_are_an_error(draw, features, labels, message):
    with pytest.raises(TypeError, match=message):
        draw(MODEL, features, labels)


@pytest.mark.parametrize("draw", [*OF_DATA, plot.convergence, plot.coefficients])
def test_what_is_no_model_is_an_error(draw):
    with pytest.raises(TypeError, match="model must be a LogisticModel; got str"):
        draw("model.json", *[X, T][: 2 * (draw in OF_DATA)])


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall])
@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_are_an_error(draw, label):
    with pytest.raises(ValueError, match=f"none is that of t = {1 - label}"):
        draw(MODEL, X, np.full(900, label))


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


def test_bad_options_of_coefficients_are_an_error():
    with pytest.raises(ValueError, match="most must be"):
        plot.coefficients(MODEL, most=0)
    with pytest.raises(ValueError, match="level must lie"):
        plot.coefficients(fl.fit(X, T, l2=0), level=2.0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fl.LogisticModel([1.0]), "model must have two features, of numbers; it has 1"),
        (
            fl.LogisticModel([1.0, 2.0], 0.0, ("c=a", "c=b"), categories={"c": ("a", "b")}),
            "it has columns of text",
        ),
    ],
)
def test_a_boundary_needs_two_features(model, message):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(model, X, T)
    assert not plt.get_fignums()
