"""The JSON file of a model: written, read, and checked field by field.  Nothing is executed."""

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
VERSION = 5
# The version of a file without groups of categories, which former releases can read.
_WITHOUT_GROUPS = 4
# Fields that version 4 renamed.
_RENAMED_IN_4 = {"log_loss": "mean_log_loss", "null_log_loss": "mean_null_log_loss"}
# Fields that a version added, under its names, and their values in files of earlier versions.
_ADDED_IN_3: dict[str, Any] = {"categories": {}}
_ADDED_IN_2: dict[str, Any] = {
    "classes": [0, 1],
    "with_intercept": True,
    "null_log_loss": None,
    "total_weight": None,
    "solver": None,
    "seconds": None,
    "history": None,
    "variances": None,
}
# The first files of version 3 lack this field.
_DEFAULTS: dict[str, Any] = {"with_offset": False}


def content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a model's file, ready for JSON."""
    history, variances = fields["history"], fields["variances"]
    has_groups = any(None in values for values in fields["categories"].values())
    return {
        "format": FORMAT,
        "version": VERSION if has_groups else _WITHOUT_GROUPS,
        "coef": fields["coef"].tolist(),
        "intercept": np.asarray(fields["intercept"]).tolist(),
        "feature_names": fields["feature_names"],
        "classes": fields["classes"],
        "with_intercept": fields["with_intercept"],
        "l2": np.asarray(fields["l2"]).tolist(),
        **{name: _none_for_nan(fields[name]) for name in MEASURED},
        "converged": fields["converged"],
        "passes": fields["passes"],
        "solver": fields["solver"],
        "history": None if history is None else _finite_or_none(history),
        "variances": None if variances is None else _none_for_nan(variances.tolist()),
        "categories": fields["categories"],
        "with_offset": fields["with_offset"],
    }


def _finite_or_none(history: History) -> dict[str, list[float | None]]:
    """The history with None for numbers that JSON lacks.

    A far too long step gives infinity, and times are NaN if there are none.
    """
    return {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in history._asdict().items()
    }


def _none_for_nan(value: Any) -> Any:
    """A number, or a list, with None in place of NaN."""
    if isinstance(value, list):
        return [_none_for_nan(one) for one in value]
    return None if math.isnan(value) else value


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a model's file in place."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: str | os.PathLike[str], make: Callable[..., T]) -> T:
    """Call `make` with the fields in a model's file; errors begin with the path."""
    text = Path(path).read_bytes()
    try:
        found = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: must be a model file (JSON): {error}") from None
    try:
        return make(**_fields(found))
    except (KeyError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else str(error)
        raise ValueError(f"{path}: not a valid model: {reason}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object; refuse repeated keys, as the last would hide the others."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(f"the key {checks.shown(repeated(key for key, _ in pairs))} occurs twice")
    return result


def _fields(found: Any) -> dict[str, Any]:
    """The arguments of a model, of the types that its constructor checks further."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"its 'format' is not {FORMAT!r}")
    content = _in_present_version(found)
    names, history, variances = (
        content[name] for name in ("feature_names", "history", "variances")
    )
    if not (names is None or isinstance(names, list)):
        raise TypeError("'feature_names' must be a list of names or null")
    for name in ("converged", "with_intercept", "with_offset"):
        if not isinstance(content[name], bool):
            raise TypeError(f"{name!r} must be true or false; got {checks.shown(content[name])}")
    return {
        "coef": _rows(content["coef"], "coef"),
        "intercept": _numbers_or_one(content["intercept"], "intercept"),
        "feature_names": None if names is None else tuple(names),
        "classes": tuple(_list(content["classes"], "classes")),
        "with_intercept": content["with_intercept"],
        "l2": _numbers_or_one(content["l2"], "l2"),
        **{name: _number_or_nan(content[name], name) for name in MEASURED},
        "converged": content["converged"],
        "passes": _count(content["passes"], "passes"),
        "solver": content["solver"],
        "history": None if history is None else _history(history),
        "variances": None if variances is None else _rows(variances, "variances", null=math.nan),
        "categories": content["categories"],
        "with_offset": content["with_offset"],
    }


def _in_present_version(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a file of any version, with the present version's fields."""
    version = content["version"]
    if isinstance(version, bool) or version not in range(1, VERSION + 1):
        raise ValueError(
            f"version must be 1 to {VERSION}, which this fastlogit reads; got "
            f"{checks.shown(version)}"
        )
    if version < 2:
        content = content | _ADDED_IN_2
    if version < 3:
        content = content | _ADDED_IN_3
    if version < 4:
        content = content | {new: content[old] for old, new in _RENAMED_IN_4.items()}
    return _DEFAULTS | content


def _history(value: Any) -> History:
    if not isinstance(value, dict) or set(value) != set(History._fields):
        raise ValueError(f"'history' must have {', '.join(History._fields)}")
    passes = _list(value["passes"], "history.passes")
    if not set(map(type, passes)) <= {int}:
        wrong = next(one for one in passes if type(one) is not int)
        raise TypeError(f"'history.passes' must be whole numbers; got {checks.shown(wrong)}")
    # Without a number: infinity, but for times that are not known.
    nulls = dict.fromkeys(("objective", "gradient_norm", "step"), math.inf) | {"seconds": math.nan}
    numbers = {
        name: tuple(_numbers(value[name], f"history.{name}", null=null).tolist())
        for name, null in nulls.items()
    }
    return History(tuple(passes), **numbers)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name!r} must be a list; got {checks.shown(value)}")
    return value


def _rows(value: Any, name: str, *, null: float | None = None) -> Any:
    """Finite numbers, or for K classes lists of them."""
    values = _list(value, name)
    if not (values and isinstance(values[0], list)):
        return _numbers(values, name, null=null)
    if {len(_list(row, name)) for row in values} != {len(values[0])}:
        raise ValueError(f"{name!r} must have lists of one length")
    rows = np.empty((len(values), len(values[0])))
    for place, row in enumerate(values):
        rows[place] = _numbers(row, name, null=null)
    return rows


def _numbers_or_one(value: Any, name: str) -> float | NDArray[np.float64]:
    return _numbers(value, name) if isinstance(value, list) else _number(value, name)


def _numbers(value: Any, name: str, *, null: float | None = None) -> NDArray[np.float64]:
    """Finite numbers; where `null` is given, it takes the place of JSON's null."""
    values = _list(value, name)
    kinds = {int, float} if null is None else {int, float, type(None)}
    if set(map(type, values)) <= kinds:
        with suppress(OverflowError):  # JSON's integers may have any length
            array = np.array(values, dtype=np.float64)  # None becomes NaN
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
