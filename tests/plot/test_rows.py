"""The rows that pictures draw: any data, missing values, classes and bad input."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

import fastlogit as fl
from fastlogit import plot
from fastlogit.models.model import OffsetWarning
from tests.plot.example import (
    CLASSES,
    CURVES,
    MODEL,
    OF_DATA,
    STEEP,
    T_CLASSES,
    T,
    X,
    assert_same,
    each,
    last,
    shown,
)

# A model of two classes and one of three, with the labels of their rows.
either = pytest.mark.parametrize(
    ("model", "t"), [(MODEL, T), (CLASSES, T_CLASSES)], ids=["two", "three"]
)


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
        one.figure.canvas.draw()  # raises an error for an invalid formula


@pytest.mark.parametrize("draw", CURVES)
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


def sources(folder, t):
    table = pa.table({"late": t, "dose": X[:, 1], "other": X[:, 0], "age": X[:, 0]})
    pq.write_table(table, folder / "x.parquet")
    np.save(folder / "x.npy", np.column_stack([t, X]))
    with (folder / "x.libsvm").open("w") as file:
        for label, (age, dose) in zip(t, X, strict=True):
            file.write(f"{label} 1:{age} 2:{dose}\n")
    return {
        "array": (X, t),
        "CSR": (sparse.csr_array(X), t),
        "dict": ({"age": X[:, 0], "dose": X[:, 1]}, t.tolist()),
        "path": (folder / "x.parquet", "late"),
        "text": (str(folder / "x.parquet"), "late"),
        "table": (table, "late"),
        "npy": (folder / "x.npy", 0),
        "libsvm": (folder / "x.libsvm", None),
    }


@each
@either
@pytest.mark.parametrize("kind", ["CSR", "dict", "path", "text", "table", "npy", "libsvm"])
def test_a_picture_is_the_same_for_every_kind_of_data(draw, kind, model, t, tmp_path):
    found = sources(tmp_path, t)
    assert_same(draw(model, *found[kind]), draw(model, *found["array"]), rtol=1e-12)


@each
@either
def test_rows_without_a_label_or_a_score_are_left_out(draw, model, t):
    features, labels = np.vstack([X, [[np.nan, 1.0], [0.0, 0.0]]]), np.append(t, [1.0, np.nan])
    expected, found = draw(model, X, t), draw(model, features, labels)
    for line, other in zip(found.lines, expected.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())
    for image, other in zip(found.images, expected.images, strict=True):
        np.testing.assert_array_equal(image.get_array(), other.get_array())


@each
@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (X, T[:-1], r"^t must have one label for each row of X, 900; got shape \(899,\)$"),
        (X, np.append(T[:-1], 7), "^t: the label must be 0 or 1; got 7 in row 899$"),
        (X[:, :1], T, "^X must have 2 columns, as the model has coefficients; got 1$"),
        (X, np.full(900, np.nan), "^there is no row with a label and a score$"),
        ({"age": X[:, 0], "late": T}, "late", "has no column 'dose'"),
        ({"age": X[:, 0], "dose": X[:, 1], "late": T}, "laat", r"'laat' \(did you mean 'late'\?\)"),
    ],
)
def test_bad_data_are_an_error(draw, features, labels, message):
    with pytest.raises(ValueError, match=message):
        draw(MODEL, features, labels)
    assert not plt.get_fignums()


@each
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.append(T_CLASSES[:-1], 7), "^t: the label must be one of .*2; got 7 in row 899$"),
        (np.eye(3)[T_CLASSES], r"^t must have one label for each row of X, 900; got .*\(900, 3\)$"),
    ],
)
def test_labels_of_several_classes_are_checked(draw, labels, message):
    with pytest.raises(ValueError, match=message):
        draw(CLASSES, X, labels)
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
def test_another_type_of_model_is_an_error(draw, model):
    with pytest.raises(TypeError, match=r"^model must be a LogisticModel or the path of its file"):
        draw(model, *[X, T][: 2 * (draw in OF_DATA)])
    assert not plt.get_fignums()


@each
def test_the_model_may_be_the_path_of_its_file(draw, tmp_path):
    MODEL.save(tmp_path / "model.json")
    assert_same(draw(tmp_path / "model.json", X, T), draw(MODEL, X, T))


@pytest.mark.parametrize("draw", CURVES)
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


def test_offsets_of_several_classes():
    offset = X[:, :1] * [0.5, 0.0, -0.5]
    model = fl.LogisticModel(
        CLASSES.coef - [[0.5, 0.0], [0.0, 0.0], [-0.5, 0.0]], CLASSES.intercept, ("age", "dose"),
        with_offset=True,
    )  # fmt: skip
    columns = {"a": offset[:, 0], "b": offset[:, 1], "c": offset[:, 2]}
    table = pa.table({"t": T_CLASSES, "age": X[:, 0], "dose": X[:, 1], **columns})
    expected = plot.roc(CLASSES, X, T_CLASSES)
    assert_same(plot.roc(model, X, T_CLASSES, offset=offset), expected)
    assert_same(plot.roc(model, table, "t", offset=list("abc")), expected)


@pytest.mark.parametrize("draw", CURVES)
@pytest.mark.parametrize("name", [[], None, 3, b"x"])
def test_a_name_must_be_text(draw, name):
    with pytest.raises(TypeError, match=r"^name must be text; got"):
        draw(MODEL, X, T, name=name)
    assert not plt.get_fignums()


@pytest.mark.parametrize("draw", CURVES)
def test_curves_of_several_classes_need_empty_axes(draw):
    ax = draw(MODEL, X, T)
    lines = list(ax.lines)
    with pytest.raises(ValueError, match=r"^ax must have no lines, .*; got 2$"):
        draw(CLASSES, X, T_CLASSES, ax)
    assert list(ax.lines) == lines


@pytest.mark.parametrize("draw", CURVES)
def test_a_legend_of_several_classes_has_the_name_of_the_model(draw):
    legend = draw(CLASSES, X, T_CLASSES, name="one").get_legend()
    assert legend.get_title().get_text().startswith("one, 900 rows")


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
def test_the_legend_counts_skipped_rows(kind):
    ax = plot.roc(MODEL, *GIVEN[kind])
    assert ax.lines[-1].get_label().startswith("897 of 900 rows, AUC ")
    kept = np.delete(np.arange(900), GAPS)
    np.testing.assert_array_equal(last(ax), last(plot.roc(MODEL, X[kept], T[kept])))


@each
@pytest.mark.parametrize("kind", GIVEN)
def test_missing_values_may_be_an_error(draw, kind):
    with pytest.raises(ValueError, match=r"row 0 has no (label|score).*missing='skip' leaves out"):
        draw(MODEL, *GIVEN[kind], missing="error")
    with pytest.raises(ValueError, match="missing must be 'error' or 'skip'; got 'nan'"):
        draw(MODEL, *GIVEN[kind], missing="nan")
    draw(MODEL, X, T, missing="error")


@pytest.mark.parametrize("labels", [["0", "1"], [False, True], ["false", "true"], [0.0, 1.0]])
def test_labels_may_be_written_in_several_ways(labels):
    ax = plot.roc(MODEL, X, [labels[t] for t in T])
    np.testing.assert_array_equal(last(ax), last(plot.roc(MODEL, X, T)))


@each
def test_tables_are_read_on_threads_and_with_progress(draw):
    seen = []
    table = pa.table({"age": X[:, 0], "dose": X[:, 1], "late": T})
    ax = draw(MODEL, table, "late", threads=1, progress=seen.append)
    assert_same(ax, draw(MODEL, X, T, threads=2))
    assert seen[-1].rows == 900
    with pytest.raises(ValueError, match=r"^threads must be"):
        draw(MODEL, X, T, threads=0)
