"""Models of other libraries as ours, so that what was trained elsewhere is scored by fastlogit.

Nothing of theirs is imported: what a model must have is asked of the model itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastlogit.model import LogisticModel

# What statsmodels calls the column of ones.
_CONSTANTS = ("const", "Intercept")


def from_sklearn(estimator: Any) -> LogisticModel:
    """Take over a fitted linear classifier of scikit-learn, or of a library with its habits.

    Parameters
    ----------
    estimator : LogisticRegression, LogisticRegressionCV, SGDClassifier, ...
        With ``coef_`` and ``intercept_`` for two classes, whose probabilities are σ(z): also
        glum's regressors of the binomial family.  Of a pipeline, give the last step.

    Returns
    -------
    LogisticModel
        With its classes and the names of its features.

    Raises
    ------
    TypeError, ValueError
        If it is not fitted, or is not such a model.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from sklearn.linear_model import LogisticRegression
    >>> theirs = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], list("aabb"))
    >>> fl.from_sklearn(theirs).predict([[0.0], [2.0]]).tolist()
    ['a', 'b']
    """
    kind = type(estimator).__name__
    if not hasattr(estimator, "coef_"):
        raise TypeError(
            f"estimator must be a fitted linear classifier, which has coef_; got {kind} "
            "(of a pipeline, give the last step)"
        )
    loss, family, link = (getattr(estimator, name, None) for name in ("loss", "family", "link"))
    if loss not in (None, "log_loss"):
        raise ValueError(f"estimator must have the loss 'log_loss'; that of {kind} is {loss!r}")
    if family is not None and not (_is(family, "binomial") and _is(link, "logit", "auto")):
        raise ValueError(f"estimator must be binomial with logit link; got {family!r}, {link!r}")
    if family is None and (
        not hasattr(estimator, "predict_proba") or hasattr(estimator, "support_vectors_")
    ):
        raise TypeError(
            f"estimator must be a classifier with probabilities of a sigmoid; got {kind}"
        )
    coef = estimator.coef_
    coef = np.atleast_2d(coef.toarray() if hasattr(coef, "toarray") else coef)
    classes = getattr(estimator, "classes_", (0, 1))
    if coef.shape[0] != 1 or len(classes) != 2:
        raise ValueError(f"estimator must be of two classes; it has {len(classes)}")
    intercept = float(np.ravel(estimator.intercept_)[0])
    names = getattr(estimator, "feature_names_in_", getattr(estimator, "feature_names_", None))
    return LogisticModel(
        coef[0],
        intercept,
        None if names is None else tuple(map(str, names)),
        classes=tuple(classes),
        with_intercept=bool(getattr(estimator, "fit_intercept", True)),
    )


def _is(value: Any, *names: str) -> bool:
    """Whether it is one of those names, or an object of a class that begins with one."""
    text = value if isinstance(value, str) else type(value).__name__
    return text.lower().startswith(names)


def from_statsmodels(results: Any) -> LogisticModel:
    """Take over what ``Logit`` or a binomial ``GLM`` of statsmodels gives when fitted.

    Parameters
    ----------
    results : results of statsmodels
        What ``fit`` returned.  A column ``const`` or ``Intercept`` is the intercept.

    Returns
    -------
    LogisticModel
        With the names of its columns.

    Raises
    ------
    TypeError, ValueError
        If it is not such a result.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> import fastlogit as fl
    >>> X = sm.add_constant(np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model = fl.from_statsmodels(sm.Logit([0, 1, 0, 1], X).fit(disp=False))
    >>> model.coef.round(4), round(model.intercept, 4)
    (array([0.9082]), -1.3623)
    """
    model = getattr(results, "model", None)
    if model is None or not hasattr(results, "params"):
        raise TypeError(f"results must be what fit() returned; got {type(results).__name__}")
    family = getattr(model, "family", None)
    logit = type(model).__name__ == "Logit" or (
        _is(family, "binomial") and _is(getattr(family, "link", None), "logit")
    )
    if not logit:
        raise ValueError("results must be of Logit, or a GLM that is binomial with logit link")
    names, params = list(model.exog_names), np.asarray(results.params, np.float64)
    constants = [j for j, name in enumerate(names) if name in _CONSTANTS]
    kept = [j for j in range(len(names)) if j not in constants]
    return LogisticModel(
        params[kept],
        float(params[constants].sum()),
        tuple(names[j] for j in kept),
        with_intercept=bool(constants),
    )
