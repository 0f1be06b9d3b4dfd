"""Softmax over K classes, its loss and its gradient, along the last axis of an array of logits.

The functions of each row take an array of any shape; `softmax_log_loss` and
`softmax_log_loss_gradient` add up the losses of the rows of a matrix.  The dtypes are those of
:mod:`fastlogit.elementwise`: the result is float64 for float64 and for integers of 32 and 64 bits,
float32 for float32 and for integers of 16 bits, and float16 (computed in float32) for float16,
integers of 8 bits and bool.

Targets are class numbers, 0 to K - 1, in an array of integers with one element for each row; or
probabilities, in an array of the shape of Z.

The result of a row depends on that row alone: not on strides, on the number of rows or on the
number of threads.  With the classes in another order it has the same bits in that order.  So it has
if a constant is added to all logits, unless that rounds one of them (`log_sum_exp` moves with the
constant).  No input raises a floating-point warning.

:mod:`fastlogit.kernels.softmax` has the formulas, and the reasons why they lose no digits.
"""
