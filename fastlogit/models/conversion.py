"""Convert trained models of other libraries.

No other library is imported; the functions read the attributes of the model that they get.
"""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.models.export.sklearn import pipeline_features
from fastlogit.models.model import LogisticModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The classifiers of scikit-learn whose probabilities of three or more classes are a softmax.
_SOFTMAX = ("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis")
# Names of the column of ones in statsmodels.
_CONSTANTS = ("const", "Intercept")
# The name that patsy gives to the column of a category.
_CATEGORY = re.compile(r"(.+)\[(.*)\]", re.DOTALL)


def from_sklearn(estimator: Any) -> LogisticModel:
    """Convert a fitted linear classifier of scikit-learn, or of a library with the same attributes.

    Parameters
    ----------
    estimator : LogisticRegression, LogisticRegressionCV, SGDClassifier, ...
        It must have ``coef_`` and ``intercept_``.  Probabilities of two classes must be σ(z).
        glum's regressors of the binomial family have these, too.  Probabilities of more classes
        must be a softmax; scikit-learn's LogisticRegression and LinearDiscriminantAnalysis have
        these.  glum does not store whether there was an offset; set it with
        ``dataclasses.replace(model, with_offset=True)``.

        A pipeline may have one step before it: a ``ColumnTransformer`` fitted on a table with
        column names, of ``"passthrough"`` and of ``OneHotEncoder`` on columns of text, listed by
        name or number.  Rare categories need ``handle_unknown="infrequent_if_exist"``.  For any
        other pipeline, pass its last step, and give the model the columns that the other
        steps return.

    Returns
    -------
    LogisticModel
        With the classes, feature names and coefficients of the estimator.  Over K classes their
        sums may differ from 0.  They are doubled in one case: up to scikit-learn 1.7, two classes
        with ``multi_class="multinomial"`` have the probability σ(2 z).  Columns that the pipeline
        drops are no columns of the model.  Its methods decide how unknown categories are treated,
        by default as an error, even if the encoder ignores them.  A text with the other spelling
        of a bool, such as "true" for "True", belongs to that category, not to a group.

    Raises
    ------
    TypeError, ValueError
        If the estimator is not fitted, or is another kind of model, such as a one-vs-rest
        classifier of three or more classes; or if it is another kind of pipeline.

    Examples
    --------
    >>> import fastlogit as fl
    >>> from sklearn.linear_model import LogisticRegression
    >>> theirs = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], list("aabb"))
    >>> fl.from_sklearn(theirs).predict([[0.0], [2.0]]).tolist()
    ['a', 'b']
    """
    kind = type(estimator).__name__
    if kind == "Pipeline":
        *others, (_, last) = estimator.steps
        steps = [step for _, step in others if step not in ("passthrough", None)]
        if not steps:
            return from_sklearn(last)
        features, categories = pipeline_features(steps)
        return replace(from_sklearn(last), feature_names=features, categories=categories)
    if not hasattr(estimator, "coef_"):
        raise TypeError(
            f"estimator must be a fitted linear classifier, which has coef_; got {kind}"
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
            "estimator must be a classifier whose probabilities are sigmoids or a softmax; "
            f"got {kind}"
        )
    rows = np.atleast_2d(dense(estimator.coef_))
    classes = tuple(getattr(estimator, "classes_", (0, 1)))
    if len(classes) != max(2, len(rows)):
        raise ValueError(
            f"estimator must have one row of coef_ for two classes, or for each of more; got "
            f"{len(rows)} for {len(classes)} classes"
        )
    coef, intercept = parameters(rows, np.ravel(estimator.intercept_))
    if len(classes) > 2:
        _must_be_softmax(estimator)
    elif getattr(estimator, "multi_class", None) == "multinomial":
        coef, intercept = 2.0 * coef, 2.0 * intercept
    names = getattr(estimator, "feature_names_in_", getattr(estimator, "feature_names_", None))
    return LogisticModel(
        coef,
        intercept,
        None if names is None else tuple(map(str, names)),
        classes=classes,
        with_intercept=bool(getattr(estimator, "fit_intercept", True)),
    )


