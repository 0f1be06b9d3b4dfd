"""A trained logistic model: its coefficients, how well they were found, and what they predict.

It is immutable, and made by :func:`fastlogit.fit`, by hand from coefficients, by `load` from a
file, or by :mod:`fastlogit.conversion` from another library's model.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

from fastlogit import arrays, centring, features, files, hessians, inference, linear, onehot
from fastlogit import threads as _threads
from fastlogit.elementwise import sigmoid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from fastlogit.features import Missing
    from fastlogit.onehot import Unknown

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


# Numbers that are not negative, or NaN where they are not known.
_MEASURED = ("log_loss", "null_log_loss", "total_weight", "gradient_norm", "seconds")


class History(NamedTuple):
    """What each read of X found, a tuple of as many numbers for each.

    The last entry is for the point that the model describes; if a worse point was tried last, the
    best one is listed again after it.

    Attributes
    ----------
    passes : tuple of int
        Reads of X so far.
    objective : tuple of float
        Mean loss plus penalty at the point that was tried.
    gradient_norm : tuple of float
        Largest element of its gradient.
    step : tuple of float
        How much of the solver's step was taken to get there.
    seconds : tuple of float
        Since training began.
    """

    passes: tuple[int, ...]
    objective: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    step: tuple[float, ...]
    seconds: tuple[float, ...]


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
    classes : tuple of two labels
        What t = 0 and t = 1 stand for; (0, 1) unless the labels were others.
    with_intercept : bool
        Whether the intercept is one of the estimates.
    l2 : float, or ndarray (d,)
        Penalty that the model was trained with, for all columns or each.
    log_loss : float
        Mean loss over the training data, without the penalty.
    null_log_loss : float
        That of the best model without coefficients; NaN beside an offset.
    total_weight : float
        Σ weight: the number of rows, where they have no weights.
    gradient_norm : float
        Largest element of the gradient of the mean loss plus penalty.
    converged : bool
        Whether there is an optimum, and training came as near to it as its `tol` asks.
    passes : int
        How often X was read: all reads together, those of samples too, rounded up.
    solver : str, or None
        What :func:`fastlogit.fit` used.
    seconds : float
        How long it took.
    history : History, or None
        Loss and gradient norm after each read of X.
    variances : ndarray (d,), or (d + 1,) with that of the intercept last, or None
        Squares of the standard errors, of a fit without a penalty.
    categories : dict of tuple of str
        The categories of each column of text, which has a feature ``column=category`` for each
        of them; one without a feature has the coefficient 0.

    A model made by hand, from coefficients, has NaN, 0 or None for what training would tell.

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
    l2: float | NDArray[np.float64] = 0.0
    log_loss: float = math.nan
    gradient_norm: float = math.nan
    converged: bool = False
    passes: int = 0
    classes: tuple[Any, Any] = (0, 1)
    with_intercept: bool = True
    null_log_loss: float = math.nan
    total_weight: float = math.nan
    solver: str | None = None
    seconds: float = math.nan
    history: History | None = None
    variances: NDArray[np.float64] | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)

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
        checked: dict[str, Any] = {
            "coef": coef,
            "intercept": intercept,
            "feature_names": None if names is None else checked_names(names, coef.size),
            "classes": _checked_classes(self.classes),
            "with_intercept": arrays.true_or_false(self.with_intercept, "with_intercept"),
            "l2": _checked_l2(self.l2, coef.size),
            "converged": arrays.true_or_false(self.converged, "converged"),
            "passes": arrays.whole_number(self.passes, "passes", 0),
        }
        if not isinstance(self.solver, str | None):
            raise TypeError(f"solver must be a name or None; got {arrays.short(self.solver)}")
        if not isinstance(self.history, History | None):
            raise TypeError(f"history must be a History or None; got {self.history!r}")
        for name in _MEASURED:
            number = arrays.number(getattr(self, name), name)
            checked[name] = number if math.isnan(number) else arrays.not_negative(number, name)
        if self.variances is not None:
            size = coef.size + int(checked["with_intercept"])
            variances = arrays.vector(self.variances, "variances", size, "estimate")
            variances = variances.astype(np.float64)
            if (variances < 0.0).any():
                raise ValueError(f"variances must not be negative; got {variances.min()}")
            variances.flags.writeable = False
            checked["variances"] = variances
        checked["categories"] = onehot.checked(self.categories, checked["feature_names"])
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was pickled or copied, of which NumPy forgets that it is read-only."""
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)

    def _features(self, X: Any, missing: Missing = "error") -> features.Features:
        """Check that X has the columns that the model was trained on."""
        given = features.of(X, missing)
        d = given.shape[1]
        names = None if given.names is None else list(map(str, given.names))
        if names is not None and self.feature_names is not None:
            _check_columns(names, self.feature_names)
        if d != self.coef.size:
            raise ValueError(
                f"X must have {self.coef.size} columns, as the model has coefficients; got {d}"
            )
        return given

    @cached_property
    def columns(self) -> onehot.Columns:
        """Coefficients by the columns that a table must have; of a model with `feature_names`."""
        if self.feature_names is None:
            raise ValueError("a model without feature_names has no names of columns")
        return onehot.columns(self.feature_names, self.coef, self.categories)

    def decision(
        self,
        X: Any,
        *,
        missing: Missing = "error",
        unknown: Unknown = "error",
        out: NDArray[Any] | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        """Logits of rows, z = X @ coef + intercept.

        Parameters
        ----------
        X : array_like (n, d), CSR matrix (n, d), or table of n rows
            As of :func:`fastlogit.linear.decision`; the names of its columns, if it has names, are
            checked.  Of a model with `categories` it may be a table with these columns of text.
        missing : {"error", "nan"}
            What to do about nulls: an error that names the column, or take them as NaN.
        unknown : {"error", "ignore"}
            What to do about a text that is none of the categories: an error, or add 0.
        out : ndarray (n,), optional
            Where to put the result: float64 or float32.
        threads : int, optional
            Most threads to use; default: all cores that the process may use.

        Returns
        -------
        ndarray (n,)
            float64; NaN for a row with NaN.

        Raises
        ------
        TypeError, ValueError
            If X does not suit the model, naming the column, or another argument is wrong.
        """
        onehot.checked_unknown(unknown)
        names = onehot.names_of(X) if self.categories else []
        if not set(names) & set(self.categories):
            given = self._features(X, missing)
            return linear.decision(given, self.coef, self.intercept, out=out, threads=threads)
        numbers, coef, text = self.columns
        _check_columns(sorted(names), tuple(sorted([*numbers, *text])))
        logits = onehot.sum_of(X, text, missing, unknown)
        if numbers:
            rows = {name: X[name] for name in numbers}
            return linear.decision(
                rows, coef, self.intercept, offset=logits, missing=missing, out=out, threads=threads
            )
        z: NDArray[np.float64] = np.add(logits, self.intercept, out=out)
        return z

    def predict_proba(
        self,
        X: Any,
        *,
        missing: Missing = "error",
        unknown: Unknown = "error",
        threads: SupportsIndex | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities of t = 0 and t = 1, each exact in its own tail.

        Parameters
        ----------
        X, missing, unknown, threads
            As of `decision`.

        Returns
        -------
        ndarray (n, 2)
            float64, in the order of `classes`; a row with NaN, or a null that is taken as NaN, has
            NaN for both.

        Raises
        ------
        TypeError, ValueError
            As by `decision`.
        """
        z = self.decision(X, missing=missing, unknown=unknown, threads=threads)
        return of_both_classes(sigmoid, z, np.float64, threads)

    def predict(
        self, X: Any, *, threshold: float = 0.5, threads: SupportsIndex | None = None
    ) -> NDArray[Any]:
        """Labels: the second of `classes` where its probability is above `threshold`.

        Parameters
        ----------
        X, threads
            As of `decision`.
        threshold : float
            In [0, 1].

        Returns
        -------
        ndarray (n,)
            int64 for classes 0 and 1, else bool, int64, float64 or str as they are.

        Raises
        ------
        TypeError, ValueError
            As by `decision`; if `threshold` is no number in [0, 1], or a row's probability is NaN.
        """
        threshold = arrays.number(threshold, "threshold")
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold must lie between 0 and 1; got {threshold}")
        y = sigmoid(self.decision(X, threads=threads), threads=threads)
        if np.isnan(y).any():
            row = int(np.argmax(np.isnan(y)))
            raise ValueError(f"X gives no label in row {row}: its probability is NaN")
        labels: NDArray[Any] = np.array(self.classes)[(y > threshold).astype(np.intp)]
        return labels

    # What the data tell of the coefficients -----------------------------------------------

    def standard_errors(
        self,
        X: Any = None,
        *,
        weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[np.float64]:
        """Standard errors of the coefficients, and last of the intercept if there is one.

        From the inverse of the Hessian of the loss, which is that of Fisher's information.

        Parameters
        ----------
        X : array_like (n, d), CSR matrix (n, d), or table of n rows, optional
            As of `decision`: the data that the model was trained on, by whatever; default: what
            :func:`fastlogit.fit` has kept of them.
        weight, offset, threads : optional
            As of :func:`fastlogit.fit`.

        Returns
        -------
        ndarray (d + 1,), or (d,) for a model without an intercept
            NaN for what collinear columns leave open.

        Raises
        ------
        ValueError
            If the model was trained with a penalty, for which they would mean nothing, or none
            are kept and X is not given.

        Examples
        --------
        >>> import fastlogit as fl
        >>> model = fl.fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1], l2=0)
        >>> model.standard_errors().round(4)
        array([1.0852, 1.9749])
        """
        if np.any(self.l2):
            raise ValueError(f"a model trained with a penalty (l2 = {self.l2}) has none")
        if X is None:
            if self.variances is None:
                raise ValueError("none are kept: give X")
            return np.sqrt(self.variances)
        given = self._features(X)
        if self.with_intercept:
            count = _threads.resolve(threads)
            weight = arrays.weights(weight, given.shape[0], "row of X", count)
            given = centring.centred(given, weight, count)
        hessian = linear.hessian(
            given,
            self.coef,
            centring.moved(self.intercept, given.centres, self.coef),
            weight=weight,
            offset=offset,
            with_intercept=self.with_intercept,
            threads=threads,
        )
        return np.sqrt(hessians.variances(hessian, given.centres))

    def z_values(self, X: Any = None, **data: Any) -> NDArray[np.float64]:
        """Estimates in units of their standard errors (Wald's statistic).

        Parameters
        ----------
        X, **data : optional
            As of `standard_errors`.

        Returns
        -------
        ndarray (d + 1,), or (d,) for a model without an intercept
            NaN for what collinear columns leave open.

        Raises
        ------
        TypeError, ValueError
            As by `standard_errors`.
        """
        return self._estimates / self.standard_errors(X, **data)

    def p_values(self, X: Any = None, **data: Any) -> NDArray[np.float64]:
        """Probabilities of a z-value that is further from 0, if the true coefficient is 0.

        Parameters
        ----------
        X, **data : optional
            As of `standard_errors`.

        Returns
        -------
        ndarray (d + 1,), or (d,) for a model without an intercept
            Exact also where they are tiny; NaN for what collinear columns leave open.

        Raises
        ------
        TypeError, ValueError
            As by `standard_errors`.
        """
        return inference.p_values(self.z_values(X, **data))

    def confidence_intervals(
        self, X: Any = None, *, level: float = 0.95, **data: Any
    ) -> NDArray[np.float64]:
        """Intervals that hold the true coefficients with probability `level`.

        Parameters
        ----------
        X, **data : optional
            As of `standard_errors`.
        level : float
            Between 0 and 1.

        Returns
        -------
        ndarray (d + 1, 2), or (d, 2) for a model without an intercept
            Lower and upper ends; NaN for what collinear columns leave open.

        Raises
        ------
        TypeError, ValueError
            As by `standard_errors`, or if `level` does not lie between 0 and 1.
        """
        errors = self.standard_errors(X, **data)
        return inference.confidence_intervals(self._estimates, errors, level)

    def summary(self, *, level: float = 0.95) -> str:
        """Table of the estimates, and of what is known about the fit.

        With standard errors, z-values, p-values and confidence intervals, if those are kept.

        Parameters
        ----------
        level : float
            Of the confidence intervals, between 0 and 1.

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            If `level` does not lie between 0 and 1.

        Examples
        --------
        >>> import fastlogit as fl
        >>> model = fl.fit({"x": [0.0, 1.0, 2.0, 3.0]}, [0, 1, 0, 1], l2=0)
        >>> for line in model.summary().splitlines()[-3:-1]:
        ...     print(line)
        x            0.908184    1.085   0.837  0.403  -1.219   3.035
        (intercept)  -1.36228    1.975  -0.690  0.490  -5.233   2.508
        """
        errors = None if self.variances is None else self.standard_errors()
        names = list(self.feature_names or (f"x{j}" for j in range(self.coef.size)))
        names = [" ".join(name.split()) for name in names]
        names += ["(intercept)"] * self.with_intercept
        return inference.table(self._facts(), names, self._estimates, errors, level)

    @property
    def _estimates(self) -> NDArray[np.float64]:
        return np.append(self.coef, self.intercept) if self.with_intercept else self.coef

    def _facts(self) -> list[tuple[str, str]]:
        """What `summary` tells in its head."""
        penalty = "one for each column" if np.ndim(self.l2) else f"{self.l2:g}"
        facts = [
            ("probability of", repr(self.classes[1])),
            ("l2 penalty", penalty if np.any(self.l2) else "none"),
        ]
        if self.solver is None:
            return [*facts, ("converged", "not known")]
        facts += [
            ("observations", f"{self.total_weight:.10g}"),
            ("solver", self.solver),
            ("converged", f"{'yes' if self.converged else 'NO'}, {self.passes} passes"),
            ("gradient norm", f"{self.gradient_norm:.1e}"),
        ]
        likelihood = inference.Likelihood(
            -self.log_loss * self.total_weight,
            -self.null_log_loss * self.total_weight,
            self.coef.size,
        )
        facts += [("log-likelihood", f"{likelihood.model:.6g}")]
        if not math.isnan(self.null_log_loss):
            facts += [
                ("null log-likelihood", f"{likelihood.null:.6g}"),
                ("pseudo R² (McFadden)", f"{likelihood.pseudo_r_squared:.4g}"),
            ]
            if self.variances is not None and not np.isnan(self.variances).any():
                facts += [("likelihood ratio p", f"{likelihood.p_value:.3g}")]
        return facts

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as JSON, from which `load` gives the same model, bit for bit.

        The file appears whole or not at all, and replaces one that exists.

        Parameters
        ----------
        path : path

        Raises
        ------
        OSError
            If it cannot be written.
        """
        text = json.dumps(self.content(), indent=1, ensure_ascii=False, allow_nan=False)
        with files.replacing(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def content(self) -> dict[str, Any]:
        """What `save` writes, for JSON; raises nothing.

        Returns
        -------
        dict
        """
        return {
            "format": FORMAT,
            "version": VERSION,
            "coef": self.coef.tolist(),
            "intercept": self.intercept,
            "feature_names": self.feature_names,
            "classes": self.classes,
            "with_intercept": self.with_intercept,
            "l2": np.asarray(self.l2).tolist(),
            **{name: _none_for_nan(getattr(self, name)) for name in _MEASURED},
            "converged": self.converged,
            "passes": self.passes,
            "solver": self.solver,
            "history": None if self.history is None else _finite_or_none(self.history),
            "variances": None
            if self.variances is None
            else [_none_for_nan(value) for value in self.variances.tolist()],
            "categories": self.categories,
        }


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
        content = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a model file: {error}") from None
    try:
        return _from_content(content)
    except (KeyError, TypeError, ValueError) as error:
        missing = isinstance(error, KeyError)
        reason = f"{error.args[0]!r} is missing" if missing else str(error)
        raise ValueError(f"{path}: not a valid model: {reason}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which a key that is there twice would hide what it said first."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError(
            f"the key {arrays.short(_repeated(key for key, _ in pairs))} is there twice"
        )
    return result


def _from_content(content: Any) -> LogisticModel:
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
    return LogisticModel(
        coef=np.array([_number(value, "coef") for value in _list(coef, "coef")]),
        intercept=_number(content["intercept"], "intercept"),
        feature_names=None if names is None else tuple(names),
        classes=tuple(_list(content["classes"], "classes")),
        with_intercept=content["with_intercept"],
        l2=_numbers_or_one(content["l2"], "l2"),
        **{name: _number_or_nan(content[name], name) for name in _MEASURED},
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


def _finite_or_none(history: History) -> dict[str, list[float | None]]:
    """For JSON, which has no infinities: what a step that was far too long came to."""
    return {
        name: [value if math.isfinite(value) else None for value in values]
        for name, values in history._asdict().items()
    }


def _count(value: Any, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{name!r} must be a whole number of at least 0; got {arrays.short(value)}")


def _at_least(least: float) -> str:
    return "" if least == -math.inf else f" of at least {least}"


def _check_columns(given: list[str], wanted: tuple[str, ...]) -> None:
    """Check that the names of columns are those wanted, in the same order."""
    absent = [name for name in wanted if name not in set(given)]
    if absent:
        raise ValueError(f"X must have all columns of the model; missing {_listed(absent)}")
    unknown = [name for name in given if name not in set(wanted)]
    if unknown:
        raise ValueError(f"X must have no columns that the model has not; got {_listed(unknown)}")
    for place, (name, other) in enumerate(zip(given, wanted, strict=True)):
        if name != other:
            raise ValueError(
                f"X must have its columns in the order of the model's feature_names: column "
                f"{place} must be {other!r}; got {name!r}"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" * (len(names) > 5))


def _checked_classes(classes: Any) -> tuple[Any, Any]:
    """Two different labels."""
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise TypeError(f"classes must be two labels; got {classes!r}")
    result = tuple(one.item() if isinstance(one, np.generic) else one for one in classes)
    if len(result) != 2 or result[0] == result[1]:
        raise ValueError(f"classes must be two different labels; got {arrays.short(result)}")
    for label in result:
        if not isinstance(label, bool | int | float | str) or label != label:
            raise TypeError(f"classes must be bool, int, float or str; got {arrays.short(label)}")
        if isinstance(label, int) and not -(2**63) <= label < 2**63:
            raise ValueError(f"classes must be of 64 bits; got {arrays.short(label)}")
    if isinstance(result[0], str) != isinstance(result[1], str):
        raise TypeError(f"classes must be of the same kind; got {arrays.short(result)}")
    return result


def _checked_l2(l2: Any, d: int) -> float | NDArray[np.float64]:
    if np.ndim(l2) == 0:
        return arrays.not_negative(l2, "l2")
    penalties = arrays.vector(l2, "l2", d, "coefficient").astype(np.float64)
    for value in penalties:
        arrays.not_negative(value, "l2")
    penalties.flags.writeable = False
    return penalties


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
            raise TypeError(f"feature_names must be strings; got {arrays.short(name)}")
    if len(set(result)) < d:
        raise ValueError(
            f"feature_names must differ; got {arrays.short(_repeated(result))} more than once"
        )
    return result


def _repeated(names: Iterable[str]) -> str:
    return next(name for name, count in Counter(names).items() if count > 1)


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
