"""Convert trained models of other libraries.

No other library is imported; the functions read the attributes of the model that they get.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import Any

import numpy as np

from fastlogit.models.model import LogisticModel

# Names of the column of ones in statsmodels.
_CONSTANTS = ("const", "Intercept")
# The name that patsy gives to the column of a category.
_CATEGORY = re.compile(r"(.+)\[(.*)\]", re.DOTALL)


def from_sklearn(estimator: Any) -> LogisticModel:
    """Convert a fitted linear classifier of scikit-learn, or of a library with the same attributes.

    Parameters
    ----------
    estimator : LogisticRegression, LogisticRegressionCV, SGDClassifier, ...
        It must have ``coef_`` and ``intercept_`` for two classes and probabilities σ(z), such as
        glum's regressors of the binomial family.  For a pipeline, pass its last step.  glum does
        not store whether there was an offset; set it with
        ``dataclasses.replace(model, with_offset=True)``.

    Returns
    -------
    LogisticModel
        With the classes and feature names of the estimator.

    Raises
    ------
    TypeError, ValueError
        If the estimator is not fitted, or is another kind of model.

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
            "(for a pipeline, pass its last step)"
        )
    loss, family, link = (getattr(estimator, name, None) for name in ("loss", "family", "link"))
    if loss not in (None, "log_loss"):
        raise ValueError(f"estimator must have the loss 'log_loss'; {kind} has {loss!r}")
    if family is not None and not (_is(family, "binomial") and _is(link, "logit", "auto")):
        raise ValueError(f"estimator must be binomial with logit link; got {family!r}, {link!r}")
    if family is None and (
        not hasattr(estimator, "predict_proba") or hasattr(estimator, "support_vectors_")
    ):
        raise TypeError(
            f"estimator must be a classifier whose probabilities are a sigmoid; got {kind}"
        )
    if getattr(estimator, "multi_class", None) == "multinomial":  # of scikit-learn up to 1.7
        raise ValueError(
            "estimator must not be multinomial: its probabilities are not the sigmoid of its logits"
        )
    coef = estimator.coef_
    coef = np.atleast_2d(coef.toarray() if hasattr(coef, "toarray") else coef)
    classes = getattr(estimator, "classes_", (0, 1))
    if coef.shape[0] != 1 or len(classes) != 2:
        raise ValueError(f"estimator must have two classes; got {len(classes)}")
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
    """Whether a value, or the name of its class, begins with one of `names`."""
    text = value if isinstance(value, str) else type(value).__name__
    return text.lower().startswith(names)


def from_statsmodels(results: Any) -> LogisticModel:
    """Convert the results of a fitted ``Logit`` or binomial ``GLM`` of statsmodels.

    Parameters
    ----------
    results : results of statsmodels
        The return value of ``fit``.  A column of ones named ``const`` or ``Intercept`` becomes
        the intercept.

    Returns
    -------
    LogisticModel
        With the names of the columns.  The probability of t = 1 equals ``results.predict``.  If a
        formula has a response of categories, such as True and False, that is the probability of
        the *first* one, so `classes` lists the labels as (second, first).  With an offset,
        `with_offset` is set, and predictions need the offset.

    Raises
    ------
    TypeError, ValueError
        If these are other results.

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
        raise TypeError(f"results must be the return value of fit(); got {type(results).__name__}")
    family = getattr(model, "family", None)
    logit = type(model).__name__ == "Logit" or (
        _is(family, "binomial") and _is(getattr(family, "link", None), "logit")
    )
    if not logit:
        raise ValueError("results must be of Logit, or of a binomial GLM with logit link")
    if model.exog_names is None:
        raise ValueError(
            "results must have column names; remove_data() removes them, so convert the results "
            "before it"
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
    """Whether a column is all ones; True if the results no longer have the data."""
    exog = getattr(model, "exog", None)
    return exog is None or bool((exog[:, column] == 1.0).all())


def _classes(model: Any) -> tuple[Any, Any]:
    """The labels for t = 0 and t = 1 of a statsmodels model.

    patsy makes one column for each category of a response that is not numeric.  statsmodels reads
    the first column as successes, as in a response with two columns of counts.
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
    """The categories of a formula's response, with their types; None if they are not stored."""
    design = getattr(getattr(model.data, "orig_endog", None), "design_info", None)
    factors = list(getattr(design, "factor_infos", {}).values())
    categories = list(factors[0].categories or ()) if len(factors) == 1 else []
    return categories if len(categories) == 2 else None


def _label(text: str) -> Any:
    """A label from its text: a bool or number if it reads as one."""
    with suppress(ValueError, SyntaxError):
        value = ast.literal_eval(text)
        if isinstance(value, bool | int | float):
            return value
    return text
