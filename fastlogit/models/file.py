"""The file of a model: JSON.  Every field is checked, and nothing is executed."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastlogit.core import checks
from fastlogit.models.fields import MEASURED, History, repeated

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

T = TypeVar("T")

FORMAT = "fastlogit.LogisticModel"
VERSION = 3
# What earlier versions, and some files of this one, did not have.
_DEFAULTS: dict[str, Any] = {"with_offset": False}
_SINCE_3: dict[str, Any] = {"categories": {}}
_SINCE_2 = _SINCE_3 | {
    "classes": [0, 1],
    "with_intercept": True,
    "null_log_loss": None,
    "total_weight": None,
    "solver": None,
    "seconds": None,
    "history": None,
    "variances": None,
}


def content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a model as a file holds them."""
    history, variances = fields["history"], fields["variances"]
    return {
        "format": FORMAT,
        "version": VERSION,
        "coef": fields["coef"].tolist(),
        "intercept": fields["intercept"],
        "feature_names": fields["feature_names"],
        "classes": fields["classes"],
        "with_intercept": fields["with_intercept"],
        "l2": np.asarray(fields["l2"]).tolist(),
        **{name: _none_for_nan(fields[name]) for name in MEASURED},
        "converged": fields["converged"],
        "passes": fields["passes"],
        "solver": fields["solver"],
        "history": None if history is None else _finite_or_none(history),
        "variances": None
        if variances is None
        else [_none_for_nan(value) for value in variances.tolist()],
        "categories": fields["categories"],
        "with_offset": fields["with_offset"],
    }


def _finite_or_none(history: History) -> dict[str, list[float | None]]:
    """History with None for infinities, which JSON lacks; much too long steps give them."""
    return {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in history._asdict().items()
    }


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def read(path: str | os.PathLike[str], make: Callable[..., T]) -> T:
    """Give what `make` makes of the fields in a file; errors begin with its path."""
    text = Path(path).read_bytes()
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model file: {error}") from None
    try:
        return make(**_fields(found))
    except (KeyError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else str(error)
        raise ValueError(f"{path}: not a valid model: {reason}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object, and refuse repeated keys: the last would hide the others."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"the key {checks.shown(repeated(key for key, _ in pairs))} occurs twice")
    return result


def _fields(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"its 'format' is not {FORMAT!r}")
    version = content["version"]
    if isinstance(version, bool) or version not in (1, 2, VERSION):
        raise ValueError(
            f"version {checks.shown(version)} is not known; this fastlogit reads 1 to {VERSION}"
        )
    content = {**_DEFAULTS, **content, **{1: _SINCE_2, 2: _SINCE_3}.get(version, {})}
    coef, names = content["coef"], content["feature_names"]
    if not (names is None or isinstance(names, list)):
        raise TypeError("'feature_names' must be a list of names or null")
    for name in ("converged", "with_intercept", "with_offset"):
        if not isinstance(content[name], bool):
            raise TypeError(f"{name!r} must be true or false; got {checks.shown(content[name])}")
    history, variances = content["history"], content["variances"]
    return {
        "coef": _numbers(coef, "coef"),
        "intercept": _number(content["intercept"], "intercept"),
        "feature_names": None if names is None else tuple(names),
        "classes": tuple(_list(content["classes"], "classes")),
        "with_intercept": content["with_intercept"],
        "l2": _numbers_or_one(content["l2"], "l2"),
        **{name: _number_or_nan(content[name], name) for name in MEASURED},
        "converged": content["converged"],
        "passes": _count(content["passes"], "passes"),
        "solver": content["solver"],
        "history": None if history is None else _history(history),
        "variances": None if variances is None else _numbers(variances, "variances", null=math.nan),
        "categories": content["categories"],
        "with_offset": content["with_offset"],
    }


def _history(value: Any) -> History:
    if not isinstance(value, dict) or set(value) != set(History._fields):
        raise ValueError(f"'history' must have {', '.join(History._fields)}")
    passes = _list(value["passes"], "history.passes")
    if not set(map(type, passes)) <= {int}:
        wrong = next(one for one in passes if type(one) is not int)
        raise TypeError(f"'history.passes' must be whole numbers; got {checks.shown(wrong)}")
    numbers = {
        name: tuple(_numbers(value[name], f"history.{name}", null=math.inf).tolist())
        for name in History._fields
        if name != "passes"
    }
    return History(tuple(passes), **numbers)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name!r} must be a list; got {checks.shown(value)}")
    return value


def _numbers_or_one(value: Any, name: str) -> float | NDArray[np.float64]:
    return _numbers(value, name) if isinstance(value, list) else _number(value, name)


def _numbers(value: Any, name: str, *, null: float | None = None) -> NDArray[np.float64]:
    """Finite numbers; null stands for the number `null`, if there is one."""
    values = _list(value, name)
    kinds = {int, float} if null is None else {int, float, type(None)}
    if set(map(type, values)) <= kinds:
        with suppress(OverflowError):  # JSON's integers have no end
            array = np.array(values, dtype=np.float64)  # in which None is NaN
            if np.count_nonzero(~np.isfinite(array)) == values.count(None):
                return array if null is None else np.where(np.isnan(array), null, array)
    checked = (_number(one, name) for one in values if null is None or one is not None)
    return np.array(list(checked))


def _number_or_nan(value: Any, name: str) -> float:
    return math.nan if value is None else _number(value, name)


def _number(value: Any, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise ValueError(f"{name!r} must be a finite number; got {checks.shown(value)}")


def _count(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{name!r} must be a whole number; got {checks.shown(value)}")
