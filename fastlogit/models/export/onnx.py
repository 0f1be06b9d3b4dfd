"""A trained model as a graph of ONNX operators.

Of two classes, with e = exp(-|z|), the less likely has the probability q = e / (1 + e), and the
other 1 - q.  Of K classes, with e = exp(Z - max Z), the probabilities are e / Σ e, and one above
1/2 is 1 minus all others.  So a probability is 1 only where no smaller number is nearer, no
exponential overflows, and no small probability is a difference.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import checks, files
from fastlogit.core.version import __version__
from fastlogit.matrix import onehot
from fastlogit.models.export.names import unused
from fastlogit.models.fields import repeated

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Versions of the operators and of the file, from ONNX 1.8: current runtimes read all of them.
_OPSET = 13
_ML_DOMAIN, _ML_OPSET = "ai.onnx.ml", 2
_IR_VERSION = 7

# Names of inputs and outputs that are no columns.
_MATRIX, _OFFSET = "X", "offset"
_LABEL, _PROBABILITIES = "label", "probabilities"


class _Graph:
    """Nodes and constants, whose names differ from those of inputs and outputs."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def input(self, name: str, dtype: Any, columns: int) -> str:
        """Declare an input (n, columns)."""
        self.inputs.append(_value(name, dtype, ["n", columns]))
        return name

    def output(self, name: str, dtype: Any, *columns: int) -> str:
        """Declare an output (n,), or (n, columns)."""
        self.outputs.append(_value(name, dtype, ["n", *columns]))
        return name

    def constant(self, values: Any) -> str:
        """Add an array and return its name."""
        from onnx import numpy_helper

        array = np.asarray(values)
        array = array.astype(object) if array.dtype.kind == "U" else array
        name = self._name("constant", self.constants)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, *inputs: str, outputs: Sequence[str] = (), **options: Any) -> str:
        """Add an operator and return the name of its first output."""
        from onnx import helper

        outputs = outputs or [self._name(operator, self.nodes)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, **options))
        return outputs[0]

    def _name(self, kind: str, others: Sequence[Any]) -> str:
        """A name for another node or constant."""
        taken = {value.name for value in [*self.inputs, *self.outputs]}
        return unused(f"{kind}_{len(others)}", taken)


def to_onnx(
    model: Any,
    path: str | os.PathLike[str] | None,
    dtype: str,
    names: Sequence[str] | None,
    unknown: str,
    *,
    compat: bool,
) -> Any:
    """The ``onnx.ModelProto`` of a `LogisticModel`, also written to a file if there is a path."""
    kind = np.dtype(checks.choice(dtype, "dtype", ("float64", "float32"))).type
    checks.choice(unknown, "unknown", ("nan", "ignore"))
    columns = [*model.columns.numbers, *model.columns.text] if model.categories else None
    inputs = _input_names(model, names, columns)
    labels, no_label = _labels(model.classes)
    if checks.true_or_false(compat, "compat"):
        _check_compatible(model, labels)
    _check_range(model, kind, compat=compat)
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise ImportError("ONNX needs the package onnx: pip install 'fastlogit[onnx]'") from None
    graph = _Graph()
    graph.output(_LABEL, object if labels.dtype.kind == "U" else labels.dtype)
    graph.output(_PROBABILITIES, np.float32 if compat else kind, len(labels))
    X, texts = _inputs(graph, model, inputs, kind)
    if compat:
        _add_classifier(graph, model, X, labels)
    else:
        logits = _add_logits(graph, model, X, texts, kind, unknown)
        _add_predictions(graph, logits, np.append(labels, no_label), kind)
    proto = _finished(graph, model)
    if path is not None:
        with files.replacing(path) as temporary:
            temporary.write_bytes(proto.SerializeToString())
    return proto


# Checks -----------------------------------------------------------------------------------


def _input_names(
    model: Any, names: Sequence[str] | None, columns: Sequence[str] | None
) -> list[str] | None:
    """The name of the input for each column; None for one matrix."""
    given = columns if names is None else checks.names(names, "names")
    if given is None:
        return None
    count = model.coef.shape[-1] if columns is None else len(columns)
    if len(given) != count:
        raise ValueError(f"names must have one name for each column, {count}; got {len(given)}")
    taken = {_LABEL, _PROBABILITIES, *[_OFFSET] * model.with_offset}
    for name in given:
        if name in taken or not name:
            raise ValueError(
                "names must differ from each other and from the graph's own, "
                f"{checks.listed(sorted(taken))}, and must not be empty; got {checks.shown(name)}"
            )
    if len(set(given)) < count:
        raise ValueError(f"names must differ; got {checks.shown(repeated(given))} more than once")
    return list(given)


