"""A trained logistic model: its coefficients, how well they were found, and what they predict."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit import arrays, files, linear
from fastlogit.elementwise import sigmoid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from fastlogit.features import Missing

FORMAT = "fastlogit.LogisticModel"
VERSION = 1


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """P(t = 1) = σ(X @ coef + intercept).

    Attributes
    ----------
    coef : ndarray (d,)
        Coefficients, float64.
    intercept : float
        0.0 if the model was trained without one.
    feature_names : tuple of str, or None
        Names of the columns of X, in the order of `coef`.
    l2 : float
        Penalty that the model was trained with.
    log_loss : float
        Mean loss over the training data, without the penalty.
    gradient_norm : float
        Largest element of the gradient of the mean loss plus penalty.
    converged : bool
        Whether `gradient_norm` came below the tolerance.
    passes : int
        How often X was read.

    A model made by hand, from coefficients, has NaN and 0 for what training would tell.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.LogisticModel([2.0, -1.0], 0.5)
    >>> model.predict_proba([[0.0, 0.5], [1.0, 0.0]])
    array([[0.5       , 0.5       ],
           [0.07585818, 0.92414182]])
    """

    coef: NDArray[np.float64]
    intercept: float = 0.0
    feature_names: tuple[str, ...] | None = None
    l2: float = 0.0
    log_loss: float = math.nan
    gradient_norm: float = math.nan
    converged: bool = False
    passes: int = 0

    def __post_init__(self) -> None:
        """Check and normalise what was given."""
        coef = np.array(arrays.real_array(self.coef, "coef", 1), dtype=np.float64)
        if not np.isfinite(coef).all():
            raise ValueError(f"coef must be finite; got {coef[~np.isfinite(coef)][0]}")
        intercept = arrays.number(self.intercept, "intercept")
        if not math.isfinite(intercept):
            raise ValueError(f"intercept must be finite; got {intercept}")
        coef.flags.writeable = False
        names = self.feature_names
        checked = {
            "coef": coef,
            "intercept": intercept,
            "feature_names": None if names is None else checked_names(names, coef.size),
            "l2": arrays.not_negative(self.l2, "l2"),
            "converged": arrays.true_or_false(self.converged, "converged"),
            "passes": arrays.whole_number(self.passes, "passes", 0),
        }
        for name in ("log_loss", "gradient_norm"):
            number = arrays.number(getattr(self, name), name)
            checked[name] = number if math.isnan(number) else arrays.not_negative(number, name)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def decision(
        self,
        X: Any,
        *,
        missing: Missing = "error",
        out: NDArray[Any] | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        """Logits of rows, X @ coef + intercept; see :func:`fastlogit.linear.decision`."""
        return linear.decision(
            X, self.coef, self.intercept, missing=missing, out=out, threads=threads
        )

    def predict_proba(
        self, X: Any, *, missing: Missing = "error", threads: SupportsIndex | None = None
    ) -> NDArray[np.float64]:
        """Probabilities of t = 0 and t = 1, an array (n, 2); both exact in their tails.

        With `missing` "nan", a row with a null has NaN for both.
        """
        z = self.decision(X, missing=missing, threads=threads)
        return of_both_classes(sigmoid, z, np.float64, threads)

    def predict(
        self, X: Any, *, threshold: float = 0.5, threads: SupportsIndex | None = None
    ) -> NDArray[np.int64]:
        """Labels, 1 where the probability of t = 1 is above `threshold`, else 0.

        Raises
        ------
        TypeError, ValueError
            If `threshold` is no number in [0, 1], or a row's probability is NaN.
        """
        threshold = arrays.number(threshold, "threshold")
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold must lie between 0 and 1; got {threshold}")
        y = linear.probability(X, self.coef, self.intercept, threads=threads)
        if np.isnan(y).any():
            row = int(np.argmax(np.isnan(y)))
            raise ValueError(f"X gives no label in row {row}: its probability is NaN")
        return (y > threshold).astype(np.int64)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as JSON, from which `load` gives the same model, bit for bit.

        The file appears whole or not at all, and replaces one that exists.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "coef": self.coef.tolist(),
            "intercept": self.intercept,
            "feature_names": self.feature_names,
            "l2": self.l2,
            "log_loss": _none_for_nan(self.log_loss),
            "gradient_norm": _none_for_nan(self.gradient_norm),
            "converged": self.converged,
            "passes": self.passes,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        with files.replacing(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def of_both_classes(
    function: Callable[..., Any], z: NDArray[Any], dtype: DTypeLike, threads: SupportsIndex | None
) -> NDArray[Any]:
    """A function of z for t = 0 and t = 1, an array (n, 2), each exact in its own tail."""
    result = np.empty((z.size, 2), dtype)
    function(-z, out=result[:, 0], threads=threads)
    function(z, out=result[:, 1], threads=threads)
    return result


def load(path: str | os.PathLike[str]) -> LogisticModel:
    """Read a model that `LogisticModel.save` wrote.

    Parameters
    ----------
    path : path
        A JSON file.  It is data: nothing in it is executed.

    Returns
    -------
    LogisticModel

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a model, or of a later version; the message begins with the path.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import fastlogit as fl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.json")
    ...     fl.LogisticModel([0.1, 0.2], 0.3, ("a", "b")).save(path)
    ...     fl.load(path).coef
    array([0.1, 0.2])
    """
    text = Path(path).read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model file: {error}") from None
    try:
        return _from_content(content)
    except (KeyError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else str(error)
        raise ValueError(f"{path}: not a valid model: {reason}") from None


def _from_content(content: Any) -> LogisticModel:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"its 'format' is not {FORMAT!r}")
    if content["version"] != VERSION:
        raise ValueError(
            f"version {content['version']!r} is not known; this fastlogit reads {VERSION}"
        )
    coef, names = content["coef"], content["feature_names"]
    if not isinstance(coef, list):
        raise TypeError("'coef' must be a list of numbers")
    if not (names is None or isinstance(names, list)):
        raise TypeError("'feature_names' must be a list of names or null")
    if not isinstance(content["converged"], bool):
        raise TypeError(f"'converged' must be true or false; got {content['converged']!r}")
    return LogisticModel(
        coef=np.array([_number(value, "coef") for value in coef]),
        intercept=_number(content["intercept"], "intercept"),
        feature_names=None if names is None else tuple(names),
        l2=_number(content["l2"], "l2", least=0),
        log_loss=_number_or_nan(content["log_loss"], "log_loss"),
        gradient_norm=_number_or_nan(content["gradient_norm"], "gradient_norm"),
        converged=content["converged"],
        passes=_count(content["passes"], "passes"),
    )


def _number(value: Any, name: str, least: float = -math.inf) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):  # JSON's integers have no end
            if math.isfinite(value) and value >= least:
                return float(value)
    raise ValueError(f"{name!r} must be a finite number{_at_least(least)}; got {_short(value)}")


def _number_or_nan(value: Any, name: str) -> float:
    return math.nan if value is None else _number(value, name, least=0)


def _count(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{name!r} must be a whole number of at least 0; got {_short(value)}")


def _at_least(least: float) -> str:
    return "" if least == -math.inf else f" of at least {least}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a number with thousands of digits"
    return text if len(text) <= 60 else f"{text[:60]} ..."


def checked_names(names: Any, d: int) -> tuple[str, ...]:
    """Feature names as a tuple of `d` different strings."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"feature_names must be a sequence of strings; got {names!r}")
    result = tuple(names)
    if len(result) != d:
        raise ValueError(
            f"feature_names must have one name for each column, {d}; got {len(result)}"
        )
    for name in result:
        if not isinstance(name, str):
            raise TypeError(f"feature_names must be strings; got {name!r}")
    if len(set(result)) < d:
        twice = next(name for name in result if result.count(name) > 1)
        raise ValueError(f"feature_names must differ; got {twice!r} more than once")
    return result


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
