"""A trained model as PMML: a regression model with a table of coefficients for each class.

Two classes are the softmax of 0 and z.  PMML's normalization "logit" would give the first class
1 - y, which loses small probabilities.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from fastlogit.core import checks, files
from fastlogit.core.version import __version__
from fastlogit.matrix import onehot
from fastlogit.models.export.names import unused

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

    from fastlogit.matrix.onehot import Unknown

# Types of PMML for the kinds of NumPy's types.
_TYPES = {"b": "boolean", "i": "integer", "f": "double", "U": "string"}
# Characters that XML cannot hold.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def to_pmml(model: Any, path: str | os.PathLike[str], unknown: Unknown) -> None:
    """Write a `LogisticModel` as PMML."""
    onehot.checked_unknown(unknown)
    if model.with_offset:
        raise ValueError("model must be trained without an offset, as PMML has none")
    names = model.feature_names or tuple(f"x{j}" for j in range(model.coef.shape[-1]))
    numbers, coef, text = onehot.expanded_columns(names, model.coef, model.categories)
    root = Element("PMML", version="4.4", xmlns="http://www.dmg.org/PMML-4_4")
    _add(_add(root, "Header"), "Application", name="fastlogit", version=__version__)
    fields, derived = _add(root, "DataDictionary"), _add(root, "TransformationDictionary")
    regression = _add(
        root, "RegressionModel", functionName="classification", normalizationMethod="softmax"
    )
    schema = _add(regression, "MiningSchema")
    taken = {*numbers, *text}
    _add_labels(model.classes, taken, fields, schema, regression)
    tables = [_add(regression, "RegressionTable", targetCategory=one) for one in model.classes]
    for table in tables:
        table.set("intercept", "0.0")
    tables = tables[-len(np.atleast_1d(model.intercept)) :]
    for table, intercept in zip(tables, np.atleast_1d(model.intercept), strict=True):
        table.set("intercept", _text(intercept))
    for name, column in zip(numbers, np.atleast_2d(coef).T, strict=True):
        _add(fields, "DataField", name=name, optype="continuous", dataType="double")
        _add(schema, "MiningField", name=name, missingValueTreatment="returnInvalid")
        _add_predictors(tables, "NumericPredictor", column, name=name)
    for name, coefficients in text.items():
        known = onehot.with_spellings(coefficients)
        _add_text(fields, schema, name, known, unknown)
        field, others = _add_group(derived, name, known, taken) if None in known else (name, None)
        for value, column in known.items():
            texts = {"name": field, "value": others if value is None else value}
            _add_predictors(tables, "CategoricalPredictor", column, **texts)
    ElementTree.indent(root)
    with files.replacing(path) as temporary:
        ElementTree.ElementTree(root).write(temporary, "utf-8", xml_declaration=True)


def _add_predictors(tables: list[Element], tag: str, column: Any, **attributes: Any) -> None:
    """A coefficient in each table."""
    for table, w in zip(tables, np.atleast_1d(column), strict=True):
        _add(table, tag, **attributes, coefficient=w)


def _add_labels(
    classes: tuple[Any, ...],
    taken: set[str],
    fields: Element,
    schema: Element,
    regression: Element,
) -> None:
    """The target, and an output for the probability of each class; adds their names to `taken`."""
    kind, output = _TYPES[np.array(classes).dtype.kind], _add(regression, "Output")
    name = unused("label", taken)
    taken.add(name)
    target = _add(fields, "DataField", name=name, optype="categorical", dataType=kind)
    _add(schema, "MiningField", name=name, usageType="target")
    options = {"optype": "continuous", "dataType": "double", "feature": "probability"}
    for label in classes:
        _add(target, "Value", value=label)
        name = unused(f"probability({_text(label)})", taken)
        taken.add(name)
        _add(output, "OutputField", name=name, value=label, **options)


def _add_text(
    fields: Element, schema: Element, name: str, known: Mapping[str | None, Any], unknown: Unknown
) -> None:
    """A column of text; without values, every text is valid."""
    field = _add(fields, "DataField", name=name, optype="categorical", dataType="string")
    for value in () if None in known else known:
        _add(field, "Value", value=value)
    options = {"missingValueTreatment": "returnInvalid"}
    if unknown == "ignore":
        options["invalidValueTreatment"] = "asIs"
    _add(schema, "MiningField", name=name, **options)


def _add_group(
    derived: Element, name: str, known: Mapping[str | None, Any], taken: Collection[str]
) -> tuple[str, str]:
    """A field that has one text for all texts of a group; returns both names."""
    field, others = unused(f"{name} (grouped)", taken), unused("(all others)", known)
    made = _add(derived, "DerivedField", name=field, optype="categorical", dataType="string")
    choice = _add(made, "Apply", function="if")
    among = _add(choice, "Apply", function="isIn")
    _add(among, "FieldRef", field=name)
    for value in [*known, others]:
        if value is not None:
            _add(among, "Constant", dataType="string").text = _text(value)
    _add(choice, "FieldRef", field=name)
    _add(choice, "Constant", dataType="string").text = others
    return field, others


def _add(parent: Element, tag: str, **attributes: Any) -> Element:
    return SubElement(parent, tag, {name: _text(value) for name, value in attributes.items()})


def _text(value: Any) -> str:
    """A value as XML holds it; numbers round-trip every bit."""
    if isinstance(value, bool | np.floating):
        value = str(value).lower() if isinstance(value, bool) else float(value)
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError(
            "names, classes and categories must not have control characters, which XML loses; got "
            f"{checks.shown(text)}"
        )
    return text
