"""A trained model as a fitted estimator of scikit-learn, and the columns of such a pipeline.

The pipeline has two steps.  A ``ColumnTransformer`` passes numbers on, and encodes each column of
categories by a ``OneHotEncoder`` of its own.  A category without a coefficient is the one that the
encoder drops.  The group of all other texts is the encoder's infrequent category.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlogit.core import checks
from fastlogit.matrix import onehot
from fastlogit.models.export.names import unused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastlogit.matrix.onehot import Unknown


def to_sklearn(model: Any, unknown: Unknown) -> Any:
    """A `LogisticModel` as a fitted estimator, which is a pipeline if there are categories."""
    onehot.checked_unknown(unknown)
    if model.with_offset:
        raise ValueError("model must be trained without an offset, as scikit-learn has none")
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
    except ModuleNotFoundError:
        raise ImportError("this needs scikit-learn: pip install 'fastlogit[sklearn]'") from None
    with np.errstate(divide="ignore", over="ignore"):
        C = 1.0 if np.ndim(model.l2) else float(np.divide(1.0, model.l2))
    estimator = LogisticRegression(C=C, fit_intercept=model.with_intercept)
    estimator.classes_ = np.array(model.classes)
    estimator.intercept_ = np.atleast_1d(model.intercept).copy()
    estimator.n_iter_ = np.array([model.passes], np.int32)
    coef = np.atleast_2d(model.coef)
    if model.categories:
        transformer, coef = _fitted_transformer(model, coef, unknown)
    elif model.feature_names is not None:
        estimator.feature_names_in_ = np.array(model.feature_names, object)
    estimator.coef_ = coef.copy()
    estimator.n_features_in_ = coef.shape[1]
    if model.categories:
        return Pipeline([("columns", transformer), ("model", estimator)])
    return estimator


def _fitted_transformer(model: Any, coef: Any, unknown: Unknown) -> tuple[Any, Any]:
    """The transformer of columns, and the coefficients (1, d) or (K, d) of its output."""
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise ImportError("a pipeline for categories needs pandas: pip install pandas") from None
    from sklearn.compose import ColumnTransformer

    place = {name: number for number, name in enumerate(model.feature_names)}
    steps: list[tuple[str, Any, list[str]]] = []
    row: dict[str, list[Any]] = {}
    order: list[int] = []
    for column in _columns(model):
        values = model.categories.get(column)
        if values is not None:
            places = {value: place.get(onehot.feature_name(column, value)) for value in values}
            # An encoder drops at most one category, and no infrequent one.
            dropped = [value for value, j in places.items() if j is None and value is not None][:1]
            encoder = _encoder(values, dropped, unknown)
            steps.append((f"categories_{len(steps)}", encoder, [column]))
            kept = [j for value, j in places.items() if value not in dropped]
            order += [-1 if j is None else j for j in kept]
        else:
            if not steps or steps[-1][1] != "passthrough":
                steps.append((f"numbers_{len(steps)}", "passthrough", []))
            steps[-1][2].append(column)
            order.append(place[column])
        row[column] = [0.0 if values is None else values[0] or ""]
    # The last column is for other categories without a coefficient.
    with_zero = np.append(coef, np.zeros((len(coef), 1)), axis=1)
    return ColumnTransformer(steps).fit(pd.DataFrame(row)), with_zero[:, order]


def _columns(model: Any) -> list[str]:
    """The columns of a table, in the order of the model's features."""
    origin = {
        onehot.feature_name(column, value): column
        for column, values in model.categories.items()
        for value in values
    }
    columns = [origin.get(name, name) for name in model.feature_names]
    return list(dict.fromkeys([*columns, *model.categories]))


def _encoder(values: tuple[str | None, ...], dropped: list[str], unknown: Unknown) -> Any:
    """An encoder of a column that is fitted by one row of known text."""
    from sklearn.preprocessing import OneHotEncoder

    known = values
    options: dict[str, Any] = {"handle_unknown": unknown}
    if values[-1] is None:
        # No row has this text.  Of the rarest, the first is infrequent.
        known = (unused("(all others)", values), *values[:-1])
        options = {"handle_unknown": "infrequent_if_exist", "max_categories": len(values)}
    return OneHotEncoder(categories=[known], drop=dropped or None, **options)


