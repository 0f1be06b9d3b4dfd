"""The fields of a model: one function each checks a field and returns it normalised."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.matrix import onehot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LARGEST_INTEGER = 2**63 - 1
# Longest names, labels and categories, and the longest name of a solver, in characters.
_LONGEST_TEXT = 1 << 20
_LONGEST_SOLVER = 100
# Fields with a number that is not negative, or NaN if it is not known.
MEASURED = ("mean_log_loss", "mean_null_log_loss", "total_weight", "gradient_norm", "seconds")


class History(NamedTuple):
    """The course of the training: each field has one number for each point that the solver tried.

    A trial takes one read of X; reads for a Hessian alone and reads of a sample have no entry.  The
    last entry belongs to the coefficients of the model.  If the last trial was worse than an
    earlier one, the best trial is listed again at the end.

    Attributes
    ----------
    passes : tuple of int
        Number of reads of X up to then, of any kind; a read of a sample counts by its share.
    objective : tuple of float
        Mean loss plus penalty of the trial.
    gradient_norm : tuple of float
        Largest element of its gradient.
    step : tuple of float
        Length of the step to the trial, as a share of the solver's full step.
    seconds : tuple of float
        Time since training began; NaN after training with a checkpoint.
    """

    passes: tuple[int, ...]
    objective: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    step: tuple[float, ...]
    seconds: tuple[float, ...]


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The normalised fields of a model; a TypeError or ValueError names a wrong one."""
    coef = _finite(fields["coef"], "coef", _axes(fields["coef"]))
    *leading, d = coef.shape
    if leading and leading[0] < 3:
        raise ValueError(
            f"coef must have shape (d,) for two classes, or (K, d) for K >= 3 classes; got "
            f"{coef.shape}"
        )
    intercept = _intercept(fields["intercept"], leading)
    truths = {
        name: checks.true_or_false(fields[name], name)
        for name in ("converged", "with_intercept", "with_offset")
    }
    if np.any(intercept) and not truths["with_intercept"]:
        raise ValueError("intercept must be 0 for a model without one (with_intercept=False)")
    names, solver = fields["feature_names"], fields["solver"]
    names = None if names is None else checked_names(names, d)
    return truths | {
        "coef": coef,
        "intercept": intercept,
        "feature_names": names,
        "classes": checked_classes(fields["classes"], *(leading or [2])),
        "l2": _l2(fields["l2"], d),
        **{name: _measured(fields[name], name) for name in MEASURED},
        "passes": _passes(fields["passes"]),
        "solver": None if solver is None else _text(solver, "solver", _LONGEST_SOLVER),
        "history": _history(fields["history"]),
        "variances": _variances(fields["variances"], *leading, d + truths["with_intercept"]),
        "categories": _categories(fields["categories"], names),
    }


def _measured(value: Any, name: str) -> float:
    number = checks.number(value, name)
    return number if math.isnan(number) else checks.not_negative(number, name)


def _axes(coef: Any) -> int:
    """Number of axes of coefficients, at most 2; 1 for rows of different length."""
    try:
        return 2 if np.ndim(coef) == 2 else 1
    except ValueError:
        return 1


