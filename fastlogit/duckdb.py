"""DuckDB: score rows with a model as a function of SQL, where the rows are.

`register` makes the function.  DuckDB calls it with a few thousand rows at a time, from one of its
own threads, so each call uses one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    import duckdb
    import pyarrow as pa
    from pyarrow import compute
except ModuleNotFoundError as error:
    message = f"fastlogit.duckdb needs {error.name}: pip install 'fastlogit[duckdb]'"
    raise ModuleNotFoundError(message, name=error.name) from None

from fastlogit.core import checks
from fastlogit.models.export.dialects import DIALECTS
from fastlogit.models.input import warn_without_offset
from fastlogit.models.model import loaded
from fastlogit.scoring.row_scorer import RowScorer

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from fastlogit.matrix.onehot import Unknown
    from fastlogit.models.model import LogisticModel
    from fastlogit.scoring.row_scorer import Nulls
    from fastlogit.scoring.scorer import Output

__all__ = ["register"]

# Every function that was registered.  DuckDB drops its reference together with the connection, and
# then crashes in a cursor of that connection, which still has the function.
_KEPT = list[Any]()


def register(
    connection: duckdb.DuckDBPyConnection,
    model: LogisticModel | str | os.PathLike[str],
    name: str = "probability",
    *,
    output: Output = "probability",
    offset: str | Sequence[str] | None = None,
    threshold: float = 0.5,
    missing: Nulls = "null",
    unknown: Unknown = "error",
) -> str:
    """Make a model a function of SQL in DuckDB, and return the text that calls it.

    The function has one argument, a row: a struct.  Its fields are found by name, so their order
    does not matter, and it may have others.  DuckDB passes a table as such a struct:
    ``SELECT probability(flights) FROM flights``.  Then it reads all columns of the table; the
    returned text names only the columns of the model, which is faster.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        All cursors of the connection get the function.
    model : LogisticModel, or path of its file
        It must have `feature_names`.  Fields are numbers of any type, or text where the model
        has `categories`.
    name : str
        The name of the function.
    output : {"probability", "logit", "label", "log-probability", "label-probability"}
        The value of the function.  Of two classes, probabilities and logits belong to the second.
        Of more classes each has one, in a struct with the names that :func:`fastlogit.score` gives
        to its columns: ``probability(flights).probability_late``.  All but labels are DOUBLE.
    offset : str or sequence of str, optional
        A field that is added to the logit; for K classes one for each, in the order of `classes`.
    threshold : float
        In [0, 1], for two classes and the output "label" only.
    missing : {"null", "nan", "error"}
        How to treat a row with NULL: its score is NULL, or NaN, or the query fails.  NaN is a
        number, and its score is NaN; the label of such a row is NULL.
    unknown : {"error", "ignore"}
        How to treat text that belongs to no category of the model: the query fails, or the column
        adds nothing to the logit.

    Returns
    -------
    str
        A call of the function that names the columns of the model, for a query.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or if the connection has a function of this name.  Rows without a
        column of the model, or with one of a wrong type, make the query fail with a message that
        names the column.
    duckdb.ResourceInUseException
        If the connection has a result that was not read to its end.

    Warns
    -----
    OffsetWarning
        If the model was trained with an offset, and none is given.

    Notes
    -----
    The scores have the bits of :func:`fastlogit.score`.

    Examples
    --------
    >>> import duckdb
    >>> import fastlogit as fl
    >>> import fastlogit.duckdb
    >>> connection = duckdb.connect()
    >>> _ = connection.sql("CREATE TABLE days AS FROM (VALUES (1, 2.0), (2, NULL)) AS v(day, wind)")
    >>> model = fl.LogisticModel([0.5], -1.0, ("wind",))
    >>> call = fastlogit.duckdb.register(connection, model)
    >>> print(call)
    "probability"({'wind': "wind"})
    >>> connection.sql("SELECT day, probability(days) FROM days").fetchall()
    [(1, 0.5), (2, None)]
    >>> connection.sql("SELECT day FROM days WHERE " + call + " > 0.4").fetchall()
    [(1,)]
    """
    if not isinstance(connection, duckdb.DuckDBPyConnection):
        raise TypeError(
            f"connection must be a connection of DuckDB; got {type(connection).__name__}"
        )
    _must_be_new(connection, name)
    model = loaded(model)
    warn_without_offset(model, offset)
    scorer = RowScorer(
        f"{name}(row)",
        model,
        output=output,
        offset=offset,
        threshold=threshold,
        missing=missing,
        unknown=unknown,
    )
    _check_names(scorer.columns, "columns")
    if pa.types.is_struct(scorer.type):
        _check_names([field.name for field in scorer.type], "classes")

    # DuckDB reads annotations as its own types; without one, the argument may be of any type.
    def score(rows):  # type: ignore[no-untyped-def]
        return _scores(rows, scorer)

    kind = _type(connection, scorer.type)
    connection.create_function(name, score, None, kind, type="arrow", null_handling="special")
    _KEPT.append(score)
    fields = ", ".join(": ".join((_quoted(one, "'"), _quoted(one))) for one in scorer.columns)
    return f"{_quoted(name)}({{{fields}}})"


def _must_be_new(connection: Any, name: Any) -> None:
    """Check that a function can have this name; DuckDB would add it to one of its own."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a string; got {checks.shown(name)}")
    # On a cursor, so that the results of the last query stay.
    found = "SELECT count(*) FROM duckdb_functions() WHERE lower(function_name) = lower(?)"
    if not name or connection.cursor().execute(found, [name]).fetchone() != (0,):
        raise ValueError(
            f"name must be the name of a new function; got {checks.shown(name)} "
            "(remove_function, of the connection that registered one, removes it)"
        )


