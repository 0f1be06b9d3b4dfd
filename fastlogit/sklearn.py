"""A scikit-learn estimator: :func:`fastlogit.fit` with the interface of ``LogisticRegression``.

It only translates: ``C`` to ``l2``, ``n_jobs`` to threads, and warnings to scikit-learn's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastlogit import linear
from fastlogit.core import checks
from fastlogit.core import threads as _threads
from fastlogit.core.warning import warn_caller
from fastlogit.matrix import short
from fastlogit.models import conversion, predictions
from fastlogit.models.model import LogisticModel
from fastlogit.training.fit_arrays import fit_arrays
from fastlogit.training.messages import ConvergenceWarning as NotConverged
from fastlogit.training.messages import SeparationWarning
from fastlogit.training.options import Options
from fastlogit.training.solvers import SOLVERS
from fastlogit.training.targets import MOST_CLASSES, class_factors

try:
    from sklearn.callback import CallbackSupportMixin as _Callbacks
    from sklearn.callback import with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class _Callbacks:  # type: ignore[no-redef]
        pass

    def with_callbacks(method: Any) -> Any:
        return method


if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.training.progress import Progress

__all__ = ["LogisticRegression"]

# Kept as they are; other real numbers become float64, as in scikit-learn.
_DTYPES = [np.float64, np.float32]
# For each of these fastlogit chooses the solver, as the optimum is the same.  (liblinear's differs,
# because it penalises the intercept.)
_THEIR_SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")
_OUR_SOLVERS = ("auto", *(name for name in SOLVERS if name not in _THEIR_SOLVERS))
# Remedies in the trainer's messages, with the parameters of the estimator.
_REMEDIES = {
    "raise max_passes, l2 or tol": "raise max_iter or tol, or lower C",
    "raise l2 above 0": "lower C",
}


class LogisticRegression(ClassifierMixin, BaseEstimator, _Callbacks):  # type: ignore[misc]
    """Logistic regression for two or more classes, with the parameters of scikit-learn's own.

    Minimises C Σ ξ + Σ coef² / 2, where ξ is the cross-entropy of a row; the intercepts are not
    penalised.  With K >= 3 classes, the probabilities are the softmax of K logits.  Parameters mean
    the same as in scikit-learn, and none is deprecated.  Those that do not apply must keep their
    default.

    Parameters
    ----------
    penalty : {"l2", None, "deprecated"}, default="deprecated"
        None means ``C=numpy.inf``.
    C : float, default=1.0
        Inverse strength of the penalty, above 0.  **The default does penalise**;
        ``numpy.inf`` does not.
    l1_ratio : 0.0 or None, default=0.0
        Must be 0 or None, as there is no l1 penalty.
    dual : False, default=False
    tol : float, default=1e-8
        Converged when no coefficient differs from the optimum by more than √tol / 10 standard
        errors, nor by more than √tol / 100 of the largest coefficient; see :func:`fastlogit.fit`.
        scikit-learn's ``lbfgs`` compares `tol` with the gradient of the mean loss; at its default,
        1e-4, coefficients may not have a single correct digit.
    fit_intercept : bool, default=True
        Whether the model has an intercept; otherwise it is 0.
    intercept_scaling : float, default=1.0
        Ignored; in scikit-learn only liblinear uses it.
    class_weight : dict or "balanced", optional
        Factors for the weights of each class; "balanced" gives all the same total weight.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample of rows that a solver may begin with.  Another seed moves the result
        within `tol`; None always draws the same rows.
    solver : str, default="lbfgs"
        Any solver of scikit-learn, which lets fastlogit choose, or any other solver of
        :func:`fastlogit.fit`.  As in scikit-learn, "liblinear" is for two classes only.
    max_iter : int, default=100
        Most reads of X after the one at the start.  A step takes one, or more where its Hessian is
        computed apart, as for K classes after a step that was too long.
    verbose : int, default=0
        Above 0: show a progress bar.
    warm_start : bool, default=False
        Whether to begin where the last `fit` ended.
    n_jobs : int, optional
        Threads for training and predictions; -1 is one for every core that the process may use,
        -2 one fewer.  None: ``FASTLOGIT_NUM_THREADS``, or every core.

    Attributes
    ----------
    coef_ : ndarray (1, d), or (K, d) for K >= 3 classes
        Coefficients; float32 if X was float32, else float64.
    intercept_ : ndarray (1,), or (K,)
        Intercepts, of the same dtype.
    classes_ : ndarray (2,), or (K,)
        The labels, sorted.  With two, a positive logit is for the second.
    n_iter_ : ndarray (1,)
        Steps that were tried, at most `max_iter`.
    n_features_in_ : int
        Number of features, d.
    feature_names_in_ : ndarray (d,)
        Names of the features; only present if the columns of X had names.

    Notes
    -----
    With K >= 3 classes, adding the same number to all K intercepts, or to all K coefficients of a
    feature, changes no probability.  Here their sums over the classes are 0.  scikit-learn has
    the same sums unless it did not begin at 0; its intercepts then differ from these by one number.
    Compare probabilities, or differences between classes.

    Callbacks (`set_callbacks`, scikit-learn 1.9 and later) are called for the fit and for each
    iteration of every solver, and may end the fit.  They get a `fitted_estimator` only at the end
    of the fit.

    Arrays of other libraries become NumPy arrays, and all results are NumPy arrays, even with
    ``array_api_dispatch=True``.

    See Also
    --------
    fastlogit.fit : The same without scikit-learn and its copies of the input.

    Examples
    --------
    >>> from fastlogit.sklearn import LogisticRegression
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
    >>> classifier = LogisticRegression().fit(X, y)
    >>> classifier.coef_.round(4), classifier.intercept_.round(4)
    (array([[0.9583]]), array([-1.4374]))
    >>> classifier.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    >>> classifier.predict_proba([[1.5], [3.0]]).round(4)
    array([[0.5   , 0.5   ],
           [0.1919, 0.8081]])
    """

    # Set by fit(); declared for type checkers.
    coef_: Any
    intercept_: NDArray[Any]
    classes_: NDArray[Any]
    n_iter_: NDArray[np.int32]
    n_features_in_: int

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-8,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> LogisticRegression:
        """Train on features and labels.

        Parameters
        ----------
        X : array_like (n, d), or sparse matrix (n, d)
            Features, finite.  Copied if neither float64 nor float32, or sparse and not CSR.
        y : array_like (n,)
            Labels: two or more different whole numbers or strings, or booleans.
        sample_weight : array_like (n,), optional
            Weights of the rows, finite and not negative.

        Returns
        -------
        LogisticRegression
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or an argument has the wrong shape, type or range, before any work.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If it did not converge, or cannot because the labels are separable; the message
            gives the remedy.
        fastlogit.training.messages.CollinearityWarning
            With C infinite, if columns are linear combinations of others.
        """
        for warning in self._fit(X, y, sample_weight):
            warn_caller(warning)
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> list[Warning]:
        """Do what `fit` does, and return the warnings."""
        l2, options = self._options()
        features, labels = self._validated(X, y)
        classes = _classes(labels, self.solver)
        outputs = 1 if classes.size == 2 else classes.size
        weight = _weights(sample_weight, features)
        tasks = _Tasks(self, features, labels, weight)
        model, found, _ = fit_arrays(
            features,
            labels == classes[1] if outputs == 1 else np.searchsorted(classes, labels),
            Options(**options, callback=tasks.next_iteration),
            l2=l2,
            weight=weight,
            class_weight=_class_weight(self.class_weight, classes),
            classes=None if outputs == 1 else _native(classes).tolist(),
            start=self._start((outputs, features.shape[1])),
            feature_names=getattr(self, "feature_names_in_", None),
        )
        self.classes_ = classes
        self.coef_ = model.coef.reshape(outputs, -1).astype(features.dtype)
        self.intercept_ = np.reshape(model.intercept, outputs).astype(features.dtype)
        # The start is no step, and the returned point may be listed twice.
        assert model.history is not None
        steps = len(set(model.history.passes)) - 1
        self.n_iter_ = np.array([steps], dtype=np.int32)
        tasks.end()
        warned = [_translated(warning, steps) for warning in found]
        if self.penalty is None and self.C != 1.0:
            warned.append(UserWarning(f"Setting penalty=None will ignore the C of {self.C}"))
        return warned

    def _options(self) -> tuple[float, dict[str, Any]]:
        """Penalty and other options of training, from the parameters after their checks."""
        l2 = _inverse(self.C)
        is_l2 = isinstance(self.penalty, str) and self.penalty in ("deprecated", "l2")
        if not (self.penalty is None or is_l2):
            raise ValueError(f"penalty must be 'l2' or None; got {checks.shown(self.penalty)}")
        if not (self.l1_ratio is None or (np.ndim(self.l1_ratio) == 0 and self.l1_ratio == 0)):
            raise ValueError(
                f"l1_ratio must be 0, as there is no l1 penalty; got {checks.shown(self.l1_ratio)}"
            )
        if not (isinstance(self.dual, bool | np.bool_) and not self.dual):
            raise ValueError(f"dual must be False; got {checks.shown(self.dual)}")
        check_scalar(self.fit_intercept, "fit_intercept", (bool, np.bool_))
        check_scalar(
            self.intercept_scaling,
            "intercept_scaling",
            Real,
            min_val=0,
            include_boundaries="neither",
        )
        check_scalar(self.max_iter, "max_iter", Integral, min_val=0)
        check_scalar(self.verbose, "verbose", (Integral, bool, np.bool_), min_val=0)
        check_scalar(self.warm_start, "warm_start", (bool, np.bool_))
        checks.choice(self.solver, "solver", (*_THEIR_SOLVERS, *_OUR_SOLVERS))
        l2 = 0.0 if self.penalty is None else l2
        seed = 0
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(2**31))
        options = {
            "intercept": bool(self.fit_intercept),
            # Two steps are too few for sampled-newton.
            "solver": "auto" if self.solver in _THEIR_SOLVERS or self.max_iter < 3 else self.solver,
            "tol": self.tol,
            "max_passes": int(self.max_iter) + 1,  # the first is for the start
            "seed": seed,
            # With a penalty, labels are only separated if one class has no weight.  scikit-learn
            # does not warn of that.
            "on_separation": "warn" if l2 == 0.0 else "ignore",
            "progress": bool(self.verbose),
            "threads": _thread_count(self.n_jobs),
        }
        return l2, options

    def _start(self, shape: tuple[int, int]) -> LogisticModel | None:
        """Model to begin with for a warm start; None if the last fit had another shape."""
        if not (self.warm_start and hasattr(self, "coef_")) or self.coef_.shape != shape:
            return None
        return LogisticModel(*self._parameters())

    def _parameters(self) -> tuple[Any, Any]:
        """Coefficients and intercepts of a `LogisticModel`."""
        return conversion.parameters(conversion.dense(self.coef_), self.intercept_)

    # Without dispatch, arrays of other libraries become NumPy arrays.
    @config_context(array_api_dispatch=False)  # type: ignore[untyped-decorator]
    def _validated(self, X: Any, *y: Any, reset: bool = True) -> Any:
        return validate_data(
            self, X, *y, reset=reset, dtype=_DTYPES, accept_sparse="csr", accept_large_sparse=True
        )

    def _short_logits(self, X: Any) -> NDArray[Any] | None:
        """Logits of few rows that surely pass scikit-learn's checks, which take 60 µs and more.

        Logits are finite only if all features are.
        """
        fitted = vars(self)
        coef, intercept = fitted.get("coef_"), fitted.get("intercept_")
        names = fitted.get("feature_names_in_")
        if not (
            self.n_jobs is None
            and type(coef) is type(intercept) is np.ndarray
            and coef.ndim == 2
            and len(coef) == intercept.size
            and fitted.get("n_features_in_") == coef.shape[1]
        ):
            return None
        values = X if names is None else _values(X, names)
        if len(coef) == 1:
            coef, intercept = coef[0], intercept.item()
        z: NDArray[Any] | None = short.call("logits", values, coef, intercept)
        return z if z is not None and np.isfinite(z).all() else None

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Logits, X @ coef.T + intercept: of two classes above 0 where the second is more likely.

        Parameters
        ----------
        X : array_like (n, d)
            Features, finite, of any real dtype.

        Returns
        -------
        ndarray (n,), or (n, K) for K >= 3 classes
            float32 if X and the coefficients are, else float64.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; or if X has other columns than in `fit`, or is not finite.
        """
        z = self._short_logits(X)
        if z is not None:
            return z
        check_is_fitted(self)
        features = self._validated(X, reset=False)
        return linear.decision(features, *self._parameters(), threads=_thread_count(self.n_jobs))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predicted labels: the most likely class of each row.

        Parameters
        ----------
        X : array_like (n, d)
            Features, finite, of any real dtype.

        Returns
        -------
        ndarray (n,)
            Elements of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; or if X has other columns than in `fit`, or is not finite.
        """
        z = self.decision_function(X)
        numbers: NDArray[np.intp] = z.argmax(axis=1) if z.ndim > 1 else (z > 0).astype(np.intp)
        return self.classes_[numbers]

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Probabilities of all classes, each accurate in its own tail.

        Parameters
        ----------
        X : array_like (n, d)
            Features, finite, of any real dtype.

        Returns
        -------
        ndarray (n, 2), or (n, K)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; or if X has other columns than in `fit`, or is not finite.
        """
        return predictions.probabilities(self.decision_function(X), _thread_count(self.n_jobs))

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Logarithms of the probabilities; finite even where a probability rounds to 0.

        Parameters
        ----------
        X : array_like (n, d)
            Features, finite, of any real dtype.

        Returns
        -------
        ndarray (n, 2), or (n, K)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; or if X has other columns than in `fit`, or is not finite.
        """
        return predictions.log_probabilities(self.decision_function(X), _thread_count(self.n_jobs))

    def sparsify(self) -> LogisticRegression:
        """Store the coefficients as a sparse matrix, which takes less memory if many are 0.

        Returns
        -------
        LogisticRegression
            The estimator itself.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        self.coef_ = sparse.csr_matrix(self.coef_)
        return self

    def densify(self) -> LogisticRegression:
        """Store the coefficients as an array, as `fit` does.

        Returns
        -------
        LogisticRegression
            The estimator itself.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        self.coef_ = conversion.dense(self.coef_)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.solver != "liblinear"
        tags.input_tags.sparse = True
        return tags


class _Tasks:
    """Calls scikit-learn's callbacks at the beginning and end of the fit and of each iteration.

    As in scikit-learn, a last iteration begins after convergence and does nothing.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, weight: Any) -> None:
        metadata = None if weight is None else {"sample_weight": weight}
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        # Contexts of scikit-learn; None without callbacks.
        self.fit: Any = None
        self.iteration: Any = None
        if hasattr(estimator, "_skl_callbacks"):
            self.fit = estimator._init_callback_context(max_subtasks=estimator.max_iter + 1)
            self.fit.call_on_fit_task_begin(**self.arguments)

    def next_iteration(self, _: Progress) -> bool:
        """End an iteration and begin the next; True if a callback asks to stop."""
        if self.fit is None:
            return False
        stop = False
        if self.iteration is not None:
            stop = self.iteration.call_on_fit_task_end(**self.arguments)
        self.iteration = self.fit.subcontext(task_name="iteration")
        self.iteration.call_on_fit_task_begin(**self.arguments)
        return stop

    def end(self) -> None:
        """End the fit, when the estimator can predict."""
        if self.iteration is not None:
            self.iteration.call_on_fit_task_end(estimator=self.arguments["estimator"])
        if self.fit is not None:
            self.fit.call_on_fit_task_end(**self.arguments, reconstruction_attributes={})


