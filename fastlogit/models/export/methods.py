"""The methods of a model that export it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastlogit.models.export import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal


class Exports:
    """The part of `LogisticModel` that exports it to other tools."""

    def to_sql(
        self,
        dialect: Literal[
            "duckdb", "postgres", "sqlite", "bigquery", "snowflake", "ansi"
        ] = "duckdb",
        output: sql.Output = "probability",
        table: str | Sequence[str] | None = None,
        *,
        offset: str | Sequence[str] | None = None,
        unknown: sql.Unknown = "null",
    ) -> str:
        """SQL that scores each row in a database: an expression, or a query of a table.

        Columns are found by name; a model with `categories` needs its columns of text.

        Parameters
        ----------
        dialect : {"duckdb", "postgres", "sqlite", "bigquery", "snowflake", "ansi"}
            The language.  The tests run DuckDB, SQLite and PostgreSQL, and parse the others.
        output : {"probability", "logit", "label"}
            The result for each row.  Of two classes, probability and logit belong to the second; of
            K, each class has its own, named ``probability_<label>``.  The label is the one that
            `predict` gives; for another threshold, compare the probability with it.
        table : str or sequence of str, optional
            Name of a table, or the names of its schema and so on and then its own.  The result is
            a query of all its columns and the output.  Without it, the result is an expression
            over the columns, or of K classes a list of named ones, to follow SELECT.
        offset : str or sequence of str, optional
            A column that is added to z, or of K classes one for each; a model that was trained with
            an offset needs it.
        unknown : {"null", "ignore"}
            How to treat text that belongs to no category, as SQL cannot raise an error: the output
            is NULL, or the column adds 0.

        Returns
        -------
        str
            Without a semicolon.

        Raises
        ------
        TypeError, ValueError
            If the model has no `feature_names`; if a name or text has a NUL; if the database does
            not distinguish two names, such as "a" and "A" in DuckDB; if the expression would have
            more than 5 million characters; or if an argument is wrong.

        Warns
        -----
        OffsetWarning
            If the model was trained with an offset, and none is given.

        Notes
        -----
        A NULL in a column gives NULL.  NaN gives NaN, and the label NULL.

        Each literal is the coefficient, bit for bit.  Sums are float64, in the order of the
        columns.  Given the logits, probabilities err by at most 4 ULP where the database's EXP errs
        by at most 1; with a logit of K classes beyond 700 or -700, the relative error is up to
        1e-13.  A probability is 1 only where no smaller number is nearer, and 0 only below 5e-324.
        In "postgres" and "ansi" those of K classes are at least 5e-324.

        Names are quoted, so PostgreSQL, Snowflake and standard SQL distinguish their case.  Columns
        of numbers must have a numeric type; SQLite silently takes text for 0.  SQLite must have
        been built with its mathematical functions, as Python's usually is.  In PostgreSQL, a
        product of a coefficient and a value that overflows, or rounds to 0, is an error.

        An expression repeats the logits several times, and of K classes far more often, which takes
        DuckDB seconds to plan.  A query computes them once; so do expressions in PostgreSQL, SQLite
        and BigQuery, by a subquery for each class.  Except in SQLite, a row's category is compared
        with one after another.  Standard SQL cannot leave out columns, so the query in "ansi" also
        gives the intermediate results.

        Examples
        --------
        >>> import fastlogit as fl
        >>> model = fl.LogisticModel([2.0, -1.0], 0.5, ("rain", "wind"))
        >>> print(model.to_sql(output="logit"))
        (0.5e0
        + "rain" * 2.0e0
        + "wind" * -1.0e0)
        >>> import duckdb
        >>> rows = duckdb.sql("SELECT 0.5 AS rain, 1.5 AS wind")
        >>> rows.select(duckdb.SQLExpression(model.to_sql())).fetchall()
        [(0.5,)]
        """
        return sql.to_sql(self, dialect, output, table, offset, unknown)
