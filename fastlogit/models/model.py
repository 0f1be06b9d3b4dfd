"""A trained logistic model: coefficients, facts about the fit, and predictions.

Instances are immutable.  They come from :func:`fastlogit.fit`, `load`,
:mod:`fastlogit.models.conversion` or the constructor.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from fastlogit import linear
from fastlogit.core import checks, files, gauge, linalg
from fastlogit.core import threads as _threads
from fastlogit.matrix import centring, onehot, short
from fastlogit.matrix.arguments import of_rows
from fastlogit.matrix.table import in_memory
from fastlogit.models import fields, file, predictions, statistics, summary
from fastlogit.models.export.methods import Exports
from fastlogit.models.fields import History
from fastlogit.models.input import (
    OffsetWarning,
    check_columns,
    checked_matrix,
    offset_array,
    warn_without_offset,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown

__all__ = ["History", "LogisticModel", "OffsetWarning", "load"]


# The Hessian of more parameters takes over 800 MB, and its eigenvectors many minutes.
_MOST_PARAMETERS = 10_000


@dataclass(frozen=True, eq=False)
class LogisticModel(Exports):
    """A logistic model of two classes, P(t = 1) = σ(z), or of K, P(class k) = softmax(Z)_k.

    The logits are z = X @ coef + intercept, or Z = X @ coef.T + intercept.

    Attributes
    ----------
    coef : ndarray (d,), or (K, d) for K >= 3 classes
        Coefficients, float64.
    intercept : float, or ndarray (K,)
        0 if the model was trained without one.
    feature_names : tuple of str, or None
        Names of the columns of X, in the order of `coef`.
    classes : tuple of two labels, or K
        The labels for t = 0, 1 and so on; these numbers unless training had other labels.
    with_intercept : bool
        Whether the intercept was estimated.
    l2 : float, or ndarray (d,)
        Penalty of the training, one for all columns or one for each.
    mean_log_loss : float
        Mean loss over the training data, without the penalty.
    mean_null_log_loss : float
        Mean loss of the best model without coefficients; NaN if there was an offset.
    total_weight : float
        Σ weight: the number of rows if they have no weights.
    gradient_norm : float
        Largest element of the gradient of mean loss plus penalty.
    converged : bool
        Whether an optimum exists, and training came as close to it as its `tol` demands.
    passes : int
        Number of reads of X.  A read of a sample counts by its share of the rows; the total is
        rounded up.
    solver : str, or None
        The solver that :func:`fastlogit.fit` used.
    seconds : float
        Duration of the training; NaN with a checkpoint, as parts may have run at different times.
    history : History, or None
        Loss and gradient norm of each point that the solver tried.
    variances : ndarray (d,), or (d + 1,) for a model with an intercept, or None
        Squared standard errors of a fit without a penalty; the intercept comes last.  Of K classes
        (K - 1, d) or (K - 1, d + 1), for the differences between each class and the first.
    categories : dict of tuple of str or None
        Categories of each text column.  Each category with a coefficient is a feature
        ``column=category``; the coefficient of any other is 0.  If the last category is None, it
        contains all texts but the others, and its feature is ``column (all others)``.
    with_offset : bool
        Whether the model was trained with an offset; then predictions need one, too.

    A model made from coefficients has NaN, 0 or None in the fields about training.

    Examples
    --------
    >>> import fastlogit as fl
    >>> model = fl.LogisticModel([2.0, -1.0], 0.5)
    >>> model.predict_proba([[0.0, 0.5], [1.0, 0.0]])
    array([[0.5       , 0.5       ],
           [0.07585818, 0.92414182]])
    >>> model = fl.LogisticModel([[2.0], [0.0], [-2.0]], classes=("low", "middle", "high"))
    >>> model.predict([[-1.5], [1.0]]).tolist()
    ['high', 'low']
    """

    coef: NDArray[np.float64]
    intercept: Any = 0.0
    feature_names: tuple[str, ...] | None = None
    l2: float | NDArray[np.float64] = 0.0
    mean_log_loss: float = math.nan
    gradient_norm: float = math.nan
    converged: bool = False
    passes: int = 0
    classes: tuple[Any, ...] = ()
    with_intercept: bool = True
    mean_null_log_loss: float = math.nan
    total_weight: float = math.nan
    solver: str | None = None
    seconds: float = math.nan
    history: History | None = None
    variances: NDArray[np.float64] | None = None
    categories: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    with_offset: bool = False

    def __post_init__(self) -> None:
        """Check and normalise the fields."""
        for name, value in fields.checked(vars(self)).items():
            object.__setattr__(self, name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickle or copy; NumPy forgets that its arrays are read-only."""
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        self.__dict__.update(state)

    @cached_property
    def columns(self) -> onehot.ExpandedColumns:
        """Coefficients by the columns that a table must have; needs `feature_names`."""
        if self.feature_names is None:
            raise ValueError(
                "model must have feature_names, as columns are found by name (train it on data "
                "with column names)"
            )
        return onehot.expanded_columns(self.feature_names, self.coef, self.categories)

    @property
    def _shape(self) -> tuple[int, int]:
        """Number of logits of a row, 1 for two classes, and of features."""
        return (1 if self.coef.ndim == 1 else len(self.coef)), self.coef.shape[-1]

    # Predictions --------------------------------------------------------------------------

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
        """Logits of rows, z = X @ coef + intercept + offset, or for K classes a matrix of them.

        Parameters
        ----------
        X : array_like (n, d), CSR matrix (n, d), or table of n rows
            As in :func:`fastlogit.linear.decision`.  Names must be the model's, in its order.  For
            a model with `categories`, X may be a table with these columns of text, in any order.
        offset : array_like (n,), or (n, K), optional
            A known addition to z; a model that was trained with one needs it.
        missing : {"error", "nan"}
            How to treat nulls: raise an error that names the column, or read them as NaN.
        unknown : {"error", "ignore"}
            How to treat text that belongs to no category: raise an error, or add 0.
        out : ndarray (n,), or (n, K), optional
            Array for the result: float64 or float32.
        threads : int, optional
            Maximum number of threads; default: all cores that the process may use.

        Returns
        -------
        ndarray (n,), or (n, K) in the order of `classes`
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
        """Logits, without a warning."""
        plain = offset is None and missing is unknown is checks.ERROR
        if plain and (threads is None or _threads.is_count(threads)):
            z: NDArray[Any] | None = short.call("logits", X, self.coef, self.intercept, None, out)
            if z is not None:
                return z
        onehot.checked_unknown(unknown)
        checks.missing(missing, ("error", "nan"))
        offset = offset_array(offset, missing)
        X = in_memory(X)
        names = onehot.column_names(X) if self.categories else []
        if not set(names) & set(self.categories):
            given = checked_matrix(X, self.feature_names, self._shape[1], missing)
            return linear.decision(
                given, self.coef, self.intercept, offset=offset, out=out, threads=threads
            )
        numbers, coef, text = self.columns
        check_columns(sorted(names), sorted([*numbers, *text]))
        logits = onehot.text_logits(X, text, missing, unknown)
        if offset is not None:
            logits = logits + of_rows(offset, "offset", logits.shape)
        if numbers:
            rows = {name: X[name] for name in numbers}
            return linear.decision(
                rows, coef, self.intercept, offset=logits, missing=missing, out=out, threads=threads
            )
        total: NDArray[np.float64] = np.add(logits, self.intercept, out=out)
        return total

    def predict_proba(
        self,
        X: Any,
        *,
        offset: ArrayLike | None = None,
        missing: Missing = "error",
        unknown: Unknown = "error",
        threads: SupportsIndex | None = None,
    ) -> NDArray[np.float64]:
        """Probabilities of the classes, each exact in its own tail.

        Parameters
        ----------
        X, offset, missing, unknown, threads
            As in `decision`.

        Returns
        -------
        ndarray (n, 2), or (n, K)
            float64, in the order of `classes`.  All are NaN for a row with NaN, or with a null
            that is read as NaN.

        Raises
        ------
        TypeError, ValueError
            As in `decision`.

        Warns
        -----
        OffsetWarning
            As in `decision`.
        """
        warn_without_offset(self, offset)
        logits = self._decision(X, offset, missing, unknown, threads=threads)
        return predictions.probabilities(logits, threads)

    def predict(
        self,
        X: Any,
        *,
        offset: ArrayLike | None = None,
        threshold: float = 0.5,
        threads: SupportsIndex | None = None,
    ) -> NDArray[Any]:
        """Labels: of two classes the second, where its probability is above `threshold`.

        Of K classes the most probable, and of those that are equal the first.

        Parameters
        ----------
        X, offset, threads
            As in `decision`.
        threshold : float
            In [0, 1]; for two classes only.

        Returns
        -------
        ndarray (n,)
            int64 for classes 0 and 1, otherwise the type of the classes: bool, int64, float64 or
            str.

        Raises
        ------
        TypeError, ValueError
            As in `decision`; if a probability is NaN; if `threshold` is not in [0, 1], or given
            for K classes.

        Warns
        -----
        OffsetWarning
            As in `decision`.
        """
        threshold = predictions.checked_threshold(threshold, self.classes)
        warn_without_offset(self, offset)
        logits = self._decision(X, offset, threads=threads)
        numbers = predictions.class_numbers(logits, threshold, threads)
        return predictions.labels(numbers, self.classes)

    # Statistics of the coefficients -------------------------------------------------------

    def standard_errors(
        self,
        X: Any = None,
        *,
        weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        threads: SupportsIndex | None = None,
    ) -> NDArray[np.float64]:
        """Standard errors of the coefficients, then of the intercept if there is one.

        They come from the inverse of the Hessian of the loss, which is the Fisher information.  Of
        K classes, only differences have some: of each class but the first, minus the first.

        Parameters
        ----------
        X : array_like (n, d), CSR matrix (n, d), or table of n rows, optional
            As in `decision`: the training data; any library may have trained the model.
            Default: the variances that :func:`fastlogit.fit` stored.
        weight, offset, threads : optional
            As in :func:`fastlogit.fit`.

        Returns
        -------
        ndarray (d + 1,), or (K - 1, d + 1); d in place of d + 1 without an intercept
            NaN for coefficients that collinear columns leave undetermined.

        Raises
        ------
        ValueError
            If the model was trained with a penalty, as they would have no meaning; if it stores
            none and X is not given; or if X is given and the model has more than 10,000
            coefficients and intercepts, whose Hessian is too large.

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
            raise ValueError(
                f"a model trained with a penalty (l2 = {self.l2}) has no standard errors"
            )
        if X is None:
            if self.variances is None:
                raise ValueError("the model stores no standard errors; pass the training data as X")
            return np.sqrt(self.variances)
        outputs, d = self._shape
        size = outputs * (d + self.with_intercept)
        if size > _MOST_PARAMETERS:
            raise ValueError(
                f"the model must have at most {_MOST_PARAMETERS:,} coefficients and intercepts to "
                f"give standard errors; got {size:,}"
            )
        warn_without_offset(self, offset)
        given = checked_matrix(X, self.feature_names, d, "error")
        if self.with_intercept:
            count = _threads.resolve(threads)
            weight = checks.weights(weight, given.shape[0], "row of X", count)
            given = centring.centre_columns(given, weight, count)
        intercepts = centring.shift_intercepts(
            np.atleast_1d(self.intercept), given.centres, np.atleast_2d(self.coef)
        )
        hessian = linear.hessian(
            given,
            self.coef,
            intercepts if outputs > 1 else intercepts[0],
            weight=weight,
            offset=offset,
            with_intercept=self.with_intercept,
            threads=threads,
        )
        if not np.isfinite(hessian).all():
            raise ValueError("X, weight and offset must be finite to give standard errors")
        hessian = gauge.fix(hessian, outputs, d, np.zeros(d, np.bool_))
        estimates = gauge.estimates(outputs, given.centres, with_intercept=self.with_intercept)
        return np.sqrt(linalg.variances(hessian, estimates))

    def z_values(self, X: Any = None, **data: Any) -> NDArray[np.float64]:
        """Estimates divided by their standard errors (Wald's statistic).

        Parameters
        ----------
        X, **data : optional
            As in `standard_errors`.

        Returns
        -------
        ndarray of the shape of `standard_errors`
            NaN for coefficients that collinear columns leave undetermined.

        Raises
        ------
        TypeError, ValueError
            As in `standard_errors`.
        """
        return self._estimates / self.standard_errors(X, **data)

    def p_values(self, X: Any = None, **data: Any) -> NDArray[np.float64]:
        """Two-sided p-values of the hypotheses that a coefficient is 0 (Wald's test).

        Parameters
        ----------
        X, **data : optional
            As in `standard_errors`.

        Returns
        -------
        ndarray of the shape of `standard_errors`
            Exact also if tiny; NaN for coefficients that collinear columns leave undetermined.

        Raises
        ------
        TypeError, ValueError
            As in `standard_errors`.
        """
        return statistics.p_values(self.z_values(X, **data))

    def confidence_intervals(
        self, X: Any = None, *, level: float = 0.95, **data: Any
    ) -> NDArray[np.float64]:
        """Intervals that hold the true coefficients with probability `level`.

        Parameters
        ----------
        X, **data : optional
            As in `standard_errors`.
        level : float
            Between 0 and 1.

        Returns
        -------
        ndarray of the shape of `standard_errors`, with a last axis of 2
            Lower and upper ends; NaN for coefficients that collinear columns leave undetermined.

        Raises
        ------
        TypeError, ValueError
            As in `standard_errors`; or if `level` is not between 0 and 1.
        """
        errors = self.standard_errors(X, **data)
        return statistics.confidence_intervals(self._estimates, errors, level)

    def summary(self, *, level: float = 0.95) -> str:
        """Table of the estimates, below facts about the fit.

        If the model stores variances, the table has standard errors, z-values, p-values and
        confidence intervals.  Of K classes it has a part for each, with differences from the first
        class where there are standard errors.

        Parameters
        ----------
        level : float
            Level of the confidence intervals, between 0 and 1.

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            If `level` is not between 0 and 1.

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
        if has_errors:
            return summary.text(self, self._estimates, self.standard_errors(), level)
        return summary.text(self, self._parameters, None, level)

    @property
    def _parameters(self) -> NDArray[np.float64]:
        """Coefficients, and then the intercept, along the last axis."""
        if not self.with_intercept:
            return self.coef
        return np.concatenate([self.coef, np.asarray(self.intercept)[..., np.newaxis]], axis=-1)

    @property
    def _estimates(self) -> NDArray[np.float64]:
        """Estimates that have standard errors: parameters, or differences from the first class."""
        parameters = self._parameters
        return parameters if self.coef.ndim == 1 else gauge.differences(parameters)

    # The file -----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model as JSON; `load` reads the same model, bit for bit.

        The file is written atomically and replaces an existing one.

        Parameters
        ----------
        path : path

        Raises
        ------
        OSError
            If it cannot be written.
        """
        with files.replacing(path) as temporary:
            file.write(temporary, self.content())

    def content(self) -> dict[str, Any]:
        """The content of the model's file, ready for JSON; raises nothing.

        Returns
        -------
        dict
        """
        return file.content(vars(self))


def load(path: str | os.PathLike[str]) -> LogisticModel:
    """Read a model that `LogisticModel.save` wrote.

    Parameters
    ----------
    path : path
        A JSON file.  It is only data: nothing in it is executed.

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
    """The model itself, or the one in the file with this path."""
    if isinstance(model, LogisticModel):
        return model
    if isinstance(model, str | os.PathLike):
        return load(model)
    raise TypeError(
        f"model must be a LogisticModel or the path of its file; got {type(model).__name__} "
        "(from_sklearn and from_statsmodels convert other libraries' models)"
    )
