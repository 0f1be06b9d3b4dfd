"""Polars: score rows with a model by an expression, in eager frames and in lazy queries.

=================  =====================================================================
`decision`         logits of rows
`probability`      probabilities of rows
`predict`          labels of rows
=================  =====================================================================

The expressions find the columns of the model by their names.  The streaming engine calls them with
some rows at a time, on several of its threads; the engine in memory calls them once with all rows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

try:
    import polars as pl
    import pyarrow as pa
except ModuleNotFoundError as error:
    message = f"fastlogit.polars needs {error.name}: pip install 'fastlogit[polars]'"
    raise ModuleNotFoundError(message, name=error.name) from None

from fastlogit.core import threads as _threads
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import loaded
from fastlogit.scoring.row_scorer import RowScorer

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from typing import SupportsIndex

    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.scoring.row_scorer import Nulls
    from fastlogit.scoring.scorer import Output

    Model = LogisticModel | str | os.PathLike[str]

__all__ = ["decision", "predict", "probability"]

# Rows that one thread scores at a time: a call of the streaming engine rarely has more.
_BATCH_ROWS = 1 << 17
# Integers that Arrow does not have.
_WIDE = [getattr(pl, name) for name in ("Int128", "UInt128") if hasattr(pl, name)]


def decision(
    model: Model,
    *,
    offset: str | Sequence[str] | None = None,
    missing: Nulls = "null",
    unknown: Unknown = "error",
    threads: SupportsIndex | None = None,
) -> pl.Expr:
    """Logits of rows, an expression with the name "logit".

    Parameters
    ----------
    model, offset, missing, unknown, threads
        As in `probability`.

    Returns
    -------
    polars.Expr
        Float64; for K classes a struct with the fields "logit_<class>".

    Raises
    ------
    TypeError, ValueError
        As in `probability`.

    Warns
    -----
    OffsetWarning
        As in `probability`.

    Examples
    --------
    >>> import polars as pl
    >>> import fastlogit as fl
    >>> import fastlogit.polars
    >>> model = fl.LogisticModel([0.5], -1.0, ("wind",))
    >>> days = pl.DataFrame({"wind": [2.0, 6.0, None]})
    >>> days.select(fastlogit.polars.decision(model))["logit"].to_list()
    [0.0, 2.0, None]
    """
    return _expression(model, "logit", threads, offset=offset, missing=missing, unknown=unknown)


def probability(
    model: Model,
    *,
    offset: str | Sequence[str] | None = None,
    missing: Nulls = "null",
    unknown: Unknown = "error",
    threads: SupportsIndex | None = None,
) -> pl.Expr:
    """Probabilities of rows, an expression with the name "probability".

    Parameters
    ----------
    model : LogisticModel, or path of its file
        It must have `feature_names`.  The columns of these names are numbers of any type, or text
        where the model has `categories`.
    offset : str or sequence of str, optional
        A column that is added to the logit; for K classes one for each, in the order of `classes`.
    missing : {"null", "nan", "error"}
        How to treat a row with a null: its score is null, or NaN, or the query fails.  NaN is a
        number, and its score is NaN.
    unknown : {"error", "ignore"}
        How to treat text that belongs to no category of the model: the query fails, or the column
        adds nothing to the logit.
    threads : int, optional
        Maximum number of threads that work on the rows of one call; default: all cores that the
        process may use.  A call with fewer than 100,000 rows uses one.

    Returns
    -------
    polars.Expr
        Float64, the probability of the second of two classes.  For K classes a struct with the
        fields "probability_<class>", which ``.struct.unnest()`` makes columns.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.  A column that is missing or of a wrong type makes the query fail
        with a message that names it.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Notes
    -----
    The probabilities have the bits of :func:`fastlogit.score`.

    Examples
    --------
    >>> import polars as pl
    >>> import fastlogit as fl
    >>> from fastlogit.polars import probability
    >>> model = fl.LogisticModel([0.5], -1.0, ("wind",))
    >>> days = pl.LazyFrame({"day": [1, 2, 3], "wind": [2.0, 6.0, None]})
    >>> days.filter(probability(model) > 0.5).select("day").collect(engine="streaming").to_dicts()
    [{'day': 2}]
    """
    return _expression(
        model, "probability", threads, offset=offset, missing=missing, unknown=unknown
    )


def predict(
    model: Model,
    *,
    offset: str | Sequence[str] | None = None,
    threshold: float = 0.5,
    missing: Nulls = "null",
    unknown: Unknown = "error",
    threads: SupportsIndex | None = None,
) -> pl.Expr:
    """Labels of rows, an expression with the name "label".

    Of two classes it is the second where its probability is above `threshold`; of K classes the
    most probable, and of those that are equal the first.

    Parameters
    ----------
    model, offset, missing, unknown, threads
        As in `probability`.
    threshold : float
        In [0, 1]; for two classes only.

    Returns
    -------
    polars.Expr
        Boolean, Int64, Float64 or String, as the classes are; null where the probability is null
        or NaN.

    Raises
    ------
    TypeError, ValueError
        As in `probability`, or if `threshold` is wrong.

    Warns
    -----
    OffsetWarning
        As in `probability`.

    Examples
    --------
    >>> import polars as pl
    >>> import fastlogit as fl
    >>> from fastlogit.polars import predict
    >>> model = fl.LogisticModel([0.5], -1.0, ("wind",), classes=("calm", "storm"))
    >>> pl.DataFrame({"wind": [1.0, 6.0]}).select(predict(model))["label"].to_list()
    ['calm', 'storm']
    """
    return _expression(
        model,
        "label",
        threads,
        offset=offset,
        threshold=threshold,
        missing=missing,
        unknown=unknown,
    )


def _expression(
    model: Model, output: Output, threads: SupportsIndex | None, **options: Any
) -> pl.Expr:
    model = loaded(model)
    warn_without_offset(model, options["offset"])
    count = _threads.resolve(threads)
    scorer = RowScorer("Polars", model, output=output, threads=count, **options)
    # A name is a name, even if `pl.col` would take it for a pattern.
    columns = pl.struct(pl.selectors.by_name(*scorer.columns))
    scores = columns.map_batches(
        partial(_scores, scorer=scorer),
        return_dtype=_empty(scorer.type).dtype,
        is_elementwise=True,
    )
    return scores.alias(output)


def _scores(rows: pl.Series, scorer: RowScorer) -> pl.Series:
    """The scores of a series of structs."""
    frame = rows.struct.unnest().cast(dict.fromkeys(_WIDE, pl.Float64))
    batches = frame.to_arrow().to_batches(_BATCH_ROWS)
    if not batches:
        return _empty(scorer.type)
    scores: pl.Series = pl.from_arrow(scorer.score(batches))
    return scores


def _empty(kind: Any) -> pl.Series:
    """A series without rows, of the Polars type for a type of Arrow."""
    empty: pl.Series = pl.from_arrow(pa.array([], kind))
    return empty
