"""The file of a model: JSON, of which every field is checked and nothing is executed."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastlogit import arrays
from fastlogit.model_fields import MEASURED, History, repeated

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

T = TypeVar("T")

FORMAT = "fastlogit.LogisticModel"
VERSION = 3
# What earlier versions did not have.
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
    """What a file holds of the fields of a model."""
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
    }


def _finite_or_none(history: History) -> dict[str, list[float | None]]:
    """For JSON, which has no infinities: what a step that was far too long came to."""
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
    """An object of JSON, in which a key that is there twice would hide what it said first."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(
            f"the key {arrays.short(repeated(key for key, _ in pairs))} is there twice"
        )
    return result


def _fields(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"its 'format' is not {FORMAT!r}")
    version = content["version"]
    if isinstance(version, bool) or version not in (1, 2, VERSION):
        raise ValueError(
            f"version {arrays.short(version)} is not known; this fastlogit reads 1 to {VERSION}"
        )
    content = {**content, **{1: _SINCE_2, 2: _SINCE_3}.get(version, {})}
    coef, names = content["coef"], content["feature_names"]
    if not (names is None or isinstance(names, list)):
        raise TypeError("'feature_names' must be a list of names or null")
    for name in ("converged", "with_intercept"):
        if not isinstance(content[name], bool):
            raise TypeError(f"{name!r} must be true or false; got {arrays.short(content[name])}")
    return dict(
        coef=np.array([_number(value, "coef") for value in _list(coef, "coef")]),
        intercept=_number(content["intercept"], "intercept"),
        feature_names=None if names is None else tuple(names),
        classes=tuple(_list(content["classes"], "classes")),
        with_intercept=content["with_intercept"],
        l2=_numbers_or_one(content["l2"], "l2"),
        **{name: _number_or_nan(content[name], name) for name in MEASURED},
        converged=content["converged"],
        passes=_count(content["passes"], "passes"),
        solver=content["solver"],
        history=_history(content["history"]),
        variances=None
        if content["variances"] is None
        else np.array(
            [_number_or_nan(one, "variances") for one in _list(content["variances"], "variances")]
        ),
        categories=content["categories"],
    )


def _numbers_or_one(value: Any, name: str) -> float | NDArray[np.float64]:
    if isinstance(value, list):
        return np.array([_number(one, name, least=0) for one in value])
    return _number(value, name, least=0)


def _history(value: Any) -> History | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != set(History._fields):
        raise ValueError(f"'history' must have {', '.join(History._fields)}")
    columns: list[Any] = []
    for name in History._fields:
        one = _count if name == "passes" else _number_or_inf
        given = _list(value[name], f"history.{name}")
        columns.append(tuple(one(number, f"history.{name}") for number in given))
    if len(set(map(len, columns))) != 1:
        raise ValueError("'history' must have as many numbers of each kind")
    return History(*columns)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{name!r} must be a list; got {arrays.short(value)}")
    return value


def _number(value: Any, name: str, least: float = -math.inf) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):  # JSON's integers have no end
            if math.isfinite(value) and value >= least:
                return float(value)
    raise ValueError(
        f"{name!r} must be a finite number{_at_least(least)}; got {arrays.short(value)}"
    )


def _number_or_nan(value: Any, name: str) -> float:
    return math.nan if value is None else _number(value, name, least=0)


def _number_or_inf(value: Any, name: str) -> float:
    return math.inf if value is None else _number(value, name)


def _count(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{name!r} must be a whole number of at least 0; got {arrays.short(value)}")


def _at_least(least: float) -> str:
    return "" if least == -math.inf else f" of at least {least}"