@config_context(array_api_dispatch=False)  # type: ignore[untyped-decorator]
def _weights(sample_weight: Any, X: Any) -> Any:
    """Weights as float64 for any dtype of X: exact, and with fewer kernels to compile."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    checks.total_weight(weight, "sample_weight")
    return weight


def _translated(warning: Warning, steps: int) -> Warning:
    """A warning of the trainer in the words of the estimator."""
    text = re.sub(r"\d+ pass(es)?", f"{steps} iteration{'s' * (steps != 1)}", str(warning))
    for theirs, ours in _REMEDIES.items():
        text = text.replace(theirs, ours)
    not_converged = isinstance(warning, NotConverged | SeparationWarning)
    translated: Warning = ConvergenceWarning(text) if not_converged else type(warning)(text)
    return translated


def _values(X: Any, names: Iterable[str]) -> Any:
    """The numbers of a small data frame of pandas with these columns; None for anything else."""
    frame = getattr(sys.modules.get("pandas"), "DataFrame", None)
    if type(X) is not frame or X.size > short.MOST_ELEMENTS:
        return None
    columns = X.columns.tolist()
    plain = all(isinstance(kind, np.dtype) and kind.kind in "iuf" for kind in X.dtypes.tolist())
    are_names = columns == list(names) and all(type(name) is str for name in columns)
    return X.to_numpy() if plain and are_names else None


def _native(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels in the byte order of this machine."""
    return labels.astype(labels.dtype.newbyteorder("="), copy=False)


