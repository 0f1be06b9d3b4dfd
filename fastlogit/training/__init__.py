"""Training: from the arguments of :func:`fastlogit.fit` to a model.

Data flows in this order; each file knows only those below it.

``fit``          `fastlogit.fit`: two classes, from arrays to a `LogisticModel`
``problem``      checks of the data, and the data set and penalty made from them
``options``      checks of the arguments that do not depend on the data
``trainer``      runs a solver until the optimum is close enough
``messages``     warnings and errors about the optimum
``progress``     the argument of callbacks, and the progress bar
``diagnosis``    standard errors, collinear columns, separated labels
``solvers/``     ways to the optimum, and the table of them
``convergence``  the criterion
``objective``    f, its gradient and its Hessian at a point
``penalty``      the terms that are added to the loss
``dataset``      the rows, and all reads of them
``sampling``     which rows to draw for a sample
``family``       the kind of target: shapes, losses, labels
``targets``      targets of two classes, and class weights
``table``        a table as features and targets (:func:`fastlogit.scoring.read_table`)
``table_labels`` the labels of a table

The trainer, the solvers and everything they use see only a family, a data set, a penalty and a
solver.  Each of these is a contract with one or more implementations:

a family
    Subclass `family.Family`; its docstring has the shapes for K outputs.  The kernels need the
    same family.  `fit` decides which family a model has.
a data set
    Subclass `dataset.Dataset`: where the rows are, and how their sums are computed.  `problem`
    makes it from the arguments of `fit`.
a penalty
    Subclass `penalty.Penalty`.  `problem` makes it from the arguments of `fit`.
a solver
    Write a file in `solvers/`, add a line to the table in ``solvers/__init__.py``, and describe it
    in the docstring of `fit`.
"""
