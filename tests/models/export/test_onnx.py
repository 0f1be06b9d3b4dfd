"""Models as ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import fastlogit as fl
from fastlogit.core.ulp import ulp_error
from tests.models.export import models
from tests.references import extended

EPSILON = np.finfo(np.float64).eps
NO_LABEL = np.iinfo(np.int64).min
HOSTILE = (
    'a "quoted" name',
    "it's",
    "; drop table x",
    " ",
    "ü\n\t",
    "select",
    "constant_0",
    "X",
    "z",
)


def run(proto, **inputs):
    """Labels and probabilities of a graph, after the checks of ONNX."""
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    assert [one.name for one in session.get_outputs()] == ["label", "probabilities"]
    return session.run(None, inputs)


def columns(table, dtype=np.float64):
    """The columns of a table as inputs (n, 1)."""
    arrays = {name: np.asarray(table[name]) for name in table}
    return {
        name: (array if array.dtype == object else array.astype(dtype))[:, np.newaxis]
        for name, array in arrays.items()
    }


def assert_close(found, exact):
    """Compare probabilities that are both rounded a few times; NaN is equal to NaN."""
    assert found.shape == exact.shape
    assert np.asarray(ulp_error(found, exact.astype(np.longdouble))).max() < 4.0


# Predictions ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.MODELS)
def test_labels_and_probabilities_are_those_of_the_model(name):
    model, table = models.MODELS[name]()
    label, p = run(model.to_onnx(names=list(table)), **columns(table))
    assert label.tolist() == model.predict(table).tolist()
    assert len(set(label.tolist())) > 1
    exact = model.predict_proba(table)
    assert np.all(np.abs(p - exact) <= models.tolerance(model, table, exact))
    assert p.min() > 0.0


def test_a_matrix_gives_the_same_as_its_columns():
    model, table = models.flights()
    proto = model.to_onnx()
    assert json.loads(proto.metadata_props[0].value) == list(model.feature_names) == list(table)
    label, p = run(proto, X=np.column_stack([*table.values()]).astype(float))
    other_label, other_p = run(model.to_onnx(names=list(table)), **columns(table))
    np.testing.assert_array_equal(label, other_label)
    np.testing.assert_array_equal(p, other_p)


Z = np.concatenate([np.linspace(-700.0, 700.0, 20_001), np.linspace(-40.0, 40.0, 20_001)])
TAIL = np.concatenate([np.linspace(700.0, 745.0, 4_501), [708.39, 708.4, 709.78, 709.79, 745.13]])


def test_two_classes_are_exact_in_both_tails():
    proto = fl.LogisticModel([1.0]).to_onnx()
    _, p = run(proto, X=Z[:, np.newaxis])
    exact = extended.sigmoid(np.stack([-Z, Z], axis=1).astype(np.longdouble))
    assert ulp_error(p, exact).max() < 3.0


def test_the_tail_is_not_flushed():
    proto = fl.LogisticModel([1.0]).to_onnx()
    for sign in (-1.0, 1.0):
        _, p = run(proto, X=sign * TAIL[:, np.newaxis])
        exact = extended.sigmoid(
            np.stack([-sign * TAIL, sign * TAIL], axis=1).astype(np.longdouble)
        )
        assert ulp_error(p, exact).max() < 3.0
        assert p.min() > 0.0


@pytest.mark.parametrize(
    ("dtype", "largest"), [("float64", 372.0), ("float32", 51.0)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("K", [3, 10, 100, 1000])
def test_a_softmax_is_exact_in_every_tail(K, dtype, largest):
    rng = np.random.default_rng(5)
    logits = rng.uniform(-largest, largest, (200_000 // K, K)).astype(dtype)
    logits[::2] /= 20
    _, p = run(fl.LogisticModel(np.eye(K)).to_onnx(dtype=dtype), X=logits)
    wide = np.exp(logits.astype(np.longdouble) - logits.max(axis=1, keepdims=True))
    assert ulp_error(p, wide / wide.sum(axis=1, keepdims=True), dtype).max() < 4.0


def test_float32_is_exact_to_its_own_precision():
    proto = fl.LogisticModel([1.0]).to_onnx(dtype="float32")
    z = np.concatenate([np.linspace(-103.0, 103.0, 40_001), np.linspace(-20, 20, 20_001)])
    z = z.astype(np.float32)
    label, p = run(proto, X=z[:, np.newaxis])
    assert p.dtype == np.float32
    exact = extended.sigmoid(np.stack([-z, z], axis=1).astype(np.float64))
    assert ulp_error(p, exact, np.float32).max() < 4.0
    assert p.min() > 0.0
    np.testing.assert_array_equal(label, z > 0)


def test_labels_are_equal_around_zero():
    z = np.concatenate([np.arange(-40, 40) * 2.0**-55, np.nextafter(EPSILON, [0, 1]), [EPSILON]])
    model = fl.LogisticModel([1.0])
    label, _ = run(model.to_onnx(), X=z[:, np.newaxis])
    np.testing.assert_array_equal(label, model.predict(z[:, np.newaxis]))
    assert 0 < label.sum() < (z > 0).sum()
    z = np.concatenate([z, [1e-8, 1e-7, 2e-7]]).astype(np.float32)
    label, _ = run(model.to_onnx(dtype="float32"), X=z[:, np.newaxis])
    np.testing.assert_array_equal(label, model.predict(z[:, np.newaxis]))


def test_ties_of_classes_have_the_first_label():
    model = fl.LogisticModel([[1.0], [1.0], [0.0]], classes=("b", "a", "c"))
    label, _ = run(model.to_onnx(), X=np.array([[1.0], [-1.0], [0.0]]))
    assert label.tolist() == ["b", "c", "b"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("K", [2, 3, 10])
def test_a_probability_is_1_only_where_no_smaller_number_is_nearer(K, dtype):
    kind = np.dtype(dtype).type
    half_a_unit = np.finfo(dtype).epsneg / 2
    z = np.linspace(0.9, 1.1, 20_001, dtype=dtype) * kind(np.log((K - 1) / half_a_unit))
    exact = 1 / (1 + (K - 1) * np.exp(-z.astype(np.longdouble)))
    model = fl.LogisticModel([1.0] if K == 2 else np.eye(K)[:, :1])
    _, p = run(model.to_onnx(dtype=dtype), X=z[:, np.newaxis])
    largest = p.max(axis=1)
    # Nearer to the tie, the error of the exponential decides.
    is_decided = np.abs((1 - exact) / half_a_unit - 1) > 1e-3
    np.testing.assert_array_equal((largest == 1)[is_decided], (exact.astype(kind) == 1)[is_decided])
    assert 5000 < (largest == 1).sum() < 15_000


@pytest.mark.parametrize("classes", [3, 2])
def test_infinite_logits(classes):
    model = fl.LogisticModel(np.arange(3.0)[:, np.newaxis] if classes == 3 else [1.0])
    X = np.array([[np.inf], [-np.inf]])
    _, p = run(model.to_onnx(), X=X)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(p, model.predict_proba(X))


# Bits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [1, 3])
def test_constants_hold_every_bit_of_the_coefficients(K):
    rng = np.random.default_rng(1)
    coef = np.ldexp(rng.normal(size=(K, 50)), rng.integers(-1000, 1000, (K, 50)))
    coef[:, :4] = [5e-324, -0.0, 1.7976931348623157e308, 0.1]
    intercept = rng.normal(size=K)
    model = fl.LogisticModel(*(coef, intercept) if K > 1 else (coef[0], intercept[0]))
    found = {array.shape: array for array in map(numpy_helper.to_array, constants(model.to_onnx()))}
    assert found[50, K].tobytes() == coef.T.tobytes()
    assert found[1, K].tobytes() == intercept.tobytes()


def test_constants_hold_every_bit_of_the_coefficients_of_categories():
    model, _ = models.three_classes()
    found = [numpy_helper.to_array(one) for one in constants(model.to_onnx())]
    for coefficients in model.columns.text.values():
        rows = np.array([*coefficients.values()])
        assert any(rows.tobytes() in array.tobytes() for array in found if array.dtype == float)


def constants(proto):
    return proto.graph.initializer


# Inputs -----------------------------------------------------------------------------------


def test_numbers_and_text_by_hostile_names():
    names = HOSTILE[:5]
    columns = [f"{name}={value}" for name in HOSTILE[5:] for value in HOSTILE]
    rng = np.random.default_rng(2)
    model = fl.LogisticModel(
        rng.normal(size=len(names) + len(columns)),
        0.1,
        (*names, *columns),
        classes=HOSTILE[:2],
        categories=dict.fromkeys(HOSTILE[5:], HOSTILE),
    )
    table = {name: rng.normal(size=40) for name in names}
    table |= {name: rng.choice(np.array(HOSTILE, object), 40) for name in HOSTILE[5:]}
    inputs = {name: np.asarray(column)[:, np.newaxis] for name, column in table.items()}
    label, p = run(model.to_onnx(), **inputs)
    np.testing.assert_allclose(p, model.predict_proba(table), rtol=1e-14)
    assert label.tolist() == model.predict(table).tolist()


def test_names_rename_the_inputs():
    model = fl.LogisticModel([2.0, 0.5], 0.0, ("label", "c=x"), categories={"c": ("x", "y")})
    label, p = run(model.to_onnx(names=["a", "b"]), a=np.ones((2, 1)), b=np.array([["x"], ["y"]]))
    assert_close(p[:, 1], fl.sigmoid(np.array([2.5, 2.0])))
    assert label.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "one name for each column, 2; got 1"),
        (["a", "a"], "differ; got 'a' more than once"),
        (["a", ""], "must not be empty; got ''"),
        (["label", "b"], "the graph's own, 'label', 'offset', 'probabilities', .*; got 'label'"),
        (["a", "offset"], "got 'offset'"),
    ],
)
def test_wrong_names_are_an_error(names, message):
    model = fl.LogisticModel([1.0, 2.0], with_offset=True)
    with pytest.raises(ValueError, match=rf"^names must .*{message}"):
        model.to_onnx(names=names)
    with pytest.raises(TypeError, match=r"^names must be a sequence of names"):
        model.to_onnx(names=3)


def test_a_column_with_the_name_of_an_output_is_an_error():
    model = fl.LogisticModel([1.0], 0.0, ("c=a",), categories={"c": ("a",)})
    model.to_onnx()
    model = fl.LogisticModel([1.0], 0.0, ("label=a",), categories={"label": ("a",)})
    with pytest.raises(ValueError, match=r"^names must differ .*; got 'label'$"):
        model.to_onnx()


@pytest.mark.parametrize("classes", [(), ("a", "b", "c")], ids=["two classes", "three classes"])
@pytest.mark.parametrize("has_text", [False, True])
def test_an_offset_is_an_input(classes, has_text):
    shape = (3,) if classes else ()
    rng = np.random.default_rng(3)
    names = ("c=x", "c=y") if has_text else ("a", "b")
    model = fl.LogisticModel(
        rng.normal(size=(*shape, 2)),
        rng.normal(size=shape) if shape else 0.3,
        names,
        classes=classes,
        with_offset=True,
        categories={"c": ("x", "y")} if has_text else {},
    )
    offset = rng.normal(size=(4, *shape))
    table = (
        {"c": np.array(list("xyyx"), object)} if has_text else {n: rng.normal(size=4) for n in "ab"}
    )
    proto = model.to_onnx(names=list(table))
    label, p = run(proto, offset=offset.reshape(4, -1), **columns(table))
    np.testing.assert_allclose(p, model.predict_proba(table, offset=offset), rtol=1e-14)
    assert label.tolist() == model.predict(table, offset=offset).tolist()


def test_a_model_without_an_intercept_or_names():
    model = fl.LogisticModel([1.0, -2.0], with_intercept=False)
    proto = model.to_onnx()
    assert not proto.metadata_props
    X = np.array([[0.0, 0.0], [3.0, 1.0]])
    assert_close(run(proto, X=X)[1], model.predict_proba(X))


def test_thousands_of_columns():
    rng = np.random.default_rng(6)
    model = fl.LogisticModel(rng.normal(size=5000), 0.5, [f"x{j}" for j in range(5000)])
    X = rng.normal(size=(3, 5000)) / 50.0
    exact = model.predict_proba(X)
    np.testing.assert_allclose(run(model.to_onnx(), X=X)[1], exact, rtol=1e-13)
    inputs = {f"x{j}": X[:, [j]] for j in range(5000)}
    proto = model.to_onnx(names=model.feature_names)
    np.testing.assert_allclose(run(proto, **inputs)[1], exact, rtol=1e-13)


def test_thousands_of_categories():
    values = [f"category {i}" for i in range(10_000)]
    coef = np.random.default_rng(6).normal(size=10_000)
    model = fl.LogisticModel(coef, 0.5, [f"c={one}" for one in values], categories={"c": values})
    _, p = run(model.to_onnx(), c=np.array(values, object)[:, np.newaxis])
    assert_close(p[:, 1], fl.sigmoid(coef + 0.5))


# Missing and unknown ----------------------------------------------------------------------


def text_model(*values, features=None):
    features = [f"c={one}" for one in values if one is not None] if features is None else features
    coef = np.arange(1.0, len(features) + 1)
    return fl.LogisticModel(coef, 0.25, features, categories={"c": values})


def second(model, texts, **options):
    """Probabilities of the second class."""
    return run(model.to_onnx(**options), c=np.array(texts, object)[:, np.newaxis])[1][:, 1]


def test_an_unknown_category_gives_nan_or_adds_nothing():
    model = text_model("x", "y", features=["c=y"])
    y = second(model, ["x", "y", "z", ""])
    assert_close(y, fl.sigmoid(np.array([0.25, 1.25, np.nan, np.nan])))
    y = second(model, ["x", "y", "z"], unknown="ignore")
    assert_close(y, fl.sigmoid(np.array([0.25, 1.25, 0.25])))


@pytest.mark.parametrize("unknown", ["nan", "ignore"])
def test_a_group_has_all_other_texts(unknown):
    model = text_model("x", None, features=["c=x", "c (all others)"])
    y = second(model, ["x", "z", ""], unknown=unknown)
    assert_close(y, fl.sigmoid(np.array([1.25, 2.25, 2.25])))
    model = text_model(None, features=["c (all others)"])
    assert_close(second(model, ["x", ""]), fl.sigmoid(np.array([1.25, 1.25])))


def test_booleans_have_all_spellings():
    y = second(text_model("false", "true"), ["false", "True", "1", "2"])
    assert_close(y, fl.sigmoid(np.array([1.25, 2.25, 2.25, np.nan])))


@pytest.mark.parametrize(
    ("classes", "none"),
    [
        ((), NO_LABEL),
        ((-1, 1), NO_LABEL),
        ((True, False), NO_LABEL),
        ((0.5, 1.5), np.nan),
        (("b", "a"), ""),
        ((7, 5, 6), NO_LABEL),
        (("b", "a", "c"), ""),
    ],
    ids=str,
)
def test_a_missing_number_gives_nan_and_no_label(classes, none):
    K = max(len(classes), 2)
    model = fl.LogisticModel([1.0, 0.0] if K == 2 else np.eye(3, 2), classes=classes)
    X = np.array([[1.0, 0.0], [0.0, np.nan], [np.nan, 1.0], [-1.0, -1.0]])
    label, p = run(model.to_onnx(), X=X)
    assert np.isnan(p[1:3]).all()
    np.testing.assert_array_equal(label[1:3], np.array([none, none], label.dtype))
    assert_close(p[::3], model.predict_proba(X[::3]))
    assert label[::3].tolist() == model.predict(X[::3]).tolist()


@pytest.mark.parametrize("classes", [("", "a"), (NO_LABEL, 0)])
def test_a_class_must_differ_from_the_label_of_rows_without_one(classes):
    with pytest.raises(ValueError, match=r"^classes must not have .*, which is the label of rows"):
        fl.LogisticModel([1.0], classes=classes).to_onnx()


# Options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [(), ("b", "a"), ("b", "a", "c")], ids=str)
def test_compat_is_an_operator_that_computes_in_float32(classes):
    rng = np.random.default_rng(8)
    coef = rng.normal(size=(3, 4)) if len(classes) == 3 else rng.normal(size=4)
    model = fl.LogisticModel(coef, 0.25, classes=classes)
    X = rng.normal(size=(1000, 4))
    proto = model.to_onnx(compat=True)
    assert [node.op_type for node in proto.graph.node] == ["LinearClassifier"]
    label, p = run(proto, X=X)
    assert p.dtype == np.float32
    # Terms of a logit of up to 10 are rounded to float32, and 1 - y as well.
    np.testing.assert_allclose(p, model.predict_proba(X), rtol=0, atol=10 * 2.0**-24)
    assert label.tolist() == model.predict(X).tolist()


def test_compat_loses_small_probabilities():
    _, p = run(fl.LogisticModel([1.0]).to_onnx(compat=True), X=np.array([[-20.0], [20.0]]))
    assert p[0, 1] == p[1, 0] == 0.0


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"categories": {"c": ("a",)}}, "categories"),
        ({"with_offset": True}, "an offset"),
        ({"classes": (0.0, 1.0)}, "classes of type float"),
    ],
)
def test_compat_does_not_suit_every_model(changes, what):
    model = fl.LogisticModel([1.0], 0.0, ("c=a",), **changes)
    with pytest.raises(ValueError, match=rf"^compat must not go with a model with {what}$"):
        model.to_onnx(compat=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float32"}, r"dtype must be 'float64', as float32 cannot hold 1e\+39; got"),
        ({"compat": True}, r"compat must not go with large coefficients: float32 .* 1e\+39$"),
    ],
)
def test_float32_cannot_hold_every_coefficient(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        fl.LogisticModel([1e39]).to_onnx(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"dtype": "float16"}, "^dtype must be 'float64' or 'float32'; got 'float16'"),
        ({"unknown": "error"}, "^unknown must be 'nan' or 'ignore'; got 'error'"),
        ({"compat": 1}, "^compat must be True or False; got 1"),
    ],
)
def test_wrong_options_are_an_error(options, error):
    with pytest.raises((TypeError, ValueError), match=error):
        fl.LogisticModel([1.0]).to_onnx(**options)


def test_the_file_is_the_graph(tmp_path):
    path = tmp_path / "model.onnx"
    proto = fl.LogisticModel([1.0, 2.0]).to_onnx(path)
    assert onnx.load(path) == proto
    assert proto.ir_version == 7
    versions = {one.domain: one.version for one in proto.opset_import}
    assert versions == {"": 13, "ai.onnx.ml": 2}
    assert [*tmp_path.iterdir()] == [path]


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ImportError, match=r"^ONNX needs the package onnx: pip install 'fastlogit\[onnx\]'$"
    ):
        fl.LogisticModel([1.0]).to_onnx()
