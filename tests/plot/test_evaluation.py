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
from fastlogit.models.model import OffsetWarning

RNG = np.random.default_rng(0)
X = (8 * RNG.normal(size=(900, 2))).round() / 8  # whose logits are exact, and some are equal
MODEL = fl.LogisticModel([1.5, -1.0], 0.5, ("age", "dose"))
Z = X @ MODEL.coef + MODEL.intercept
Y = special.expit(Z)
T = (RNG.random(900) < Y).astype(int)
STEEP = fl.LogisticModel([51.0, -36.0], 0.5)
LEVELS = [0.1, 0.25, 0.5, 0.75, 0.9]
OF_DATA = [plot.reliability, plot.roc, plot.precision_recall, plot.decision_boundary]
each = pytest.mark.parametrize("draw", OF_DATA, ids=lambda draw: draw.__name__)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def shown(text):
    """What is drawn of a text, which is no formula."""
    found, is_formula = text._preprocess_math(text.get_text())
    assert not is_formula
    return found


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
    # Between thresholds nothing is interpolated: the precision is that of the next recall.
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
    # In the lowest quarter, and those of few rows can be seen.
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
    # Wilson's intervals, of SciPy.
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


def test_convergence_of_one_pass():
    history = fl.model.History((1,), (0.6,), (0.1,), (0,), (0,))
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
    # The first is on top.
    assert ax.yaxis_inverted()


def test_the_largest_coefficients_in_their_order():
    coef = np.array([0.1, -5.0, 0.0, 3.0, 0.2])
    ax = plot.coefficients(fl.LogisticModel(coef), most=3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x1", "x3", "x4"]
    np.testing.assert_array_equal(ax.lines[-1].get_xdata(), [-5.0, 3.0, 0.2])
    assert "3 of 5" in ax.get_xlabel()
    assert ax.lines[-1].get_label() == "coefficient"


@pytest.mark.parametrize(("model", "labels"), [(MODEL, 5), (STEEP, 0)], ids=["flat", "steep"])
def test_lines_are_where_the_probability_is_what_they_say(model, labels):
    ax = plot.decision_boundary(model, X, T)
    ones, zeros, _ = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(ones, X[T == 1])
    np.testing.assert_array_equal(zeros, X[T == 0])
    (contours,) = ax.collections
    for y, path in zip(LEVELS, contours.get_paths(), strict=True):
        z = path.vertices @ model.coef + model.intercept
        np.testing.assert_allclose(special.expit(z), y, rtol=1e-9)
        # From one end of the picture to the other.
        inside = np.abs(path.vertices - np.mean([ax.get_xlim(), ax.get_ylim()], axis=1))
        ends = np.ptp([ax.get_xlim(), ax.get_ylim()], axis=1) / 2
        assert np.isclose(inside, ends, rtol=1e-9).any(axis=1).all()
    assert list(contours.get_linewidths()) == [1.0, 1.0, 2.5, 1.0, 1.0]
    # Numbers only where there is room for them.
    assert [text.get_text() for text in ax.texts] == [f"{y:g}" for y in LEVELS][:labels]
    for text, path in zip(ax.texts, contours.get_paths(), strict=False):
        np.testing.assert_allclose(text.get_position(), path.vertices.mean(axis=0))
    legend = ["t = 1", "t = 0", "probability of t = 1: 0.1, 0.25, 0.5, 0.75, 0.9"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == legend


def test_where_no_line_is_in_view_the_legend_says_which_probabilities_are():
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


@pytest.mark.parametrize("classes", [("early", "late"), ("", "_late"), ("$x$", "$y^$")])
def test_classes_have_their_names(classes):
    model = fl.LogisticModel([1.5, -1.0], 0.5, classes=classes)
    labels = np.where(T, classes[1], classes[0])
    ax = plot.decision_boundary(model, X, labels)
    legend = [shown(text) for text in ax.get_legend().get_texts()]
    assert legend[:2] == [f"class {name}" for name in classes[::-1]]
    assert legend[2].startswith(f"probability of class {classes[1]}: 0.1, ")
    reliability = plot.reliability(model, X, labels)
    assert shown(reliability.yaxis.label) == f"frequency of class {classes[1]}"


def test_names_are_shown_as_they_are():
    names = ("$_a$", "b$x^$")
    model = fl.LogisticModel([1.5, -1.0], 0.5, names)
    ax = plot.decision_boundary(model, X, T)
    assert (shown(ax.xaxis.label), shown(ax.yaxis.label)) == names
    of_coefficients = plot.coefficients(model)
    assert tuple(shown(label) for label in of_coefficients.get_yticklabels()) == names
    of_curve = plot.roc(model, X, T, name="cost ($) / $")
    assert shown(of_curve.get_legend().get_texts()[1]).startswith("cost ($) / $, 900 rows, AUC")
    for one in (ax, of_coefficients, of_curve):
        one.figure.canvas.draw()  # which would read formulas


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall, plot.reliability])
def test_models_are_told_apart_on_the_same_axes(draw):
    ax = draw(MODEL, X, T, name="one")
    of_one = len(ax.lines), len(ax.figure.axes)
    assert draw(STEEP, X, T, ax, name="other") is ax
    assert (len(ax.lines), len(ax.figure.axes)) == (of_one[0] + 1, of_one[1])
    one, other = ax.lines[-2:]
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [text.split(",")[0] for text in texts[1:]] == ["one", "other"]
    assert draw(MODEL, X[:1].repeat(2, axis=0), [0, 1]).lines[-1].get_label().startswith("2 rows,")


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
    assert not plt.get_fignums()


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


