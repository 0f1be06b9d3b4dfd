"""Models as PMML: its content, and its predictions in JPMML, PMML's reference evaluator."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import fastlogit as fl
from fastlogit.core.ulp import ulp_error
from tests.models.export import models
from tests.references import extended

SPACE = "{http://www.dmg.org/PMML-4_4}"
HOSTILE = ('a "b" <c> &amp;', "it's", " ", "ü\n\t", "label", "label'", "probability(1)")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.pmml"


@pytest.fixture(scope="module")
def evaluator():
    """A function from the path of a model to its evaluator."""
    reason = "it needs Java and is licensed by the AGPL, so no extra installs it"
    return pytest.importorskip("jpmml_evaluator", reason=reason).make_evaluator


def evaluated(evaluator, table):
    """Labels, as text, and probabilities."""
    results = evaluator.verify().evaluateAll(pd.DataFrame(table), error_col=None)[0]
    names = [field.getName() for field in evaluator.getTargetFields()]
    p = results.drop(columns=names).to_numpy(float)
    return [str(label) for label in results[names[0]]], p


@pytest.mark.parametrize("name", models.MODELS)
def test_labels_and_probabilities_are_those_of_the_model(name, path, evaluator):
    model, table = models.MODELS[name]()
    model.to_pmml(path)
    label, p = evaluated(evaluator(path), table)
    exact = model.predict_proba(table)
    assert label == list(map(str, model.predict(table).tolist()))
    assert np.all(np.abs(p - exact) <= models.tolerance(model, table, exact))


def test_two_classes_are_exact_in_both_tails(path, evaluator):
    z = np.concatenate([np.linspace(-745.0, 745.0, 5001), np.linspace(-40.0, 40.0, 5001)])
    fl.LogisticModel([1.0]).to_pmml(path)
    _, p = evaluated(evaluator(path), {"x0": z})
    exact = extended.sigmoid(np.stack([-z, z], axis=1).astype(np.longdouble))
    assert ulp_error(p, exact).max() < 4.0


def test_categories_unknown_text_and_a_group(path, evaluator):
    features = ("c=x", "d=true", "d (all others)", "a")
    categories = {"c": ("x", "y"), "d": ("false", "true", None)}
    model = fl.LogisticModel([1.0, 2.0, 4.0, 0.5], 0.1, features, categories=categories)
    texts = {
        "c": list("xyxy"),
        "d": ["True", "false", "?", "(all others)"],
        "a": [0.0, 1.0, 2.0, 3.0],
    }
    model.to_pmml(path)
    _, p = evaluated(evaluator(path), texts)
    np.testing.assert_allclose(p, model.predict_proba(texts), rtol=1e-15)
    unknown = texts | {"c": list("xy?z")}
    errors = evaluator(path).evaluateAll(pd.DataFrame(unknown))["errors"]
    assert errors.isna().tolist() == [True, True, False, False]
    model.to_pmml(path, unknown="ignore")
    _, p = evaluated(evaluator(path), unknown)
    np.testing.assert_allclose(p, model.predict_proba(unknown, unknown="ignore"), rtol=1e-15)


def test_a_missing_value_is_an_error(path, evaluator):
    model = fl.LogisticModel([1.0, 2.0], 0.1, ("c=x", "a"), categories={"c": ("x", None)})
    model.to_pmml(path)
    rows = pd.DataFrame({"c": ["x", None, "x"], "a": [1.0, 1.0, np.nan]})
    assert evaluator(path).evaluateAll(rows)["errors"].isna().tolist() == [True, False, False]


def test_hostile_names(path, evaluator):
    names = [*HOSTILE, *(f"c={one}" for one in HOSTILE)]
    coef = np.linspace(-1.0, 1.0, len(names))
    model = fl.LogisticModel(coef, 0.5, names, classes=HOSTILE[:2], categories={"c": HOSTILE})
    table = {name: np.linspace(0.0, 1.0, 7) for name in HOSTILE} | {"c": list(HOSTILE)}
    model.to_pmml(path)
    label, p = evaluated(evaluator(path), table)
    np.testing.assert_allclose(p, model.predict_proba(table), rtol=1e-14)
    assert label == model.predict(table).tolist()


# Without an evaluator ---------------------------------------------------------------------


@pytest.mark.parametrize("K", [1, 3])
def test_every_bit_of_the_coefficients(K, path):
    rng = np.random.default_rng(1)
    coef = np.ldexp(rng.normal(size=(K, 50)), rng.integers(-1000, 1000, (K, 50)))
    coef[:, :4] = [5e-324, -0.0, 1.7976931348623157e308, 0.1]
    intercept = rng.normal(size=K)
    model = fl.LogisticModel(*(coef, intercept) if K > 1 else (coef[0], intercept[0]))
    model.to_pmml(path)
    tables = ElementTree.parse(path).findall(f"*/{SPACE}RegressionTable")
    assert [table.get("targetCategory") for table in tables] == list(map(str, model.classes))
    found = [[float(one.get("coefficient")) for one in table] for table in tables[-K:]]
    assert np.array(found).tobytes() == coef.tobytes()
    assert [float(table.get("intercept")) for table in tables[-K:]] == intercept.tolist()
    if K == 1:
        assert not len(tables[0])
        assert tables[0].get("intercept") == "0.0"


@pytest.mark.parametrize(
    ("classes", "kind", "values"),
    [
        ((), "integer", ["0", "1"]),
        ((True, False), "boolean", ["true", "false"]),
        ((0.5, 1e300), "double", ["0.5", "1e+300"]),
        (("b", "a"), "string", ["b", "a"]),
    ],
)
def test_labels_have_a_type(classes, kind, values, path):
    fl.LogisticModel([1.0], classes=classes).to_pmml(path)
    field = ElementTree.parse(path).find(f"{SPACE}DataDictionary/{SPACE}DataField")
    assert field.get("dataType") == kind
    assert [one.get("value") for one in field] == values


def test_every_field_has_a_name_of_its_own(path):
    names = ("label", "label'", "probability(1)", "c=x", "c (all others)", "c (grouped)")
    fl.LogisticModel(np.ones(6), 0.0, names, categories={"c": ("x", None)}).to_pmml(path)
    tags = ("DataField", "DerivedField", "OutputField")
    root = ElementTree.parse(path)
    found = [one.get("name") for tag in tags for one in root.iter(SPACE + tag)]
    assert len(set(found)) == len(found) == 9


def test_thousands_of_columns_and_categories(path):
    names = [f"x{j}" for j in range(5000)]
    values = [f"category {i}" for i in range(10_000)]
    features = [*names, *(f"c={one}" for one in values)]
    model = fl.LogisticModel(np.arange(15_000.0), 0.0, features, categories={"c": values})
    model.to_pmml(path)
    predictors = ElementTree.parse(path).findall(f"*/{SPACE}RegressionTable/*")
    assert [float(one.get("coefficient")) for one in predictors] == model.coef.tolist()


def test_what_pmml_cannot_hold_is_an_error(path):
    with pytest.raises(ValueError, match=r"^model must be trained without an offset, as PMML"):
        fl.LogisticModel([1.0], with_offset=True).to_pmml(path)
    with pytest.raises(ValueError, match=r"must not have control characters.*; got 'a\\x00'$"):
        fl.LogisticModel([1.0], 0.0, ("a\0",)).to_pmml(path)
    with pytest.raises(ValueError, match=r"^unknown must be 'error' or 'ignore'; got 'nan'"):
        fl.LogisticModel([1.0]).to_pmml(path, unknown="nan")
    assert not path.exists()
