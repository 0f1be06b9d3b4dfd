"""The methods of a model that export it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastlogit.models.export import onnx, pmml, sklearn

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
        Given its logits, a probability errs by at most 2.6 ULP of `dtype` with two classes, 3.8
        with three, 4.4 with ten and 7 with a hundred, down to the smallest subnormal number.  This
        was measured in ONNX Runtime 1.19 and 1.32 on x86.  The label is the one of `predict`,
        except where it depends on the rounding of the logits: the runtime chooses the order of
        their sums.

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
            If the model was trained with an offset; if a name, class or category has a control
            character, as XML has none; or if `unknown` is wrong.
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
            If the model was trained with an offset, which scikit-learn does not have, or if
            `unknown` is wrong.

        Notes
        -----
        The arithmetic is scikit-learn's.  Of two classes, the probability of the first is 1 - y, so
        it loses digits where y is near 1, and y is 0 where it is below 5.6e-309.  NaN in a column
        of numbers is an error.

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
