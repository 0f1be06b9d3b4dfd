"""The rows that pictures of data draw: those with a label and a score, of each class."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.models.input import warn_without_offset
from fastlogit.models.predictions import log_odds
from fastlogit.plot import axes
from fastlogit.scoring.model_columns import without_score
from fastlogit.scoring.observations import read_observations
from fastlogit.training.table.labels import encode_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import SupportsIndex, TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from fastlogit.core.checks import Missing
    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.tables.csv_options import CSVOptions
    from fastlogit.tables.table import ReadProgress

    Model: TypeAlias = LogisticModel | str | os.PathLike[str]
    Source: TypeAlias = os.PathLike[str] | str | Any
    # One value a row, or the column that holds them.
    Labels: TypeAlias = ArrayLike | str | int | None
    Offset: TypeAlias = ArrayLike | str | int | None
    ShowProgress: TypeAlias = Callable[[ReadProgress], object] | None


# Names of classes along a side of 4 inches.
_MOST_TICKS = 24


class Rows(NamedTuple):
    """Rows with a label and a score: logits, targets, and features if they are asked for.

    Of two classes the logits are (n,), of K classes (n, K), and the targets are class numbers.
    """

    z: NDArray[np.float64]
    t: NDArray[np.float64]
    X: NDArray[np.float64]
    # The number of other rows, without a label or a score.
    skipped: int


class Contrast(NamedTuple):
    """Rows as one class against all others: a label, the log-odds, and who is in the class."""

    label: str
    z: NDArray[np.float64]
    t: NDArray[np.bool_]


def read_rows(
    model: LogisticModel,
    X: Source,
    t: Labels,
    *,
    offset: Offset = None,
    missing: Missing = "skip",
    unknown: Unknown = "error",
    source_format: str | None = None,
    csv: CSVOptions | None = None,
    threads: SupportsIndex | None = None,
    progress: ShowProgress = None,
    with_features: bool = False,
) -> Rows:
    """The rows of X that have a label and a score; arguments and errors as in `reliability`."""
    checks.missing(missing, ("error", "skip"))
    is_path = isinstance(X, str | os.PathLike)
    if t is None and not is_path:
        raise TypeError("t must be the labels of the rows of X, or name their column")
    if t is None or isinstance(t, str | Integral):
        warn_without_offset(model, offset)
        column: Any = offset  # `read_observations` checks that it is a column
        batches = list(
            read_observations(
                model,
                X,
                t,
                offset=column,
                missing=missing,
                unknown=unknown,
                source_format=source_format,
                csv=csv,
                threads=threads,
                progress=progress,
                with_features=with_features,
            )
        )
        z, labels = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
        features = [_feature_array(batch.X) for batch in batches] if with_features else []
    elif is_path:
        raise TypeError("t must name the column of the labels where X is a path")
    else:
        z = model.decision(X, offset=offset, missing="nan", unknown=unknown, threads=threads)
        given = t if isinstance(t, np.ma.MaskedArray) else np.asarray(t)
        if given.shape != z.shape[:1]:
            raise ValueError(
                f"t must have one label for each row of X, {len(z)}; got shape {given.shape}"
            )
        labels = encode_labels(given, model.classes, "t")
        features = [_feature_array(X)] if with_features else []
    return _known_rows(z, labels, features, missing)


def _known_rows(
    z: NDArray[np.float64],
    t: NDArray[np.float64],
    features: list[NDArray[np.float64]],
    missing: Missing,
) -> Rows:
    """The rows without NaN; an error if there are none, or if there must be no others."""
    known = ~(without_score(z) | np.isnan(t))
    if not known.any():
        raise ValueError("there is no row with a label and a score")
    skipped = known.size - int(np.count_nonzero(known))
    if missing == "error" and skipped:
        raise ValueError(
            f"row {int(np.argmin(known))} has no label or no score (missing='skip' leaves out such "
            "rows)"
        )
    X = np.concatenate(features)[known] if features else np.empty((0, 0))
    return Rows(z[known], t[known], X, skipped)


def _feature_array(X: Any) -> NDArray[np.float64]:
    """Two features as an array, from CSR, a record batch, a dict or an array."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    if hasattr(X, "column"):
        X = np.column_stack([X.column(j).to_numpy(zero_copy_only=False) for j in range(2)])
    if isinstance(X, dict):
        X = np.column_stack(list(X.values()))
    return np.asarray(X, dtype=np.float64)


def contrasts(model: LogisticModel, rows: Rows, label: str) -> Iterator[Contrast]:
    """Of two classes t = 1 with this label; else each class, those with most rows first."""
    if rows.z.ndim == 1:
        yield Contrast(label, rows.z, rows.t == 1.0)
        return
    z = log_odds(rows.z)
    counts = np.bincount(rows.t.astype(np.intp), minlength=z.shape[1])
    for k in np.argsort(-counts, kind="stable").tolist():
        yield Contrast(class_label(model, k), z[:, k], rows.t == k)


def class_label(model: LogisticModel, t: int) -> str:
    """The class of a class number in a legend."""
    if model.classes == tuple(range(len(model.classes))):  # True is 1
        return f"t = {t}"
    return f"class {class_name(model, t)}"


def class_name(model: LogisticModel, t: int) -> str:
    """The name of a class, which is shorter where there are several."""
    return axes.as_label(str(model.classes[t]), 40 if len(model.classes) == 2 else 20)


def class_ticks(model: LogisticModel) -> dict[int, str]:
    """The names of all classes by their numbers, or of evenly spaced ones if there are many."""
    K = len(model.classes)
    return {k: class_name(model, k) for k in range(0, K, -(-K // _MOST_TICKS))}


def rows_label(rows: Rows, name: str = "", fact: str = "") -> str:
    """The entry of a model in a legend: its name, the number of rows, and a fact."""
    known = rows.t.size
    total = known + rows.skipped
    count = f"{known:,} of " * (rows.skipped > 0) + f"{total:,} row{'s' * (total != 1)}"
    return ", ".join(filter(None, [axes.as_label(name), count, fact]))