def _scores(rows: Any, scorer: RowScorer) -> Any:
    """The scores of an array of structs."""
    if not pa.types.is_struct(rows.type):
        raise TypeError(
            f"{scorer.name}: row must be a struct, such as the name of a table; got {rows.type}"
        )
    return scorer.score([_batch(chunk, scorer) for chunk in rows.chunks])


def _batch(rows: Any, scorer: RowScorer) -> Any:
    """An array of structs as a record batch, without its unions, which no model can need."""
    columns = {}
    for place, field in enumerate(rows.type):
        if not pa.types.is_union(field.type):
            columns[field.name] = place
        elif field.name in scorer.columns:
            raise TypeError(
                f"{scorer.name}: column {checks.shown(field.name)} must hold numbers or text; it "
                f"holds {field.type}"
            )
    if len(columns) == len(rows.type):
        return pa.RecordBatch.from_struct_array(rows)
    # Arrow would end the process where it takes a union out of a struct.
    arrays = [compute.struct_field(rows, [place]) for place in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, list(columns))


def _type(connection: Any, kind: Any) -> Any:
    """DuckDB's type for a type of scores."""
    if pa.types.is_struct(kind):
        return connection.struct_type({field.name: "DOUBLE" for field in kind})
    names = {
        pa.float64(): "DOUBLE",
        pa.int64(): "BIGINT",
        pa.bool_(): "BOOLEAN",
        pa.string(): "VARCHAR",
    }
    return names[kind]


def _check_names(names: Sequence[str], what: str) -> None:
    """Check that DuckDB can hold names and distinguishes them."""
    seen = dict[Any, str]()
    for name in names:
        if not name or "\0" in name:
            raise ValueError(
                f"model must have {what} that are not empty, without NUL; got {checks.shown(name)}"
            )
        if (other := seen.setdefault(DIALECTS["duckdb"].same(name), name)) != name:
            raise ValueError(
                f"model must have {what} that differ in more than case, which DuckDB ignores; got "
                f"{checks.shown(other)} and {checks.shown(name)}"
            )


def _quoted(name: str, quote: str = '"') -> str:
    return f"{quote}{name.replace(quote, 2 * quote)}{quote}"
