"""The methods of a model that export it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastlogit.models.export import onnx, pmml, sklearn, sql

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from fastlogit.matrix.onehot import Unknown


class Exports:
    """The part of `LogisticModel` that exports it to other tools."""

    def to_onnx(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        dtype: Literal["float64", "float32"] = "float64",
        names: Sequence[str] | None = None,
        unknown: Literal["nan", "ignore"] = "nan",
        compat: bool = False,
    ) -> Any:
        """ONNX graph that computes the label and the probabilities of each row.

        This needs ``pip install 'fastlogit[onnx]'``.  The graph consists of standard operators of
        opset 13, and for text of the ``LabelEncoder`` of ``ai.onnx.ml`` 2.  Its IR version is 7.
        The coefficients are initialisers, bit for bit.

        Inputs of the graph:

        * ``X`` (n, d), a column for each coefficient.  The metadata ``feature_names`` has their
          names as JSON.  With `names`, and for a model with categories, each column is an input
          (n, 1) of its own: numbers of the type `dtype`, and text as strings.
        * ``offset`` (n, 1), or (n, K), for a model that was trained with an offset.

        Outputs:

        * ``label`` (n,): int64 for integers and bools, otherwise float64 or strings.  A row whose
          probabilities are NaN has the label -2**63, NaN or ``""``.
        * ``probabilities`` (n, 2), or (n, K), in the order of `classes`.

        Parameters
        ----------
        path : path, optional
            File to write.  It is written atomically and replaces an existing one.
        dtype : {"float64", "float32"}
            Type of the numbers and of the arithmetic.  float32 rounds the coefficients.
        names : sequence of str, optional
            Names of the inputs, one for each column.  For a model with categories: first for
            ``model.columns.numbers``, then for ``model.columns.text``; by default these names.
        unknown : {"nan", "ignore"}
            How to treat text that belongs to no category, as a graph cannot raise an error: the
            row's probabilities are NaN, or the column adds 0.
        compat : bool
            Whether to use the operator ``LinearClassifier`` of ``ai.onnx.ml``, which more tools can
            convert.  It computes in float32.  The error of a probability is about 1e-7, so smaller
            probabilities are lost, and rows with NaN may get any label.  The model must have no
            categories and no offset.

        Returns
        -------
        onnx.ModelProto

        Raises
        ------
        ImportError
            If onnx is not installed.
        TypeError, ValueError
            If an argument is wrong; if the columns, or `names`, contain a name of the graph's own,
            such as ``label``; if float32 cannot hold a coefficient; if a class is the label of rows
            without probabilities; or if `compat` does not suit the model.
        OSError
            If the file cannot be written.

        Notes
        -----
        Given its logits, a probability errs by at most 2.6 ULP of `dtype` with two classes, and 3.3
        with up to a thousand, down to the smallest subnormal number.  It is 1 only where no smaller
        number is nearer.  This was measured in ONNX Runtime 1.19 and 1.32 on x86.  The label is the
        one of `predict`, except where it depends on the rounding of the logits: the runtime chooses
        the order of their sums.

        A row with NaN gives NaN, even if the coefficient is 0.  A tensor of strings has no missing
        values, and an empty text is a text like any other.

        Examples
        --------
        >>> import fastlogit as fl
        >>> graph = fl.LogisticModel([2.0, -1.0], 0.5).to_onnx().graph
        >>> [one.name for one in graph.input], [one.name for one in graph.output]
        (['X'], ['label', 'probabilities'])
        """
        return onnx.to_onnx(self, path, dtype, names, unknown, compat=compat)

    def to_pmml(self, path: str | os.PathLike[str], *, unknown: Unknown = "error") -> None:
        """Write the model as a ``RegressionModel`` of PMML 4.4.

        The coefficients have all digits, so that they are read back bit for bit.  The fields are
        `feature_names`, or x0, x1 and so on, and the columns of `categories`.  An output field
        ``probability(label)`` belongs to each class.

        Parameters
        ----------
        path : path
            File to write.  It is written atomically and replaces an existing one.
        unknown : {"error", "ignore"}
            How to treat text that belongs to no category: as invalid, which is an error, or as
            adding 0.

        Raises
        ------
        ValueError
            If the model was trained with an offset, which
            ``dataclasses.replace(model, with_offset=False)`` takes as 0; if a name, class or
            category has a control character, which XML loses; or if `unknown` is wrong.
        OSError
            If the file cannot be written.

        Notes
        -----
        In JPMML 1.7, PMML's reference evaluator, both probabilities are exact in their own tail.
        A missing value is an error.
        """
        pmml.to_pmml(self, path, unknown)

    def to_sklearn(self, *, unknown: Unknown = "error") -> Any:
        """Fitted ``LogisticRegression`` of scikit-learn, with the same coefficients bit for bit.

        :func:`fastlogit.from_sklearn` converts it back.  A model with categories becomes a
        pipeline, which encodes the columns of text of a data frame; to make it needs pandas.  Bools
        and integers must be spelled as in `categories`.  The estimator has ``C = 1 / l2`` if there
        is one penalty for all columns, and otherwise scikit-learn's parameters.

        Parameters
        ----------
        unknown : {"error", "ignore"}
            How the pipeline treats text that belongs to no category, or is missing: raise an error,
            or add 0.  In a column with a group, such text belongs to the group.

        Returns
        -------
        sklearn.linear_model.LogisticRegression, or sklearn.pipeline.Pipeline

        Raises
        ------
        ImportError
            If scikit-learn, or for a model with categories pandas, is not installed.
        ValueError
            If the model was trained with an offset, which scikit-learn does not have, and
            ``dataclasses.replace(model, with_offset=False)`` takes as 0; or if `unknown` is wrong.

        Notes
        -----
        The arithmetic is scikit-learn's.  Of two classes, the probability of the first is 1 - y, so
        it loses digits where y is near 1, and y is 0 where it is below 5.6e-309.  A probability may
        be 1 although the number before 1 is nearer.  NaN in a column
        of numbers is an error.  A text with the other spelling of a bool, such as "True" for
        "true", is unknown, and so belongs to the group where there is one.

        On the way back `l2` becomes 0, as an estimator may have another penalty.  Features may come
        in another order, and categories without a coefficient may be features with the coefficient
        0.

        Examples
        --------
        >>> import fastlogit as fl
        >>> model = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))
        >>> estimator = model.to_sklearn()
        >>> estimator.coef_, estimator.intercept_
        (array([[ 2., -1.]]), array([0.5]))
        >>> fl.from_sklearn(estimator).feature_names
        ('a', 'b')
        """
        return sklearn.to_sklearn(self, unknown)

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
        names: str | Sequence[str] | None = None,
    ) -> str:
        """SQL that scores each row in a database: an expression, or a query of a table.

        Columns are found by name; a model with `categories` needs its columns of text.

        Parameters
        ----------
        dialect : {"duckdb", "postgres", "sqlite", "bigquery", "snowflake", "ansi"}
            The language.  The tests run DuckDB, SQLite and PostgreSQL, and parse the others.
        output : {"probability", "logit", "label"}
            The result of each row.  Of two classes, probability and logit belong to the
            second; of K, each class has its own.  The label is the one that `predict` gives; for
            another threshold, compare the probability with it.
        table : str or sequence of str, optional
            Name of a table, which may have dots in it; or the names of its schema and so on and
            then its own.  The SQL is a query of all its columns and the results.  Without it, the
            SQL is an expression over the columns, to follow SELECT; of K classes, or with `names`,
            a list of named ones.
        offset : str or sequence of str, optional
            A column that is added to z, or of K classes one for each; a model that was trained with
            an offset needs it.
        unknown : {"null", "ignore"}
            How to treat text that belongs to no category, as SQL cannot raise an error: the output
            is NULL, or the column adds 0.
        names : str or sequence of str, optional
            Name of each result; as `output`, or of K classes ``probability_<label>`` and so on, if
            not given.  If the table has columns with these names, the query has two of each.

        Returns
        -------
        str
            Without a semicolon.

        Raises
        ------
        TypeError, ValueError
            If the model has no `feature_names`, which
            ``dataclasses.replace(model, feature_names=names)`` adds; if a name or text has a NUL;
            if the database does not distinguish two names, such as "a" and "A" in DuckDB; if a
            column of the model has the name of a result; if the expression would have more than 5
            million characters; or if an argument is wrong.

        Warns
        -----
        OffsetWarning
            If the model was trained with an offset, and none is given.

        Notes
        -----
        A NULL in a column gives NULL, in the offset of one of K classes the logit of that class
        only.  NaN, which SQLite stores as NULL, gives NaN, and the label NULL.

        Each literal is the coefficient, bit for bit.  Sums are float64, in the order of the
        columns.  Given the logits, probabilities err by at most 4 ULP where the database's EXP errs
        by at most 1; with a logit of K classes beyond 700 or -700, the relative error is up to
        1e-13.  A probability is 1 only where no smaller number is nearer, and 0 only below 5e-324.
        In "postgres" and "ansi" one of K classes may be 5e-324 where it should be 0.

        Names are quoted, so PostgreSQL, Snowflake and standard SQL distinguish their case.  Columns
        of numbers must have a numeric type: cast booleans.  In SQLite, where any column may hold
        text, it gives NULL, even if it looks like a number.  Columns of categories must have text,
        integers or booleans; of numbers with a fraction, as in pandas' columns of integers with
        nulls, the output is NULL in DuckDB and SQLite.  Text is compared byte by byte, but in
        BigQuery, Snowflake and standard SQL by the column's collation.

        SQLite must have been built with its mathematical functions, as Python's usually is.  In
        PostgreSQL, an overflow is an error, and so is a product of a coefficient and a value that
        rounds to 0.

        An expression repeats the logits several times, and of K classes far more often, which takes
        DuckDB seconds to plan.  A query computes them once; so do expressions in PostgreSQL, SQLite
        and BigQuery, by a subquery for each class.  Except in SQLite, a row's category is compared
        with one after another.  Standard SQL cannot leave out columns, so the query in "ansi" also
        gives the intermediate results.  Generated columns, indexes and checks of PostgreSQL and
        SQLite must have no subquery, so they can compute the logit only; in SQLite, of a model
        without categories.  The table should have no columns ``fastlogit_z0`` and so on: DuckDB
        renames them, and PostgreSQL finds them ambiguous.

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
        return sql.to_sql(self, dialect, output, table, offset, unknown, names)
