"""How databases spell names, numbers and texts.

A literal of a number gives the same float64 in the database, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# The longest name of PostgreSQL, in bytes; it cuts longer ones.
_LONGEST_IN_POSTGRES = 63
# Whole numbers up to this size have at most 15 digits, which SQLite reads exactly.
_FIFTEEN_DIGITS = 1e15


class Dialect(NamedTuple):
    """A dialect of SQL.

    Attributes
    ----------
    name, text : function
        A quoted name, or a quoted text.
    number : function
        A finite float64 as a literal of that type.
    as_text : str
        A column of any type as text, with ``{0}`` for the column; NULL for a type that would print
        the number 1 as 1.0.  It is compared byte by byte, also where the column's collation takes
        "a" for "A", if the tests run the database.
    same : function
        Names with the same result are names of the same column.
    as_number : str
        A column of numbers, with ``{0}`` for the column.
    largest : str
        The function that gives the largest of its arguments.
    has_subqueries : bool
        Whether an expression can contain a subquery without a table, at little cost.
    has_lateral : bool
        Whether a query can join each row of a table with a subquery about it.
    without : str or None
        The word after ``*`` that leaves out columns; empty if there is no such word.  None if
        subqueries do instead.
    refuses_underflow : bool
        Whether a result that rounds to 0 is an error.
    compiles_slowly : bool
        Whether the time to compile CASE is quadratic in its cases.
    """

    name: Callable[[str], str]
    text: Callable[[str], str]
    number: Callable[[float], str]
    as_text: str
    same: Callable[[str], Hashable]
    as_number: str = "{0}"
    largest: str = "GREATEST"
    has_subqueries: bool = False
    has_lateral: bool = False
    without: str | None = None
    refuses_underflow: bool = False
    compiles_slowly: bool = False


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _in_backticks(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def _in_apostrophes(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _postgres_text(text: str) -> str:
    # Without the E, a setting of the server decides the meaning of a backslash.
    return f"E{_backslashes_doubled(text)}" if "\\" in text else _in_apostrophes(text)


def _backslashes_doubled(text: str) -> str:
    return _in_apostrophes(text.replace("\\", "\\\\"))


def _as_in_bigquery(quote: str) -> Callable[[str], str]:
    """A function that quotes as BigQuery does, which takes no line break between quotes."""
    escapes = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", quote: f"\\{quote}"})
    return lambda text: quote + text.translate(escapes) + quote


def _ignoring_ascii_case(name: str) -> bytes:
    """The name in lower case as DuckDB and SQLite see it, which distinguish Ä from ä."""
    return name.encode().lower()


def _with_exponent(value: float) -> str:
    """The literal of a float64, as a literal without an exponent is a decimal."""
    shortest = repr(value)
    return shortest if "e" in shortest else f"{shortest}e0"


def _from_text(value: float) -> str:
    return f"'{value!r}'::FLOAT8"


def _exact_in_sqlite(value: float) -> str:
    """A whole number times a power of two, as SQLite does not round all decimals correctly."""
    if value.is_integer() and abs(value) < _FIFTEEN_DIGITS:
        return repr(value)
    numerator, denominator = value.as_integer_ratio()
    exponent = 1 - denominator.bit_length()
    while numerator % 2 == 0:  # above 2**53
        numerator, exponent = numerator // 2, exponent + 1
    return f"({numerator} * pow(2.0, {exponent}))"


DIALECTS = {
    "duckdb": Dialect(
        name=_in_quotes,
        text=_in_apostrophes,
        number=_with_exponent,
        as_text="CASE WHEN typeof({0}) IN ('DOUBLE', 'FLOAT') OR typeof({0}) LIKE 'DECIMAL%' "
        'THEN NULL ELSE CAST({0} AS VARCHAR) END COLLATE "binary"',
        same=_ignoring_ascii_case,
        without="EXCLUDE",
    ),
    "postgres": Dialect(
        name=_in_quotes,
        text=_postgres_text,
        number=_from_text,
        as_text='CAST({0} AS TEXT) COLLATE "C"',
        same=lambda name: name.encode()[:_LONGEST_IN_POSTGRES],
        has_subqueries=True,
        has_lateral=True,
        refuses_underflow=True,
    ),
    "sqlite": Dialect(
        name=_in_backticks,  # double quotes contain a text where there is no such column
        text=_in_apostrophes,
        number=_exact_in_sqlite,
        as_text="CASE WHEN typeof({0}) = 'real' THEN NULL ELSE CAST({0} AS TEXT) END "
        "COLLATE BINARY",
        same=_ignoring_ascii_case,
        # Any column may hold text, and arithmetic takes the digits at its beginning.
        as_number="CASE WHEN typeof({0}) IN ('real', 'integer') THEN {0} END",
        largest="max",
        has_subqueries=True,
        compiles_slowly=True,
    ),
    "bigquery": Dialect(
        name=_as_in_bigquery("`"),
        text=_as_in_bigquery("'"),
        number=_with_exponent,
        as_text="CAST({0} AS STRING)",
        same=str.lower,
        has_subqueries=True,
        without="EXCEPT",
    ),
    "snowflake": Dialect(
        name=_in_quotes,
        text=_backslashes_doubled,
        number=_from_text,
        as_text="CAST({0} AS VARCHAR)",
        same=str,
        without="EXCLUDE",
    ),
    "ansi": Dialect(
        name=_in_quotes,
        text=_in_apostrophes,
        number=_with_exponent,
        as_text="{0}",  # a cast to text would have to state a length
        same=str,
        without="",
        refuses_underflow=True,
    ),
}
