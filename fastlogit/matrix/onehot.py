"""One-hot encoding: columns of text with one coefficient for each category.

In a model such a column is one feature for each category, ``column=category``, which is 1 in the
rows with that category and 0 elsewhere.  This matrix is never made: the coefficient of a row's
category is looked up and added to its logit.  A category without a feature has the coefficient 0.

The last category of a column may be None: a group that contains all texts but the other categories.
Then no text of that column is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np

from fastlogit.core.arrow import as_column, decoded, string_array
from fastlogit.core.checks import BOOLEANS, choice, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")

# Treatment of a text that belongs to no category of the model.
Unknown = Literal["error", "ignore"]

# How formats spell False and True: as words, Arrow's first, and last as a number.
_BOOLEANS = [
    (word, word.title(), word.upper(), str(int(value))) for word, value in BOOLEANS.items()
]
_WHOLE_NUMBER = re.compile("-?[0-9]+")


def feature_name(column: str, category: str | None) -> str:
    """The feature name of a category; None is the group of all others."""
    # Without an equals sign, the name of the group is not the name of a category of its column.
    return f"{column} (all others)" if category is None else f"{column}={category}"


def checked(categories: Any, features: Sequence[str] | None) -> dict[str, tuple[str | None, ...]]:
    """The categories of each column, checked against the feature names."""
    if not isinstance(categories, Mapping):
        raise TypeError(f"categories must map columns to categories; got {shown(categories)}")
    if not categories:
        return {}
    if features is None:
        raise ValueError("categories must go with feature_names; there are none")
    names, all_names = set(features), set[str]()
    for column, values in categories.items():
        if not (
            isinstance(column, str)
            and isinstance(values, list | tuple)
            and all(isinstance(value, str) for value in values[:-1])
            and all(isinstance(value, str | None) for value in values[-1:])
        ):
            raise TypeError(
                "categories must map names to lists of texts, and only the last may be None; got "
                f"{shown(values)} for {shown(column)}"
            )
        if not values or len(set(values)) < len(values):
            raise ValueError(f"categories of {shown(column)} must be one or more, and differ")
        if column in names:
            raise ValueError(f"categories has {shown(column)}, which is in feature_names as well")
        own = {feature_name(column, value) for value in values}
        if own & all_names:
            raise ValueError(f"categories must differ; got {sorted(own & all_names)[0]!r} twice")
        all_names |= own
    return {column: tuple(values) for column, values in categories.items()}


def checked_unknown(unknown: Unknown) -> Unknown:
    """The treatment of unknown categories, checked."""
    checked: Unknown = choice(unknown, "unknown", get_args(Unknown))
    return checked


def spelled(texts: Collection[str]) -> list[str]:
    """Texts with booleans in one spelling: "true", or "1" among integers."""
    if not _are_booleans_or_integers(texts):
        return list(texts)
    place = -1 if any(map(_WHOLE_NUMBER.fullmatch, texts)) else 0
    spelling = {one: same[place] for same in _BOOLEANS for one in same[:-1]}
    return [spelling.get(text, text) for text in texts]


def with_spellings(values: Mapping[str | None, T]) -> dict[str | None, T]:
    """The values of a column's categories; booleans in all their spellings."""
    result = dict(values)
    if _are_booleans_or_integers([text for text in values if text is not None]):
        for spellings in _BOOLEANS:
            given = [values[one] for one in spellings if one in values]
            for one in spellings if given else ():
                result.setdefault(one, given[0])
    return result


def _are_booleans_or_integers(texts: Collection[str]) -> bool:
    words = {one for same in _BOOLEANS for one in same}
    return all(text in words or _WHOLE_NUMBER.fullmatch(text) for text in texts)


class ExpandedColumns(NamedTuple):
    """Coefficients of a model, grouped by the columns of a table.

    Attributes
    ----------
    numbers : tuple of str
        Columns of numbers.
    coef : ndarray (number of them,), or (K, number of them)
        Their coefficients.
    text : dict
        Columns of text, each with its categories and their coefficients: a number, or (K,).
    """

    numbers: tuple[str, ...]
    coef: NDArray[np.float64]
    text: dict[str, dict[str | None, Any]]