def dense(coef: Any) -> Any:
    """Coefficients as an array, also those that scikit-learn's ``sparsify`` has compressed."""
    return coef.toarray() if hasattr(coef, "toarray") else coef


def parameters(rows: NDArray[Any], intercepts: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Coefficients and intercepts of a `LogisticModel`, in which two classes have one logit."""
    return (rows, intercepts) if len(rows) > 1 else (rows[0], float(intercepts[0]))


def _must_be_softmax(estimator: Any) -> None:
    """Check that the probabilities of three or more classes are a softmax."""
    known = any(
        kind.__name__ in _SOFTMAX and kind.__module__.startswith(("sklearn.", "fastlogit."))
        for kind in type(estimator).__mro__
    )
    # "warn" was the default up to scikit-learn 0.21, and meant "ovr".
    one_vs_rest = getattr(estimator, "multi_class", None) in ("ovr", "warn")
    if not known or one_vs_rest or getattr(estimator, "solver", None) == "liblinear":
        raise ValueError(
            f"estimator must have probabilities that are a softmax; {type(estimator).__name__} "
            f"{'is' if known else 'may be'} one-vs-rest: its probabilities of a row are sigmoids, "
            "divided by their sum"
        )


def _is(value: Any, *names: str) -> bool:
    """Whether a value, or the name of its class, begins with one of `names`."""
    text = value if isinstance(value, str) else type(value).__name__
    return text.lower().startswith(names)


def from_statsmodels(results: Any) -> LogisticModel:
    """Convert the results of a fitted ``Logit``, ``MNLogit`` or binomial ``GLM`` of statsmodels.

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

        Of an ``MNLogit`` all probabilities equal ``results.predict``.  The coefficients and the
        intercept of the first class are 0, and the others are the parameters of statsmodels.

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
    multinomial = type(model).__name__ == "MNLogit"
    logit = type(model).__name__ == "Logit" or (
        _is(family, "binomial") and _is(getattr(family, "link", None), "logit")
    )
    if not (logit or multinomial):
        raise ValueError("results must be of Logit, MNLogit, or a binomial GLM with logit link")
    if model.exog_names is None:
        raise ValueError(
            "results must have column names; remove_data() removes them, so convert the results "
            "before it"
        )
    classes = _multinomial_classes(model) if multinomial else _classes(model)
    # A row for each class but the first.
    params = np.atleast_2d(np.asarray(results.params, np.float64).T)
    names = list(model.exog_names)
    if params.shape != (len(classes) - 1, len(names)):
        raise ValueError(
            f"results must have one parameter for each column, {len(names)}, and each class but "
            f"one; got shape {params.T.shape}"
        )
    constants = [j for j, name in enumerate(names) if name in _CONSTANTS and _is_one(model, j)]
    kept = [j for j in range(len(names)) if j not in constants]
    if len(classes) > 2:
        params = np.vstack([np.zeros(len(names)), params])
    coef, intercept = parameters(params[:, kept], params[:, constants].sum(axis=1))
    offsets = ("offset", "exposure") if logit else ()  # MNLogit ignores them
    return LogisticModel(
        coef,
        intercept,
        tuple(names[j] for j in kept),
        classes=classes,
        with_intercept=bool(constants),
        with_offset=any(getattr(model, name, None) is not None for name in offsets),
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


def _multinomial_classes(model: Any) -> tuple[Any, ...]:
    """The labels of an MNLogit, which has them as text; its data have their types."""
    texts = [model._ynames_map[number] for number in range(int(model.J))]
    endog = getattr(model.data, "orig_endog", None)
    values = [] if endog is None or np.size(endog) > len(endog) else np.ravel(endog).tolist()
    labels = {_text(label): label for label in set(values)}
    return tuple(labels.get(text, _label(text)) for text in texts)


def _text(label: Any) -> str:
    """The text of a label in an MNLogit."""
    is_whole = isinstance(label, bool | int | float) and label % 1 == 0
    return str(int(label)) if is_whole else str(label)


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
