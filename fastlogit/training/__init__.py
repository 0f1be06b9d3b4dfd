"""Training: from the arguments of :func:`fastlogit.fit` to a model.

Each file imports only files that are listed below it.

``fit``          `fastlogit.fit`: two classes or K, from arrays or tables to a `LogisticModel`
``fit_table``    training on a table, in memory or out of core
``fit_arrays``   training on arrays; a problem and its optimum as a model
``partitions/``  rows that are read again in every pass
``table/``       columns of a table as features, targets, weights and offsets
``problem``      checks of the data, and the dataset and penalty made from them
``trainer``      runs a solver until the optimum is close enough
``diagnosis``    standard errors, collinear columns, separated labels
``messages``     warnings and errors about the optimum
``options``      checks of the arguments that do not depend on the data
``progress``     the argument of callbacks, and progress bars
``solvers/``     ways to the optimum, and the table of them
``convergence``  the criterion
``objective``    f, its gradient and its Hessian at a point
``penalty``      the terms that are added to the loss
``dataset``      the rows, and all passes over them
``checkpoint``   results of passes in a file, from which training is resumed
``sampling``     which rows to draw for a sample
``family``       the kind of target: shapes, losses, labels
``targets``      targets as numbers, and class weights

The trainer, the solvers and everything they use see only a family, a dataset, a penalty and a
solver.  Each of these is a contract with one or more implementations:

a family
    Subclass `family.Family`; its docstring has the shapes for K outputs.  The kernels need the
    same family.  `fit` chooses the class, which makes the family from the targets.
a dataset
    Subclass `dataset.Dataset`: where the rows are, and how their sums are computed.  `problem`
    makes it from the arguments of `fit`.
a penalty
    Subclass `penalty.Penalty`.  `problem` makes it from the arguments of `fit`.
a solver
    Write a file in `solvers/`, add a line to the table in ``solvers/__init__.py``, and describe it
    in the docstring of `fit`.
"""
