"""The features of a table, which follow from all of its rows, and notes about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.checks import listed, shown
from fastlogit.matrix import onehot
from fastlogit.tables.record_batches import is_unnamed
from fastlogit.training.table.categories import (
    MOST_COLUMNS,
    choose_categories,
    find_categories,
    reason_against,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.table import Table
    from fastlogit.training.table.categories import Categories
    from fastlogit.training.table.labels import Labels
    from fastlogit.training.table.roles import ColumnRoles
    from fastlogit.training.targets import Label

# In a table of at least this many rows, a note says if a column has a category for each row.
_LEAST_NOTED = 20


# A column may have this many categories, where each is a feature, and this many different texts,
# where `min_count` groups the rare ones.  Each text takes memory in the first read.
MOST_CATEGORIES, MOST_TEXTS = 1_000_000, 10_000_000


class Request(NamedTuple):
    """A table, and the wishes of the caller, checked."""

    table: Table
    # None if batches are matrices with labels besides.
    roles: ColumnRoles | None
    # The label of t = 1.
    positive: Any
    # Whether rows with a missing value are left out.
    skips: bool
    min_count: int
    drop_first: bool
    intercept: bool


class Found(NamedTuple):
    """The results of a read of all rows.

    Attributes
    ----------
    read, kept : int
        Rows, and rows without a missing value.
    absent : ndarray
        Missing values of each column, in the order of the roles.
    labels : Labels or None
        None if the targets are several columns of probabilities.
    texts : list of Categories
        The texts of each column of text.
    has_fractions : bool
        Whether a column of numbers holds any; only known for CSV, whose messages need it.
    """

    read: int
    kept: int
    absent: NDArray[np.int64]
    labels: Labels | None
    texts: list[Categories]
    has_fractions: bool


class TextFeatures(NamedTuple):
    """The features of a column of text."""

    # The feature of each text, counted from the column's first; below 0 for a text without one.
    places: dict[str, int]
    # The number of features.
    size: int
    # The feature of the group of rare texts; None without a group.
    group: int | None

    def without_rare(self) -> TextFeatures:
        """The same without the texts of the group, which may be many."""
        if self.group is None:
            return self
        places = self.places.items()
        return self._replace(places={text: one for text, one in places if one != self.group})


class Features(NamedTuple):
    """The features of a table: its columns of numbers, then those of its columns of text.

    Attributes
    ----------
    names : tuple of str, or None
        None if the columns have none.
    categories : dict of tuple of str or None
        Of each column of text.
    texts : list of TextFeatures
        Of each column of text.
    notes : list of str
        Warnings for people about columns.
    """

    names: tuple[str, ...] | None
    categories: dict[str, tuple[str | None, ...]]
    texts: list[TextFeatures]
    notes: list[str]


def choose_features(request: Request, found: Found) -> Features:
    """The features of a table; an error if rows or columns are not fit for training."""
    table, roles = request.table, request.roles
    assert roles is not None
    absent = found.absent
    if found.kept == 0 or not request.skips:
        _refuse_empty(table, roles, absent, found.read)
    if not request.skips and absent.any():
        _refuse_missing(table, roles.order, absent, found.read)
    must_have_rows(table, found.kept, found.read)
    if table.names is None:
        return Features(None, {}, [], [])
    categories = [
        choose_categories(one.numbers, one.counts, request.min_count) for one in found.texts
    ]
    for position, values in zip(roles.text, categories, strict=True):
        must_be_few(table, position, len(values), MOST_CATEGORIES)
    _refuse_texts(table, roles, found, categories)
    dropped = [
        int(request.drop_first and (request.intercept or place > 0))
        for place in range(len(categories))
    ]
    names, named = _name_features(table, roles, categories, dropped)
    texts = []
    for one, values, first in zip(found.texts, categories, dropped, strict=True):
        places = (find_categories(one.numbers, values) - first).tolist()
        size, has_group = len(values) - first, values[-1:] == (None,)
        of_texts = dict(zip(one.numbers, places, strict=True))
        texts.append(TextFeatures(of_texts, size, size - 1 if has_group else None))
    if not names:
        raise ValueError(f"{table.name}: X must have a column that is not the same everywhere")
    notes = _notes(request, found, categories)
    return Features(names, named, texts, notes)


def one_hot(X: NDArray[Any], places: Sequence[NDArray[np.int32]], counts: Sequence[int]) -> Any:
    """A CSR matrix over the memory of X, with a column for each feature.

    Parameters
    ----------
    X : ndarray (n, d + columns of text)
        Numbers, and room for a 1 in the feature of the row's text.
    places : list of ndarray (n,)
        For each column of text, the feature of each row, counted from the column's first; below 0
        for none.
    counts : list of int
        Number of features of each column of text.
    """
    from scipy.sparse import csr_array

    n, width = X.shape
    d = width - len(places)
    indices = np.empty((n, width), np.int32)
    indices[:, :d] = np.arange(d)
    total = d
    for j, (place, count) in enumerate(zip(places, counts, strict=True), d):
        # A category without a feature is stored as 0, in any column.
        X[:, j] = place >= 0
        indices[:, j] = np.maximum(place, 0) + total if count else 0
        total += count
    index_type = np.int32 if n * width < 2**31 else np.int64
    indptr = np.arange(n + 1, dtype=index_type) * index_type(width)
    return csr_array((X.reshape(-1), indices.reshape(-1), indptr), (n, total))


def _name_features(
    table: Table, roles: ColumnRoles, categories: list[tuple[str | None, ...]], dropped: list[int]
) -> tuple[tuple[str, ...], dict[str, tuple[str | None, ...]]]:
    """Names of the features, and the categories of each text column."""
    assert table.names is not None
    names = [table.names[position] for position in roles.numbers]
    taken = set(names)  # includes the names of categories that have no feature
    named = {}
    for position, values, first in zip(roles.text, categories, dropped, strict=True):
        column = table.names[position]
        named[column] = values
        own = [onehot.feature_name(column, one) for one in values]
        if twice := taken & set(own):
            raise ValueError(
                f"{table.name}: {shown(min(twice))} is a feature twice, once of {column!r}"
            )
        taken |= set(own)
        names += own[first:]
    return tuple(names), named


def label_notes(found: Found, classes: Sequence[Label]) -> list[str]:
    """Notes on labels that may be mistakes."""
    return [] if found.labels is None else found.labels.notes(classes)


def _notes(request: Request, found: Found, categories: list[tuple[str | None, ...]]) -> list[str]:
    """Notes on index columns, and on columns with one category or too many."""
    table, roles = request.table, request.roles
    assert table.names is not None
    assert roles is not None
    notes = [_index_note(table, position) for position in roles.index_columns]
    for position, values in zip(roles.text, categories, strict=True):
        reason = ""
        if values == (None,):
            least = request.min_count
            reason = f"has fewer than {least} rows of each text, so all are one category"
        elif position not in roles.chosen and len(values) == found.kept >= _LEAST_NOTED:
            reason = f"has a category for each of its {found.kept} rows"
        if reason:
            remedy = f"ignore=[{table.names[position]!r}] leaves it out"
            notes.append(f"{table.describe(position)} of {table.name} {reason} ({remedy})")
    return notes


def _index_note(table: Table, position: int) -> str:
    """A note that an index column was left out, and how to make it a feature."""
    assert table.names is not None
    unnamed = is_unnamed(table.names[position])
    remedy = "under another name" if unnamed else "after reset_index() in pandas"
    return (
        f"left out {table.describe(position)} of {table.name}, which is an index of the rows "
        f"({remedy} it is a feature)"
    )


# Errors -----------------------------------------------------------------------------------


def must_be_few(table: Table, position: int, count: int, most: int) -> None:
    """Raise a ValueError if a column of text has more than `most` categories or texts."""
    if count <= most:
        return
    assert table.names is not None
    what, group = "different texts", ""
    if most == MOST_CATEGORIES:
        what, group = "categories", "a larger min_count groups those of few rows; "
    raise ValueError(
        f"{table.name}: {table.describe(position)} must have at most {most:,} {what}; got "
        f"{count:,} ({group}ignore=[{table.names[position]!r}] leaves it out)"
    )


def _refuse_texts(
    table: Table, roles: ColumnRoles, found: Found, categories: list[tuple[str | None, ...]]
) -> None:
    """Raise one error for all text columns that have no categories."""
    assert table.names is not None
    reasons = {
        table.names[position]: reason_against(texts, len(values), table.name, found.kept, table.csv)
        for position, texts, values in zip(roles.text, found.texts, categories, strict=True)
        if position not in roles.chosen
    }
    refuse(
        table.name,
        reasons,
        may_be_text=True,
        csv=table.csv,
        has_fractions=found.has_fractions,
    )


def _refuse_empty(table: Table, roles: ColumnRoles, absent: NDArray[np.int64], rows: int) -> None:
    """Raise an error if columns are empty; without them, no value may be missing."""
    counts = zip(roles.order, absent.tolist(), strict=True)
    empty = [position for position, count in counts if count == rows > 0]
    features = [one for one in empty if one not in (*roles.labels, *roles.measures)]
    if not empty:
        return
    remedy = ""
    if features and table.names is not None:
        names = [table.names[one] for one in features[:MOST_COLUMNS]]
        remedy = f" (ignore={names!r} leaves out {'that column' if len(names) == 1 else 'those'})"
    columns = listed([table.names[one] if table.names else one for one in empty], MOST_COLUMNS)
    plural, has = ("", "has") if len(empty) == 1 else ("s", "have")
    raise ValueError(f"{table.name}: column{plural} {columns} {has} no value in any row{remedy}")


def _refuse_missing(table: Table, order: list[int], absent: NDArray[np.int64], rows: int) -> None:
    """Raise the error for missing values."""
    first = int(np.argmax(absent > 0))
    count, others = int(absent[first]), int(np.count_nonzero(absent)) - 1
    also = f", and there are some in {others} other column{'s' * (others > 1)}" if others else ""
    raise ValueError(
        f"{table.name}: {table.describe(order[first])} has {count} missing "
        f"value{'s' * (count > 1)} in {rows} row{'s' * (rows > 1)}{also} (missing='skip' leaves "
        "those rows out)"
    )


def must_have_rows(table: Table, count: int, rows: int) -> None:
    """Raise a ValueError if no row is left of `rows`."""
    if count == 0:
        raise ValueError(f"{table.name}: has no rows{' without a missing value' * (rows > 0)}")
