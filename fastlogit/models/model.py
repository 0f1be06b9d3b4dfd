"""A trained logistic model: its coefficients, how well they were found, and what they predict.

It is immutable, and made by :func:`fastlogit.fit`, by hand from coefficients, by `load` from a
file, or by :mod:`fastlogit.models.conversion` from another library's model.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit import linear
from fastlogit.core import arrow, checks, files, linalg
from fastlogit.core import threads as _threads
from fastlogit.elementwise import sigmoid
from fastlogit.matrix import centring, features, onehot
from fastlogit.models import fields, file, statistics
from fastlogit.models.fields import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown

__all__ = ["History", "LogisticModel", "OffsetWarning", "load"]

# What `summary` writes of a name, at most.
_MOST_TEXT = 60


class OffsetWarning(UserWarning):
    """A model that was trained with an offset predicts without one."""


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
    with_offset : bool
        Whether it was trained with an offset, which predictions then need as well.

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
    with_offset: bool = False

    def __post_init__(self) -> None:
        """Check and normalise what was given."""
        for name, value in fields.checked(vars(self)).items():
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
        offset: ArrayLike | None = None,
        missing: Missing = "error",
        unknown: Unknown = "error",
        out: NDArray[Any] | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        """Logits of rows, z = X @ coef + intercept + offset.

        Parameters
        ----------
        X : array_like (n, d), CSR matrix (n, d), or table of n rows
            As of :func:`fastlogit.linear.decision`; the names of its columns, if it has names, are
            checked.  Of a model with `categories` it may be a table with these columns of text.
        offset : array_like (n,), optional
            A known addition to z, which a model that was trained with one needs.
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

        Warns
        -----
        OffsetWarning
            If the model was trained with an offset, and none is given.
        """
        warn_without_offset(self, offset)
        return self._decision(X, offset, missing, unknown, out, threads)

    def _decision(
        self,
        X: Any,
        offset: ArrayLike | None,
        missing: Missing = "error",
        unknown: Unknown = "error",
        out: NDArray[Any] | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        onehot.checked_unknown(unknown)
        checks.missing(missing, ("error", "nan"))
        offset = _plain_offset(offset, missing)
        X = features.in_memory(X)
        names = onehot.names_of(X) if self.categories else []
        if not set(names) & set(self.categories):
            given = self._features(X, missing)
            return linear.decision(
                given, self.coef, self.intercept, offset=offset, out=out, threads=threads
            )
        numbers, coef, text = self.columns
        _check_columns(sorted(names), tuple(sorted([*numbers, *text])))
        logits = onehot.sum_of(X, text, missing, unknown)
        if offset is not None:
            logits = logits + checks.vector(offset, "offset", logits.size, "row of X")
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
        offset: ArrayLike | None = None,
        missing: Missing = "error",
        unknown: Unknown = "error",
        threads: SupportsIndex | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities of t = 0 and t = 1, each exact in its own tail.

        Parameters
        ----------
        X, offset, missing, unknown, threads
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

        Warns
        -----
        OffsetWarning
            As `decision`.
        """
        warn_without_offset(self, offset)
        z = self._decision(X, offset, missing, unknown, threads=threads)
        return of_both_classes(sigmoid, z, np.float64, threads)

    def predict(
        self,
        X: Any,
        *,
        offset: ArrayLike | None = None,
        threshold: float = 0.5,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        """Labels: the second of `classes` where its probability is above `threshold`.

        Parameters
        ----------
        X, offset, threads
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

        Warns
        -----
        OffsetWarning
            As `decision`.
        """
        threshold = checks.probability(threshold, "threshold")
        warn_without_offset(self, offset)
        y = sigmoid(self._decision(X, offset, threads=threads), threads=threads)
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

        Warns
        -----
        OffsetWarning
            If the model was trained with an offset, and X is given without one.

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
        warn_without_offset(self, offset)
        given = self._features(X)
        if self.with_intercept:
            count = _threads.resolve(threads)
            weight = checks.weights(weight, given.shape[0], "row of X", count)
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
        if not np.isfinite(hessian).all():
            raise ValueError("X, weight and offset must be finite to give standard errors")
        return np.sqrt(linalg.variances(hessian, given.centres))

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
        return statistics.p_values(self.z_values(X, **data))

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
        return statistics.confidence_intervals(self._estimates, errors, level)

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
        has_errors = self.variances is not None and not np.any(self.l2)
        errors = self.standard_errors() if has_errors else None
        names = list(self.feature_names or (f"x{j}" for j in range(self.coef.size)))
        names = [" ".join(checks.cut(name, _MOST_TEXT).split()) for name in names]
        names += ["(intercept)"] * self.with_intercept
        return statistics.table(self._facts(), names, self._estimates, errors, level)

    @property
    def _estimates(self) -> NDArray[np.float64]:
        return np.append(self.coef, self.intercept) if self.with_intercept else self.coef

    def _facts(self) -> list[tuple[str, str]]:
        """What `summary` tells in its head."""
        penalty = "one for each column" if np.ndim(self.l2) else f"{self.l2:g}"
        facts = [
            ("probability of", checks.shown(self.classes[1])),
            ("l2 penalty", penalty if np.any(self.l2) else "none"),
        ]
        if self.with_offset:
            facts += [("offset", "yes, predictions need one")]
        if self.solver is None:
            return [*facts, ("converged", "not known")]
        facts += [
            ("observations", f"{self.total_weight:.10g}"),
            ("solver", self.solver),
            ("converged", f"{'yes' if self.converged else 'NO'}, {self.passes} passes"),
            ("gradient norm", f"{self.gradient_norm:.1e}"),
        ]
        likelihood = statistics.Likelihood(
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
        return file.content(vars(self))


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
    return file.read(path, LogisticModel)


def loaded(model: LogisticModel | str | os.PathLike[str]) -> LogisticModel:
    """Return a model as it is, or the one in the file of this path."""
    if isinstance(model, LogisticModel):
        return model
    if isinstance(model, str | os.PathLike):
        return load(model)
    raise TypeError(
        f"model must be a LogisticModel or the path of its file; got {type(model).__name__} "
        "(from_sklearn and from_statsmodels take over other libraries' models)"
    )


def warn_without_offset(model: LogisticModel, offset: object) -> None:
    """Warn the user if a model was trained with an offset, and there is none to predict with."""
    if model.with_offset and offset is None:
        warnings.warn(
            "offset must be given, as the model was trained with one; without it, the model "
            "predicts as if it were 0",
            OffsetWarning,
            _level_of_caller(),
        )


def _level_of_caller() -> int:
    """Level, for the function that asks, of the first caller outside this package."""
    package, level = __name__.partition(".")[0], 1
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def _plain_offset(offset: Any, missing: Missing) -> Any:
    """An offset in which other libraries' nulls are NaN, or an error."""
    is_plain = isinstance(offset, str | list | tuple) or not hasattr(offset, "__len__")
    if is_plain or isinstance(getattr(offset, "dtype", None), np.dtype):
        return offset  # which is checked later
    return arrow.floats(offset, "offset", missing)


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
