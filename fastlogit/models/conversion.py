"""Models of other libraries as ours, so that what was trained elsewhere is scored by fastlogit.

Nothing of theirs is imported: what a model must have is asked of the model itself.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Any

import numpy as np

from fastlogit.models.model import LogisticModel

# What statsmodels calls the column of ones.
_CONSTANTS = ("const", "Intercept")
# How patsy calls the column of a category.
_CATEGORY = re.compile(r"(.+)\[(.*)\]", re.DOTALL)


def from_sklearn(estimator: Any) -> LogisticModel:
    """Take over a fitted linear classifier of scikit-learn, or of a library with its habits.

    Parameters
    ----------
    estimator : LogisticRegression, LogisticRegressionCV, SGDClassifier, ...
        With ``coef_`` and ``intercept_`` for two classes, whose probabilities are σ(z): also
        glum's regressors of the binomial family.  Of a pipeline, give the last step.  (glum does
        not keep whether there was an offset: ``dataclasses.replace(model, with_offset=True)``
        says so.)

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
    if getattr(estimator, "multi_class", None) == "multinomial":  # of scikit-learn up to 1.7
        raise ValueError(
            "estimator must not be multinomial: its probabilities are not the sigmoid of its logits"
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
        What ``fit`` returned.  A column of ones called ``const`` or ``Intercept`` is the intercept.

    Returns
    -------
    LogisticModel
        With the names of its columns.  Its probability of t = 1 is what ``results.predict`` gives.
        Of a formula with a response of categories, such as True and False, that is the *first*
        one: `classes` then has the labels in the order (second, first).  A model with an offset
        has `with_offset`, and predictions need the offset.

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
    if model.exog_names is None:
        raise ValueError(
            "results must still have the names of columns, which remove_data() took; convert them "
            "before that"
        )
    names, params = list(model.exog_names), np.asarray(results.params, np.float64)
    if params.shape != (len(names),):
        raise ValueError(
            f"results must have one parameter for each column, {len(names)}; got {params.size}"
        )
    constants = [j for j, name in enumerate(names) if name in _CONSTANTS and _is_one(model, j)]
    kept = [j for j in range(len(names)) if j not in constants]
    return LogisticModel(
        params[kept],
        float(params[constants].sum()),
        tuple(names[j] for j in kept),
        classes=_classes(model),
        with_intercept=bool(constants),
        with_offset=any(getattr(model, name, None) is not None for name in ("offset", "exposure")),
    )


def _is_one(model: Any, column: int) -> bool:
    """Whether a column is of ones, as far as the data are kept."""
    exog = getattr(model, "exog", None)
    return exog is None or bool((exog[:, column] == 1.0).all())


def _classes(model: Any) -> tuple[Any, Any]:
    """Labels of t = 0 and t = 1 of a model of statsmodels.

    patsy makes a column for each category of a response that is no number; statsmodels takes the
    first column for the successes, as it takes two columns of counts.
    """
    names, endog = model.endog_names, getattr(model, "endog", None)
    if endog is not None and not ((endog >= 0.0) & (endog <= 1.0)).all():
        raise ValueError("results must be of a response between 0 and 1")
    if isinstance(names, str):
        return (0, 1)
    parts = [match.groups() for name in names if (match := _CATEGORY.fullmatch(name))]
    if len(names) == 2 and not parts:
        return (0, 1)  # counts of successes and failures
    if len(names) != 2 or len(parts) != 2 or parts[0][0] != parts[1][0]:
        raise ValueError(f"results must be of a response with two categories; got {names}")
    first, second = _categories(model) or [_label(text) for _, text in parts]
    return second, first


def _categories(model: Any) -> list[Any] | None:
    """The categories of the response of a formula, with their types, if they are kept."""
    design = getattr(getattr(model.data, "orig_endog", None), "design_info", None)
    factors = list(getattr(design, "factor_infos", {}).values())
    categories = list(factors[0].categories or ()) if len(factors) == 1 else []
    return categories if len(categories) == 2 else None


def _label(text: str) -> Any:
    """A label of its text."""
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
        if isinstance(value, bool | int | float):
            return value
    return text