def _finite(values: Any, name: str, axes: int) -> NDArray[np.float64]:
    """A read-only array of finite numbers."""
    array = np.array(checks.real_array(values, name, axes), dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got {array[~np.isfinite(array)][0]}")
    array.flags.writeable = False
    return array


def _intercept(intercept: Any, leading: list[int]) -> float | NDArray[np.float64]:
    """A number, or with K classes an array of them; a number is for every class."""
    if not leading or np.ndim(intercept) == 0:
        number = checks.number(intercept, "intercept")
        if not math.isfinite(number):
            raise ValueError(f"intercept must be finite; got {number}")
        if not leading:
            return number
        intercept = np.full(leading, number)
    array = _finite(intercept, "intercept", 1)
    if array.size != leading[0]:
        raise ValueError(
            f"intercept must have one number for each row of coef, {leading[0]}; got {array.size}"
        )
    return array


def checked_classes(classes: Any, count: int | None = None) -> tuple[Any, ...]:
    """Different labels of Python's own types.

    With a `count`, there must be this number of them, or none: then the classes are 0, 1 and so on.
    """
    named = {None: "two or more", 2: "two"}.get(count, str(count))
    if isinstance(classes, str) or (given := _elements(classes)) is None:
        raise TypeError(f"classes must be {named} labels; got {checks.shown(classes)}")
    if not given and count is not None:
        return tuple(range(count))
    result = tuple(one.item() if isinstance(one, np.generic) else one for one in given)
    for label in result:
        if not isinstance(label, bool | int | float | str) or label != label:
            raise TypeError(f"classes must be bool, int, float or str; got {checks.shown(label)}")
        if isinstance(label, str):
            _text(label, "classes")
        elif isinstance(label, float):
            if math.isinf(label):
                raise ValueError(f"classes must be finite; got {label}")
        elif not -_LARGEST_INTEGER - 1 <= label <= _LARGEST_INTEGER:
            raise ValueError(
                f"classes must lie between -2**63 and 2**63 - 1; got {checks.shown(label)}"
            )
    wanted = max(2, len(result)) if count is None else count
    if not len(set(result)) == len(result) == wanted:
        raise ValueError(f"classes must be {named} different labels; got {checks.shown(result)}")
    # Predictions are elements of an array of all labels, which may convert some of them.
    if np.array(result).tolist() != list(result):
        if len({*map(type, result)}) == 1:
            raise ValueError(
                f"classes must not end with NUL, which NumPy drops; got {checks.shown(result)}"
            )
        raise TypeError(f"classes must be of one type; got {checks.shown(result)}")
    return result


def _l2(l2: Any, d: int) -> float | NDArray[np.float64]:
    """One penalty, or a read-only array with one for each coefficient."""
    checked = checks.l2(l2, d)
    if isinstance(checked, np.ndarray):
        checked.flags.writeable = False
    return checked


def _variances(variances: Any, *shape: int) -> NDArray[np.float64] | None:
    """One variance for each estimate; NaN if it is unknown or infinite.

    With K classes, the first of them has none.
    """
    if variances is None:
        return None
    if len(shape) == 1:
        array = checks.vector(variances, "variances", shape[0], "estimate").astype(np.float64)
    else:
        array = checks.real_array(variances, "variances", 2).astype(np.float64)
        if array.shape != (shape[0] - 1, shape[1]):
            raise ValueError(
                "variances must have one row for each class but the first, and one column for each "
                f"estimate, {(shape[0] - 1, shape[1])}; got {array.shape}"
            )
    array[array == np.inf] = np.nan
    if (array < 0.0).any():
        raise ValueError(f"variances must be finite and not negative; got {array[array < 0.0][0]}")
    array.flags.writeable = False
    return array


def _passes(passes: Any) -> int:
    """A number of passes, at most 64 bits long."""
    count = checks.whole_number(passes, "passes", 0)
    if count > _LARGEST_INTEGER:
        raise ValueError(f"passes must have at most 64 bits; got {checks.shown(count)}")
    return count


def _history(history: Any) -> History | None:
    """A history whose fields are tuples of numbers of one length."""
    if history is None:
        return None
    if not isinstance(history, History):
        raise TypeError(f"history must be a History or None; got {checks.shown(history)}")
    checked = [_history_field(values, name) for name, values in history._asdict().items()]
    if len(set(map(len, checked))) != 1:
        raise ValueError("history must have fields of one length")
    return History(*checked)


def _history_field(values: Any, field: str) -> tuple[Any, ...]:
    name = f"history.{field}"
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise TypeError(f"{name} must be a sequence of numbers; got {checks.shown(values)}")
    array = np.asarray(values)
    if not array.size:
        return ()
    if array.ndim != 1 or array.dtype.kind not in "uif":
        raise TypeError(f"{name} must be a sequence of numbers; got {checks.shown(values)}")
    if field != "passes":
        return tuple(array.astype(np.float64).tolist())
    if array.dtype.kind == "f" or array.min() < 0 or array.max() > _LARGEST_INTEGER:
        raise ValueError(f"{name} must be whole numbers of at least 0; got {checks.shown(values)}")
    return tuple(array.tolist())


def checked_names(names: Any, d: int) -> tuple[str, ...]:
    """Feature names as a tuple of `d` different strings."""
    result = tuple(checks.names(names, "feature_names"))
    if len(result) != d:
        raise ValueError(
            f"feature_names must have one name for each column, {d}; got {len(result)}"
        )
    for name in result:
        _text(name, "feature_names")
    if len(set(result)) < d:
        raise ValueError(
            f"feature_names must differ; got {checks.shown(repeated(result))} more than once"
        )
    return result


def _categories(
    categories: Any, feature_names: Sequence[str] | None
) -> dict[str, tuple[str | None, ...]]:
    """The categories of each column, which a file can hold."""
    result = onehot.checked(categories, feature_names)
    for column, values in result.items():
        for text in (column, *values):
            if text is not None:
                _text(text, "categories")
    return result


def _text(value: Any, name: str, most: int = _LONGEST_TEXT) -> str:
    """Text that files, tables and plots can hold."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text; got {checks.shown(value)}")
    if len(value) > most:
        raise ValueError(
            f"{name} must have at most {most} characters each; got {len(value)}: "
            f"{checks.shown(value)}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{name} must be valid Unicode, without lone surrogates; got {checks.shown(value)}"
        ) from None
    return value


def _elements(values: Any) -> tuple[Any, ...] | None:
    """The elements of a sequence; None for a set, which has no order, or an array without axes."""
    if isinstance(values, set | frozenset):
        return None
    try:
        return tuple(values)
    except (TypeError, NotImplementedError):
        return None


def repeated(names: Iterable[str]) -> str:
    """The first name that occurs more than once."""
    return next(name for name, count in Counter(names).items() if count > 1)