def _class_weight(class_weight: Any, classes: NDArray[Any]) -> Any:
    """Class weights for the targets that `fit` gives: two classes become False and True."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    labels = classes.tolist()
    # As in scikit-learn, the labels that a fold lacks do no harm if all others have a factor.
    if all(label in class_weight for label in labels):
        class_weight = {label: class_weight[label] for label in labels}
    factors = class_factors(class_weight, labels, "y")
    return dict(zip((False, True) if len(labels) == 2 else labels, factors, strict=True))


def _inverse(C: Any) -> float:
    """Penalty l2 = 1 / C."""
    number = checks.number(C, "C")
    if not (number > 0.0 and 1.0 / number < np.inf):
        raise ValueError(f"C must be above 0, and 1 / C finite; got {checks.shown(C)}")
    return 1.0 / number


def _thread_count(n_jobs: Any) -> int | None:
    """Number of threads for a scikit-learn ``n_jobs``."""
    if n_jobs is None:
        return None
    number = int(check_scalar(n_jobs, "n_jobs", Integral))
    if number == 0:
        raise ValueError("n_jobs must not be 0; -1 is for every core")
    return number if number > 0 else max(1, _threads.available() + 1 + number)


def _classes(labels: NDArray[Any], solver: str) -> NDArray[Any]:
    """The different labels, sorted."""
    check_classification_targets(labels)
    classes = np.unique(labels)
    if not 2 <= (count := classes.size) <= MOST_CLASSES:
        raise ValueError(
            f"y must have from 2 to {MOST_CLASSES} classes; got {count} class{'es' * (count > 1)}: "
            f"{checks.listed(classes.tolist())}"
        )
    if count > 2 and solver == "liblinear":
        # scikit-learn's own checks ask for the first words.
        raise ValueError(
            f"Only binary classification is supported by the solver 'liblinear'; y has {count} "
            "classes (OneVsRestClassifier trains a model for each)"
        )
    return classes
