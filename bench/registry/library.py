"""The functions, and one implementer of them: fastlogit, NumPy or another library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from fastlogit.kernels.elementwise import FUNCTIONS

Array = Any  # of any library
Implementation = Callable[..., Any]


# The functions and their arguments.
ELEMENTWISE = {name: " ".join(line.arguments) for name, line in FUNCTIONS.items()}
SUMS = {"log_loss": "z t", "log_loss_gradient": "z t"}
PASSES = {
    "linear.decision": "X coef",
    "linear.probability": "X coef",
    "linear.log_loss": "X t coef",
    "linear.log_loss_gradient": "X t coef",
    "linear.log_loss_gradient_hessian": "X t coef",
    "linear.hessian": "X coef",
    "linear.hessian_diagonal": "X coef",
    "linear.hessian_product": "X coef direction",
}
# Functions with a result as long as there are logits or rows.
LONG = {*ELEMENTWISE, "log_loss_gradient", "linear.decision", "linear.probability"}


class Library(NamedTuple):
    """Implementations by the names of the registry, and how to call them.

    `source` is the documentation that recommends to call it so for speed, and `writing` names the
    functions that take ``out=``.  `convert` makes an argument from a NumPy array, and `place` the
    value of ``out=`` from a converted array.  `options` gives keyword arguments for a number of
    threads (None: all cores); a library without such an argument sets its global number instead.
    `context` surrounds many calls.
    """

    functions: dict[str, Implementation]
    source: str = ""
    writing: frozenset[str] = frozenset()
    convert: Callable[[Array], Array] = lambda array: array
    place: Callable[[Array], Any] = lambda array: array
    options: Callable[[int | None], dict[str, Any]] = lambda _: {}
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    threaded: bool = True
