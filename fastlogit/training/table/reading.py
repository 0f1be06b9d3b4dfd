"""A whole table as a feature matrix X and targets t, to train on; text becomes categories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core.checks import missing as checked_missing
from fastlogit.core.checks import shown, true_or_false, whole_number
from fastlogit.tables.source import open_table
from fastlogit.training.table.categories import Categories
from fastlogit.training.table.columns import missing_row, read_columns, read_matrix
from fastlogit.training.table.features import (
    Found,
    Request,
    choose_features,
    label_notes,
    must_have_rows,
    one_hot,
)
from fastlogit.training.table.labels import (
    Labels,
    find_labels,
    must_be_absent,
    probability_targets,
)
from fastlogit.training.table.roles import adding_remedies, choose_roles, find_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import Columns, Table
    from fastlogit.training.table.roles import ColumnRoles
    from fastlogit.training.targets import Label

# Few enough that the rows of X, which are filled column by column, stay in the cache.
_BATCH_ROWS = 1 << 14


class TrainingData(NamedTuple):
    """The result of :func:`read_table`.

    Attributes
    ----------
    X : ndarray or csr_array (n, d)
        Row-major; CSR if there are categories, and for LIBSVM.  float32 if that holds all numbers
        exactly, else float64.
    t : ndarray (n,), or (n, K)
        float64: in [0, 1]; or class numbers, 0 to K - 1, if there are more than two labels; or
        their probabilities.
    feature_names : tuple of str, or None
        None if the columns have no names.
    skipped : int
        Number of rows left out.
    categories : dict of tuple of str or None
        For each text column, the categories in the rows that were kept, in order.  If the last one
        is None, it is a group of rare ones.  Each has a feature; these follow the features that are
        numbers, in the order that :class:`fastlogit.LogisticModel` needs.
    classes : tuple of labels
        The labels of t = 0, t = 1 and so on, for :class:`fastlogit.LogisticModel`.
    weight, offset : ndarray (n,), or None
        float64; `offset` is (n, K) if there are K labels, more than two.
    notes : tuple of str
        Warnings for people: an index of the rows was left out, a column has a category for each
        row or only rare ones, or a label may be a mistake.
    """

    X: Any
    t: NDArray[np.float64]
    feature_names: tuple[str, ...] | None
    skipped: int
    categories: dict[str, tuple[str | None, ...]]
    classes: tuple[Label, ...] = (0, 1)
    weight: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def read_table(
    source: Any,
    label: Columns = None,
    *,
    positive: Label | None = None,
    weight: str | int | None = None,
    offset: Columns = None,
    missing: Missing = "error",
    categorical: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_count: int = 1,
    drop_first: bool = False,
    intercept: bool = True,
    source_format: str | None = None,
    width: int | None = None,
    csv: CSVOptions | None = None,
) -> TrainingData:
    """Read a column of a table as the target t, and all others as the features X.

    Parameters
    ----------
    source, source_format : path or table, str
        As in :func:`fastlogit.score`.
    label : str or int, or sequence of these, optional
        The target's column: its name, or its position if columns have no names (-1 is the last).
        Or columns with the probabilities of the classes, whose names are the labels.
        LIBSVM has labels besides its columns and needs none.
    positive : label, optional
        The label of t = 1; default: the later one of two labels in their order.
    weight : str or int, optional
        Column of sample weights; it is no feature.
    offset : str or int, or sequence of these, optional
        Column of a known addition to the logits; it is no feature.  More than two labels need a
        column for each, in their order.
    missing : {"error", "skip"}
        Whether a null or NaN raises an error that names the column, or its row is left out.
    categorical : sequence of str
        Columns to read as text: integers, booleans, or text that looks like numbers, dates or
        identifiers.
    ignore : sequence of str
        Columns that are left out.
    min_count : int
        Categories of a column with fewer rows are grouped into one, which is None in `categories`.
        When the model scores, all texts without a category of their own belong to this group, so
        none is unknown.  A single rare category makes a group, even if that has fewer rows as well;
        if all are rare, the group is the only category.  A column without rare categories has no
        group.  Rows that are left out do not count; weights are ignored.  More than 1,000,000
        categories of a column are an error, and out of core more than 10,000,000 different texts.
    drop_first : bool
        Whether the first category of each column has no feature.  With an intercept and without a
        penalty, the features would otherwise be collinear.
    intercept : bool
        Whether the model will have one; without it, the first text column keeps all categories.
    width : int, optional
        Number of columns of LIBSVM; default: the largest index in it.
    csv : CSVOptions, optional
        How a CSV or TSV is written: its delimiter, decimals, encoding and missing values.

    Returns
    -------
    TrainingData
        Memory is needed for one copy of X, or two of LIBSVM; and for a quarter more while the
        number of rows is unknown.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If there is no such label or column; if a column holds neither numbers nor categories, but
        formatted numbers, dates, identifiers, or numbers and words; if a value is missing,
        infinite, or a negative weight; or if the targets are neither labels nor numbers between
        0 and 1.  The message names the column, and a row (from 0).

    Notes
    -----
    Labels are as in :func:`fastlogit.fit`: numbers between 0 and 1 are t; two other labels, or
    more that are text or whole numbers, are t = 0, t = 1 and so on in their order.  ``true`` and
    ``false`` in a CSV are booleans.  If a third label of a CSV looks like a missing value, such as
    "?", that is an error unless `csv` gives the missing values.
    The index of a data frame is no feature unless `categorical` names it; `notes` says so.

    A model needs the categories and classes to score other tables::

        model = fl.fit(data.X, data.t, classes=data.classes, feature_names=data.feature_names)
        model = dataclasses.replace(model, categories=data.categories)

    Examples
    --------
    >>> from fastlogit.data import flights_path
    >>> from fastlogit.scoring import read_table
    >>> data = read_table(flights_path(), "late", missing="skip")
    >>> data.X.shape, data.X.dtype, data.t.mean().item(), data.skipped
    ((327346, 48), dtype('float32'), 0.23714968259884037, 9430)
    >>> data = read_table({"late": ["no", "yes", "no"], "month": [1, 1, 2],
    ...                    "from": ["JFK", "LGA", "JFK"]}, "late")
    >>> data.X.toarray().tolist(), data.t.tolist()
    ([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]], [0.0, 1.0, 0.0])
    >>> data.feature_names, data.categories, data.classes
    (('month', 'from=JFK', 'from=LGA'), {'from': ('JFK', 'LGA')}, ('no', 'yes'))
    >>> data = read_table({"late": [0, 1, 1, 0], "from": ["JFK", "LGA", "JFK", "EWR"]}, "late",
    ...                   min_count=2)
    >>> data.feature_names, data.categories
    (('from=JFK', 'from (all others)'), {'from': ('JFK', None)})
    """
    request = make_request(
        open_table(source, file_format=source_format, width=width, csv=csv),
        label,
        positive=positive,
        weight=weight,
        offset=offset,
        missing=missing,
        categorical=categorical,
        ignore=ignore,
        min_count=min_count,
        drop_first=drop_first,
        intercept=intercept,
    )
    return read_all(request)


def read_all(request: Request) -> TrainingData:
    """Read all rows into memory."""
    table, roles = request.table, request.roles
    if roles is None:
        return _read_libsvm(request)
    with adding_remedies(table, roles):
        rows, found = _read_rows(table, roles)
        features = choose_features(request, found)
    vectors = list(rows.vectors)
    if found.labels is not None:
        t, classes, _ = found.labels.targets(vectors.pop(0), request.positive)
    else:
        count = len(roles.targets)
        shares = vectors[-count:]
        t, classes, _ = probability_targets(table, roles.targets, shares, request.positive)
        del vectors[-count:]
    weights = vectors.pop(0) if roles.has_weight else None
    must_have_offsets(table, roles, classes)
    offsets = None
    if vectors:
        offsets = vectors[0] if len(vectors) == 1 else np.column_stack(vectors)
    X = rows.X
    if features.texts:
        places = [
            np.array(list(one.places.values()), np.int32)[codes]
            for one, codes in zip(features.texts, rows.codes.T, strict=True)
        ]
        X = one_hot(X, places, [one.size for one in features.texts])
    notes = (*features.notes, *label_notes(found, classes)) if features.names else ()
    skipped = found.read - found.kept
    return TrainingData(
        X, t, features.names, skipped, features.categories, classes, weights, offsets, notes
    )


def make_request(
    table: Table,
    label: Columns,
    *,
    positive: Label | None,
    weight: str | int | None,
    offset: Columns,
    missing: Missing,
    categorical: Sequence[str],
    ignore: Sequence[str],
    min_count: int,
    drop_first: bool,
    intercept: bool,
) -> Request:
    """Check the arguments of `read_table`, and choose the role of each column."""
    checked_missing(missing, ("error", "skip"))
    drop_first = true_or_false(drop_first, "drop_first")
    intercept = true_or_false(intercept, "intercept")
    min_count = whole_number(min_count, "min_count", 1)
    if not isinstance(positive, bool | int | float | str | np.generic | None):
        raise TypeError(f"positive must be a label; got {shown(positive)}")
    roles = None
    if targets := find_labels(table, label):
        roles = choose_roles(table, targets, weight, offset, categorical, ignore)
    else:
        must_be_absent(table, weight=weight, offset=offset)
        for argument, names in (("ignore", ignore), ("categorical", categorical)):
            find_columns(table, names, argument)
    return Request(table, roles, positive, missing == "skip", min_count, drop_first, intercept)


def must_have_offsets(table: Table, roles: ColumnRoles, classes: Sequence[Label]) -> None:
    """Raise a ValueError unless there are no offsets, or one for each logit."""
    logits, count = 1 if len(classes) == 2 else len(classes), len(roles.offsets)
    if count not in (0, logits):
        plural = "s, one for each label" if logits > 1 else ""
        raise ValueError(f"{table.name}: offset must be {logits} column{plural}; got {count}")


# Reading ----------------------------------------------------------------------------------


class _Rows:
    """Rows of X and of its vectors, which grow in place.

    Attributes
    ----------
    X : ndarray (n, d + number of text columns)
        The numbers; and in the last columns 1, the value of the one category that a row has.
    vectors : list of ndarray (n,)
        Numbers that are no features: the labels first.
    codes : ndarray (n, number of text columns)
        The number of this category.
    """

    def __init__(self, rows: int, d: int, vectors: int, text: int, dtype: np.dtype[Any]) -> None:
        self.X = np.empty((rows, d + text), dtype)
        self.vectors = [np.empty(rows) for _ in range(vectors)]
        self.codes = np.empty((rows, text), np.int32)
        self.count = 0

    def append(
        self,
        columns: list[NDArray[Any]],
        vectors: list[NDArray[Any]],
        codes: list[NDArray[np.int32]],
    ) -> None:
        """Add the rows of a batch."""
        here = slice(self.count, self.count + len(vectors[0]))
        if here.stop > len(self.X):
            self.resize(max(here.stop, len(self.X) * 5 // 4))
        for j, column in enumerate(columns):
            self.X[here, j] = column
        for vector, values in zip(self.vectors, vectors, strict=True):
            vector[here] = values
        for j, column in enumerate(codes):
            self.codes[here, j] = column
        self.X[here, len(columns) :] = 1.0
        self.count = here.stop

    def resize(self, rows: int) -> None:
        """Change the number of rows; the system moves the pages instead of copying them."""
        for array in (self.X, self.codes, *self.vectors):
            array.resize((rows, *array.shape[1:]), refcheck=False)


def _read_rows(table: Table, roles: ColumnRoles) -> tuple[_Rows, Found]:
    """The rows of a table that have no missing value, and the contents of the table."""
    dtype = np.result_type(np.float32, *(table.dtypes[position] for position in roles.numbers))
    d = len(roles.numbers)
    count = len(roles.labels) + len(roles.measures)
    rows = _Rows(table.rows or 0, d, count, len(roles.text), dtype)
    labels = Labels(table, roles.labels[0]) if roles.labels else None
    texts = [Categories() for _ in roles.text]
    total, has_fractions = 0, False
    absent = np.zeros(len(roles.order), np.int64)
    wanted = table.want(roles.order, text=roles.as_stored, batch_rows=_BATCH_ROWS)
    for batch in table.read(wanted):
        found = read_columns(table, roles, batch, labels, texts)
        absent += found.absent
        total += found.read
        has_fractions = has_fractions or (table.csv is not None and found.have_fractions())
        vectors = found.measures if found.labels is None else [found.labels, *found.measures]
        rows.append(found.numbers, vectors, found.codes)
    rows.resize(rows.count)
    return rows, Found(total, rows.count, absent, labels, texts, has_fractions)


def _read_libsvm(request: Request) -> TrainingData:
    """Read CSR matrices with their labels."""
    from scipy.sparse import csr_array, vstack

    table = request.table
    labels = Labels(table, None)
    matrices, numbers, rows = [], [], 0
    for batch in table.read(table.want(range(len(table.dtypes)))):
        found = read_matrix(batch, labels)
        if found.first_absent is not None and not request.skips:
            raise missing_row(batch.file, batch.first + found.first_absent)
        rows += found.read
        X = batch.data
        matrices.append(X if found.present.size == found.read else X[found.present])
        numbers.append(found.labels)
    count = sum(map(len, numbers))
    must_have_rows(table, count, rows)
    t, classes, _ = labels.targets(np.concatenate(numbers), request.positive)
    X = csr_array(vstack(matrices, "csr"))
    return TrainingData(X, t, None, rows - count, {}, classes)
