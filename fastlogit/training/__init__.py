"""What :mod:`fastlogit.training.trainer` is made of, from the arguments to the result.

``options``      arguments that do not depend on the data, and their checks
``labels``       what users call t: two classes of anything, or probabilities
``objective``    f and its derivatives at a point, each from one counted read of X
``sampling``     few rows that stand for all
``solvers``      how f is minimised
``diagnosis``    standard errors, collinear columns, labels that are separated
"""
