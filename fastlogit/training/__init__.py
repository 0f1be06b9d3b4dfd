"""What :mod:`fastlogit.trainer` is made of: labels, the objective, its samples, the solvers.

``labels``       what users call t: two classes of anything, or probabilities
``objective``    f and its derivatives at a point, each from one counted read of X
``sampling``     few rows that stand for all
``solvers``      how f is minimised
``separation``   labels for which there are no best coefficients
"""