def pipeline_features(
    steps: Sequence[Any],
) -> tuple[tuple[str, ...], dict[str, tuple[str | None, ...]]]:
    """Feature names and categories of the last step of a fitted pipeline.

    Parameters
    ----------
    steps : sequence
        All steps but the last.

    Raises
    ------
    TypeError, ValueError
        If they are not one ``ColumnTransformer`` that only passes columns on and encodes text.
    """
    kinds = ", ".join(type(step).__name__ for step in steps)
    if kinds != "ColumnTransformer" or not hasattr(steps[0], "transformers_"):
        raise TypeError(
            "estimator must be a fitted linear classifier, or a pipeline of a fitted "
            f"ColumnTransformer and such a classifier; got Pipeline of {kinds} before the last "
            "step (to convert that alone, pass the last step; the model then needs the columns "
            "that the others return)"
        )
    features: list[str] = []
    categories: dict[str, tuple[str | None, ...]] = {}
    for step, columns in _parts(steps[0]):
        if step == "passthrough" or getattr(step, "func", step) is None:
            features += columns
        elif type(step).__name__ == "OneHotEncoder" and hasattr(step, "drop_idx_"):
            for i, column in enumerate(columns):
                values, dropped = _read_encoder(step, i, column)
                categories[column] = tuple(values)
                features += [
                    onehot.feature_name(column, value)
                    for place, value in enumerate(values)
                    if place != dropped
                ]
        else:
            raise TypeError(
                "estimator must be a pipeline whose ColumnTransformer has only 'passthrough' and "
                f"scikit-learn's OneHotEncoder; got {type(step).__name__}"
            )
    return tuple(features), categories


def _parts(transformer: Any) -> Iterable[tuple[Any, list[str]]]:
    """The fitted transformers that give output, and the names of their columns."""
    names = getattr(transformer, "feature_names_in_", None)
    if names is None or transformer.transformer_weights is not None:
        raise ValueError(
            "estimator must be a pipeline that was fitted on a table with column names, without "
            "transformer_weights"
        )
    for _, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        given = list(columns) if isinstance(columns, list | tuple | np.ndarray) else [columns]
        found = [names[one] if isinstance(one, Integral) else one for one in given]
        if not all(isinstance(one, str) for one in found):
            raise TypeError(
                "estimator must be a pipeline that lists columns by name or number; got "
                f"{checks.shown(columns)}"
            )
        if found:
            yield step, [str(one) for one in found]


def _read_encoder(encoder: Any, number: int, column: str) -> tuple[list[str | None], int | None]:
    """Categories of a column, and the place of the one that has no coefficient, if any."""
    known = list(encoder.categories_[number])
    for value in known:
        if not isinstance(value, str):
            raise TypeError(
                "estimator must be a pipeline that encodes text; got the category "
                f"{checks.shown(value)} in column {checks.shown(column)}"
            )
    drops = encoder.drop_idx_
    dropped = None if drops is None else drops[number]
    grouped = encoder.min_frequency is not None or encoder.max_categories is not None
    rare = encoder.infrequent_categories_[number] if grouped else None
    if rare is None:
        return [str(value) for value in known], dropped
    if encoder.handle_unknown not in ("infrequent_if_exist", "warn"):
        raise ValueError(
            "estimator must be a pipeline that treats unknown categories as infrequent "
            f"(handle_unknown='infrequent_if_exist'); got {encoder.handle_unknown!r} for column "
            f"{checks.shown(column)}"
        )
    values: list[str | None] = [str(value) for value in known if value not in set(rare)]
    if dropped is None:
        return [*values, None], None
    is_rare = known[dropped] in set(rare)
    return [*values, None], len(values) if is_rare else values.index(known[dropped])