def expanded_columns(
    features: Sequence[str],
    coef: NDArray[np.float64],
    categories: dict[str, tuple[str | None, ...]],
) -> ExpandedColumns:
    """Group the coefficients of features by the columns that they came from."""
    place = {name: j for j, name in enumerate(features)}
    nothing = np.zeros(coef.shape[:-1])
    text: dict[str, dict[str | None, Any]] = {}
    for column, values in categories.items():
        places = {value: place.pop(feature_name(column, value), None) for value in values}
        text[column] = {
            value: nothing if j is None else coef[..., j] for value, j in places.items()
        }
    return ExpandedColumns(tuple(place), coef[..., list(place.values())], text)


class Encoding(NamedTuple):
    """The categories of a column, prepared for `look_up`."""

    # An Arrow array.
    texts: Any
    # The coefficients of each, then of all other texts: 0 if they are unknown.
    coef: NDArray[np.float64]
    # Whether all other texts are a category.
    has_group: bool


def encoding(coefficients: dict[str | None, Any]) -> Encoding:
    """Categories and coefficients prepared for `look_up`; booleans in all their spellings."""
    known = with_spellings(coefficients)
    texts = [text for text in known if text is not None]
    others = known.get(None, np.zeros_like(next(iter(known.values()))))
    coef = np.array([*map(known.__getitem__, texts), others])
    return Encoding(string_array(texts), coef, None in known)


class Found(NamedTuple):
    """Contributions of a column to the logits: NaN for a null, 0 for an unknown category."""

    # (n,), or (n, K).
    logits: NDArray[np.float64]
    # Which rows have an unknown category.
    unknown: NDArray[np.bool_]

    @property
    def nulls(self) -> NDArray[np.bool_]:
        """Which rows have a null."""
        return np.isnan(self.logits if self.logits.ndim == 1 else self.logits[:, 0])


def look_up(column: Any, known: Encoding) -> Found:
    """Look up the coefficients of a column's categories, an Arrow array."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        values = look_up(column.dictionary, known)
        codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        if not len(column.dictionary):  # then all rows are null
            values, codes = Found(known.coef[-1:], np.zeros(1, bool)), np.zeros(len(column), int)
        found = Found(values.logits[codes], values.unknown[codes])
    else:
        count = len(known.texts)
        codes = compute.index_in(as_text(column), known.texts).fill_null(count)
        codes = codes.to_numpy(zero_copy_only=False)
        found = Found(known.coef[codes], (codes == count) & (not known.has_group))
    if column.null_count:
        nulls = column.is_null().to_numpy(zero_copy_only=False)
        found.logits[nulls] = np.nan
        found.unknown[nulls] = False
    return found


def as_text(column: Any) -> Any:
    """A column of categories of any type as strings."""
    import pyarrow as pa

    column = decoded(column)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def column_names(X: Any) -> list[str]:
    """Names of the columns of a table of any library; empty if X is not a table."""
    if isinstance(X, type):
        return []
    for attribute in ("column_names", "columns"):
        names = getattr(X, attribute, None)
        if names is not None and not isinstance(X, Mapping):
            return [str(name) for name in names if isinstance(name, str)]
    if hasattr(X, "schema"):
        return list(X.schema.names)
    return list(map(str, X)) if isinstance(X, Mapping) else []


def text_logits(
    X: Any, text: dict[str, dict[str | None, Any]], missing: str, unknown: Unknown
) -> NDArray[np.float64]:
    """The logits of the rows of a table in memory, as far as its columns of text decide them."""
    total: Any = 0.0
    for name, coefficients in text.items():
        column = as_column(X[name])
        column.validate(full=True)  # a code may point outside the dictionary
        found = look_up(column, encoding(coefficients))
        if missing == "error" and (nulls := np.count_nonzero(found.nulls)):
            raise ValueError(f"X must have no nulls; column {name!r} has {nulls}")
        if unknown == "error" and found.unknown.any():
            row = int(np.argmax(found.unknown))
            raise ValueError(unknown_value("X", name, column[row], row))
        total = total + found.logits
    result: NDArray[np.float64] = total
    return result


def unknown_value(where: str, column: str, value: Any, row: int) -> str:
    """The error message for an unknown category."""
    return (
        f"{where}: column {shown(column)} has {shown(str(value))} in row {row}, which the model "
        "does not know (unknown='ignore' scores such rows as if that column added nothing)"
    )