def _labels(classes: tuple[Any, ...]) -> tuple[NDArray[Any], Any]:
    """The labels as a tensor can hold them, and the one of a row whose probabilities are NaN."""
    labels = np.array(classes)
    if labels.dtype.kind in "bi":
        labels = labels.astype(np.int64)
    none = {"U": "", "i": np.iinfo(np.int64).min, "f": np.nan}[labels.dtype.kind]
    if none in classes:
        raise ValueError(
            f"classes must not have {none!r}, which is the label of rows whose probabilities are "
            "NaN"
        )
    return labels, none


def _check_compatible(model: Any, labels: NDArray[Any]) -> None:
    """Check that ``LinearClassifier`` can hold a model."""
    for found, what in (
        (bool(model.categories), "categories"),
        (model.with_offset, "an offset"),
        (labels.dtype.kind == "f", "classes of type float"),
    ):
        if found:
            raise ValueError(f"compat must not go with a model with {what}")


def _check_range(model: Any, kind: Any, *, compat: bool) -> None:
    """Check that float32 can hold the parameters."""
    largest = max(np.abs(model.coef).max(), np.abs(model.intercept).max())
    if largest > np.finfo(np.float32 if compat else kind).max:
        reason = f"float32 cannot hold {largest}"
        if compat:
            raise ValueError(f"compat must not go with large coefficients: {reason}")
        raise ValueError(f"dtype must be 'float64', as {reason}; got 'float32'")


# The graph --------------------------------------------------------------------------------


def _inputs(
    graph: _Graph, model: Any, names: Sequence[str] | None, kind: Any
) -> tuple[str | None, list[str]]:
    """Declare inputs: the matrix of numbers, which may be absent, and the columns of text."""
    count = model.coef.shape[-1]
    if names is None:
        return graph.input(_MATRIX, kind, count), []
    if model.categories:
        count = len(model.columns.numbers)
    numbers = [graph.input(name, kind, 1) for name in names[:count]]
    texts = [graph.input(name, object, 1) for name in names[count:]]
    return (graph.node("Concat", *numbers, axis=1) if numbers else None), texts


def _add_logits(
    graph: _Graph, model: Any, X: str | None, texts: Sequence[str], kind: Any, unknown: str
) -> str:
    """The logits, (n, 1) or (n, K)."""
    coef, text = model.columns[1:] if model.categories else (model.coef, {})
    K = 1 if model.coef.ndim == 1 else len(model.coef)
    logits = graph.constant(np.reshape(model.intercept, (1, K)).astype(kind))
    for name, coefficients in zip(texts, text.values(), strict=True):
        found = _add_category(graph, name, coefficients, K, kind, unknown)
        logits = graph.node("Add", logits, found)
    if model.with_offset:
        logits = graph.node("Add", logits, graph.input(_OFFSET, kind, K))
    if X is None:
        return logits
    columns = np.ascontiguousarray(np.atleast_2d(coef).T, kind)
    return graph.node("Add", graph.node("MatMul", X, graph.constant(columns)), logits)


def _add_category(
    graph: _Graph, name: str, coefficients: dict[str | None, Any], K: int, kind: Any, unknown: str
) -> str:
    """The coefficients of a column's categories, (n, 1) or (n, K)."""
    known = onehot.with_spellings(coefficients)
    others = known.pop(None, 0.0 if unknown == "ignore" else np.nan)
    rows = [np.broadcast_to(row, K) for row in [*known.values(), others]]
    numbers = graph.node(
        "LabelEncoder",
        name,
        domain=_ML_DOMAIN,
        # If all texts are in the group, any key will do.
        keys_strings=[*known] or [""],
        values_int64s=[*range(len(known) or 1)],
        default_int64=len(known),
    )
    numbers = graph.node("Squeeze", numbers, graph.constant([1]))
    return graph.node("Gather", graph.constant(np.array(rows, kind)), numbers)


def _add_predictions(graph: _Graph, logits: str, labels: NDArray[Any], kind: Any) -> None:
    """Outputs from logits; the last label is for rows without one."""
    is_softmax = len(labels) > 3
    number, total = (_softmax if is_softmax else _sigmoid)(graph, logits, kind)
    none = graph.constant(len(labels) - 1)
    number = graph.node("Where", graph.node("IsNaN", total), none, number)
    number = graph.node("Squeeze", number, graph.constant([1]))
    graph.node("Gather", graph.constant(labels), number, outputs=[_LABEL])


def _sigmoid(graph: _Graph, z: str, kind: Any) -> tuple[str, str]:
    """Output the probabilities; return the class number, and the denominator, NaN where z is."""
    # σ(z) is rounded to 1 / 2, in float64, if z lies between 0 and this.
    is_second = graph.node("Greater", z, graph.constant(kind(np.finfo(np.float64).eps)))
    is_positive = graph.node("Greater", z, graph.constant(kind(0.0)))
    one = graph.constant(kind(1.0))
    e = _exponential(graph, graph.node("Neg", graph.node("Abs", z)), kind)
    total = graph.node("Add", one, e)
    small = graph.node("Div", e, total)
    large = graph.node("Sub", one, small)
    first = graph.node("Where", is_positive, small, large)
    second = graph.node("Where", is_positive, large, small)
    graph.node("Concat", first, second, outputs=[_PROBABILITIES], axis=1)
    return graph.node("Cast", is_second, to=_element(np.int64)), total