@pytest.mark.parametrize("model", [None, 3, b"model.json", [1.0]])
@pytest.mark.parametrize("draw", [*OF_DATA, plot.convergence, plot.coefficients])
def test_what_is_no_model_is_an_error(draw, model):
    with pytest.raises(TypeError, match=r"^model must be a LogisticModel or the path of its file"):
        draw(model, *[X, T][: 2 * (draw in OF_DATA)])
    assert not plt.get_fignums()


@each
def test_the_model_may_be_the_path_of_its_file(draw, tmp_path):
    MODEL.save(tmp_path / "model.json")
    found, expected = draw(tmp_path / "model.json", X, T), draw(MODEL, X, T)
    for line, other in zip(found.lines, expected.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())
    assert found.get_xlabel() == expected.get_xlabel()


@pytest.mark.parametrize("draw", OF_DATA[:3])
def test_an_offset_of_rows_or_a_column(draw):
    offset = X[:, 0] / 2.0
    model = fl.LogisticModel([1.0, -1.0], 0.5, ("age", "dose"), with_offset=True)
    expected = draw(MODEL, X, T)
    table = pa.table({"w": offset, "late": T, "dose": X[:, 1], "age": X[:, 0]})
    for found in (draw(model, X, T, offset=offset), draw(model, table, "late", offset="w")):
        np.testing.assert_array_equal(last(found), last(expected))
    for rows in ((X, T), (table, "late")):
        with pytest.warns(OffsetWarning) as caught:
            draw(model, *rows)
        assert len(caught) == 1


@pytest.mark.parametrize("draw", OF_DATA[:3])
@pytest.mark.parametrize("name", [[], None, 3, b"x"])
def test_a_name_that_is_no_text_is_an_error(draw, name):
    with pytest.raises(TypeError, match=r"^name must be text; got"):
        draw(MODEL, X, T, name=name)
    assert not plt.get_fignums()


@pytest.mark.parametrize("draw", [plot.roc, plot.precision_recall])
@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_class_are_an_error(draw, label):
    with pytest.raises(ValueError, match=f"none is that of t = {1 - label}"):
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


def test_bad_options_of_coefficients_are_an_error():
    with pytest.raises(ValueError, match="most must be"):
        plot.coefficients(MODEL, most=0)
    with pytest.raises(ValueError, match="level must lie"):
        plot.coefficients(MODEL, level=2.0)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fl.LogisticModel([1.0]), "model must have two features, of numbers; it has 1"),
        (
            fl.LogisticModel([1.0, 2.0], 0.0, ("c=a", "c=b"), categories={"c": ("a", "b")}),
            "it has text among them",
        ),
    ],
)
def test_a_boundary_needs_two_features(model, message):
    with pytest.raises(ValueError, match=message):
        plot.decision_boundary(model, X, T)
    assert not plt.get_fignums()


# Rows without a label or a score ----------------------------------------------------------

GAPS = [0, 10, 20]


def with_gaps(values):
    return [None if row in GAPS else value for row, value in enumerate(values.tolist())]


GIVEN = {
    "a table": ({"age": X[:, 0], "dose": X[:, 1], "t": with_gaps(T)}, "t"),
    "objects": (X, np.array(with_gaps(T), object)),
    "floats": (X, np.where(np.isin(np.arange(900), GAPS), np.nan, T)),
    "masked": (X, np.ma.masked_array(T, np.isin(np.arange(900), GAPS))),
    "features": (np.where(np.isin(np.arange(900), GAPS)[:, None], np.nan, X), T),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_rows_that_are_left_out_are_told(kind):
    ax = plot.roc(MODEL, *GIVEN[kind])
    assert ax.lines[-1].get_label().startswith("897 of 900 rows, AUC ")
    kept = np.delete(np.arange(900), GAPS)
    np.testing.assert_array_equal(last(ax), last(plot.roc(MODEL, X[kept], T[kept])))


@each
@pytest.mark.parametrize("kind", GIVEN)
def test_rows_that_would_be_left_out_may_be_an_error(draw, kind):
    with pytest.raises(ValueError, match=r"row 0 has no (label|score).*missing='skip' leaves out"):
        draw(MODEL, *GIVEN[kind], missing="error")
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'; got 'nan'"):
        draw(MODEL, *GIVEN[kind], missing="nan")
    draw(MODEL, X, T, missing="error")


@pytest.mark.parametrize("labels", [["0", "1"], [False, True], ["false", "true"], [0.0, 1.0]])
def test_labels_are_classes_however_they_are_written(labels):
    ax = plot.roc(MODEL, X, [labels[t] for t in T])
    np.testing.assert_array_equal(last(ax), last(plot.roc(MODEL, X, T)))
