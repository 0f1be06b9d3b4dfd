"""References that the tests and the benchmarks share: naive formulas, independent of the kernels.

============== ====================================================================
multiprecision elementwise functions of single numbers, with 1300 bits; bits of results
extended       the same functions of arrays, in `numpy.longdouble`
points         points of every exponent, and the exact values there
formulas       the same functions, sums and passes in NumPy: naive, stable and tuned
passes         passes over X in `numpy.longdouble`, with bounds on the rounding errors
coefficients   generator of the polynomial coefficients of the kernels
============== ====================================================================
"""