def _softmax(graph: _Graph, Z: str, kind: Any) -> tuple[str, str]:
    """The same of K classes."""
    largest = graph.node("ReduceMax", Z, axes=[1])
    shifted = graph.node("Sub", Z, largest)
    e = _exponential(graph, shifted, kind)
    # The rounding of a difference of hundreds changes its exponential by hundreds of ULP.  Knuth's
    # sum gives the lost part, or NaN for a logit of -inf, whose exponential is 0.
    virtual = graph.node("Sub", shifted, Z)
    lost = graph.node(
        "Sub",
        graph.node("Sub", Z, graph.node("Sub", shifted, virtual)),
        graph.node("Add", largest, virtual),
    )
    change = graph.node("Mul", e, lost)
    e = graph.node("Where", graph.node("IsNaN", change), e, graph.node("Add", e, change))
    total = _row_sums(graph, e, kind)
    quotient = graph.node("Div", e, total)
    is_large = graph.node("Greater", quotient, graph.constant(kind(0.5)))
    others = graph.node("Where", is_large, graph.constant(kind(0.0)), e)
    rest = graph.node("Div", _row_sums(graph, others, kind), total)
    large = graph.node("Sub", graph.constant(kind(1.0)), rest)
    graph.node("Where", is_large, large, quotient, outputs=[_PROBABILITIES])
    return graph.node("ArgMax", Z, axis=1), total


def _row_sums(graph: _Graph, e: str, kind: Any) -> str:
    """Sums of rows of numbers from 0 to 1; of up to thousands of them, rounded about once."""
    # A runtime's sum of a hundred numbers errs by 3 ULP.  The upper halves of their digits have an
    # exact sum, and the rounding of the sum of the lower halves is too small to matter.
    digits = np.finfo(kind).nmant
    large = graph.constant(kind(1.5 * 2.0 ** (digits - digits // 2)))
    upper = graph.node("Sub", graph.node("Add", e, large), large)
    lower = graph.node("Sub", e, upper)
    axis = graph.constant([1])
    return graph.node(
        "Add", graph.node("ReduceSum", upper, axis), graph.node("ReduceSum", lower, axis)
    )


def _exponential(graph: _Graph, z: str, kind: Any) -> str:
    """e^z of z <= 0; where it is subnormal, the square of e^(z/2), as some runtimes stop there."""
    half = graph.node("Exp", graph.node("Mul", z, graph.constant(kind(0.5))))
    is_subnormal = graph.node("Less", z, graph.constant(kind(np.log(np.finfo(kind).tiny))))
    square = graph.node("Mul", half, half)
    return graph.node("Where", is_subnormal, square, graph.node("Exp", z))


def _add_classifier(graph: _Graph, model: Any, X: Any, labels: NDArray[Any]) -> None:
    """Outputs of the operator ``LinearClassifier``, which has a row for each class."""
    coef, intercept = model.coef, model.intercept
    if coef.ndim == 1:
        coef, intercept = np.stack([-coef, coef]), [-intercept, intercept]
    graph.node(
        "LinearClassifier",
        X,
        outputs=[_LABEL, _PROBABILITIES],
        domain=_ML_DOMAIN,
        coefficients=np.ravel(coef).tolist(),
        intercepts=[*map(float, intercept)],
        post_transform="LOGISTIC" if len(labels) == 2 else "SOFTMAX",
        **{f"classlabels_{'strings' if labels.dtype.kind == 'U' else 'ints'}": labels.tolist()},
    )


def _finished(graph: _Graph, model: Any) -> Any:
    """The graph as a checked ``ModelProto``."""
    from onnx import checker, helper

    made = helper.make_graph(
        graph.nodes, "LogisticModel", graph.inputs, graph.outputs, graph.constants
    )
    proto: Any = helper.make_model(
        made,
        opset_imports=[
            helper.make_opsetid("", _OPSET),
            helper.make_opsetid(_ML_DOMAIN, _ML_OPSET),
        ],
        ir_version=_IR_VERSION,
        producer_name="fastlogit",
        producer_version=__version__,
    )
    if model.feature_names is not None:
        # The order of the columns of X.
        helper.set_model_props(proto, {"feature_names": json.dumps(model.feature_names)})
    checker.check_model(proto, full_check=True)
    return proto


def _value(name: str, dtype: Any, shape: Sequence[Any]) -> Any:
    """An input or output."""
    from onnx import helper

    return helper.make_tensor_value_info(name, _element(dtype), shape)


def _element(dtype: Any) -> Any:
    """The number of ONNX for a type of NumPy; object is for text."""
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
