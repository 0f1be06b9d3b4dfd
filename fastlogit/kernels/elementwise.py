"""Elementwise functions for compiled code, made from the lines of their table.

:mod:`fastlogit.kernels.functions` is the table.  Each of its lines calls `unary` or `binary`, which
makes the exported function and records it in `FUNCTIONS`.  The ufuncs, the public functions of
:mod:`fastlogit.elementwise` and the tests read `FUNCTIONS`.
"""

from __future__ import annotations

import inspect
import textwrap
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from fastlogit.kernels import jit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Protocol, SupportsIndex, TypedDict, Unpack, overload

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    class _Options(TypedDict, total=False):
        where: ArrayLike
        dtype: DTypeLike | None
        threads: SupportsIndex | None

    # Type checkers read the exports of both packages from the table.  These types describe the
    # functions over arrays, which `fastlogit` exports; they accept single numbers as well, as the
    # compiled functions of `fastlogit.kernels` do.

    class Unary(Protocol):
        """Static type of a function of a logit or a probability."""

        @overload
        def __call__(
            self, z: ArrayLike, out: NDArray[Any] | None = None, **options: Unpack[_Options]
        ) -> Any: ...
        @overload
        def __call__(
            self, y: ArrayLike, out: NDArray[Any] | None = None, **options: Unpack[_Options]
        ) -> Any: ...

    class Binary(Protocol):
        """Static type of a function of a logit or a probability, and of a target."""

        @overload
        def __call__(
            self,
            z: ArrayLike,
            t: ArrayLike,
            out: NDArray[Any] | None = None,
            **options: Unpack[_Options],
        ) -> Any: ...
        @overload
        def __call__(
            self,
            y: ArrayLike,
            t: ArrayLike,
            out: NDArray[Any] | None = None,
            **options: Unpack[_Options],
        ) -> Any: ...


class Function(NamedTuple):
    """A line of the table."""

    name: str
    arguments: tuple[str, ...]
    """z (logit) or y (probability), and t (target) where there is a second one."""
    kernel: Any
    """The compiled function of numbers; the types of its arguments choose the precision."""
    float32_arithmetic: bool
    """Whether the float32 kernel computes in float32; the others compute in float64."""
    max_ulp: dict[str, float]
    """Largest error of a normal result, for float64 and float32."""
    summary: str
    """First line of the docstring: the formula."""
    derivation: str
    """Where the formula comes from, and how it is computed."""
    returns: str
    """Range and limits of the result."""
    accuracy: str
    """The error for targets other than 0 and 1, if `max_ulp` does not hold for them."""
    examples: str
    """Doctest lines, in which `fastlogit` is ``fl``."""


FUNCTIONS: dict[str, Function] = {}


def unary(**line: Any) -> Unary:
    """Return a compiled function of one number; the arguments are those of `_define`."""
    function: Unary = _define(_unary, **line)
    return function


def binary(**line: Any) -> Binary:
    """Return a compiled function of two numbers; the arguments are those of `_define`."""
    function: Binary = _define(_binary, **line)
    return function


def _define(
    template: Callable[..., Any],
    *,
    float64: Callable[..., float],
    float32: Callable[..., float] | None = None,
    float32_arithmetic: bool = False,
    max_ulp: tuple[float, float] = (0.6, 0.55),
    returns: str,
    accuracy: str = "",
    examples: str,
) -> Any:
    """Return a compiled function that chooses between two precisions, and record it.

    Parameters
    ----------
    template : function
        `_unary` or `_binary`.
    float64 : compiled function
        It gives the name, the arguments, the summary and the derivation.
    float32 : compiled function, optional
        Takes and returns float64; its result is rounded to float32.  Default: `float64`.
    float32_arithmetic : bool
        Whether that function computes in float32, in between.
    max_ulp : (float, float)
        Largest error of a normal result, in float64 and in float32.
    returns, accuracy, examples : str
        As in `Function`.
    """
    code = float64.__wrapped__.__code__  # type: ignore[attr-defined]
    name, arguments = code.co_name, code.co_varnames[: code.co_argcount]
    returns, accuracy = inspect.cleandoc(returns), inspect.cleandoc(accuracy)
    summary, _, derivation = inspect.cleandoc(float64.__doc__ or "").partition("\n\n")
    function = specialised(
        template,
        name,
        arguments,
        __name__="fastlogit.kernels.functions",
        choose=jit.by_precision(float32 or float64, float64, rounded=True),
    )
    if float64.__doc__:  # python -OO strips docstrings
        parameters = "\n".join(_PARAMETERS[argument] for argument in arguments)
        function.__doc__ = _DOCSTRING.format(
            name=name,
            summary=summary,
            parameters=parameters,
            returns=textwrap.indent(returns, "    "),
        )
    kernel = jit.scalar(function)
    FUNCTIONS[name] = Function(
        name=name,
        arguments=arguments,
        kernel=kernel,
        float32_arithmetic=float32_arithmetic,
        max_ulp=dict(zip(("float64", "float32"), max_ulp, strict=True)),
        summary=summary,
        derivation=derivation,
        returns=returns,
        accuracy=accuracy,
        examples=inspect.cleandoc(examples),
    )
    return kernel


_PARAMETERS = {
    "z": "z : float64 or float32\n    Logit; other numbers are converted to float64.",
    "y": "y : float64 or float32\n    Probability; other numbers are converted to float64.",
    "t": "t : number\n    Target in [0, 1]; not checked.",
}
_DOCSTRING = """{summary}

Parameters
----------
{parameters}

Returns
-------
float64 or float32
{returns}
    NaN if an argument is NaN.  The result is float32 if the first argument is float32 and a target
    is float32, integer or bool.

Notes
-----
Raises nothing.  :func:`fastlogit.{name}` has the derivation and the accuracy."""


# Templates --------------------------------------------------------------------------------

choose: Any = None  # each copy of a template has its own


def _unary(z: float) -> float:
    result: float = choose(z)
    return result


def _binary(z: float, t: float) -> float:
    result: float = choose(z, t)
    return result


def specialised(
    template: Callable[..., Any], name: str, arguments: tuple[str, ...] = (), **constants: Any
) -> Any:
    """Copy a function with other names and other global constants.

    Numba's cache finds compiled code by file, line and name, so each copy needs its own name.  A
    closure would not do: Numba hashes its variables, and the hash of a compiled function differs
    between processes, so the cache would always miss.
    """
    code = renamed(template.__code__, name, arguments)
    made = FunctionType(code, template.__globals__ | constants, name)
    types = template.__annotations__.values()
    made.__annotations__ = dict(
        zip([*code.co_varnames[: code.co_argcount], "return"], types, strict=True)
    )
    return made


def renamed(code: CodeType, name: str, arguments: tuple[str, ...] = ()) -> CodeType:
    """Copy the code of a function, with other names for the function and its first arguments."""
    variables = arguments + code.co_varnames[len(arguments) :]
    return code.replace(co_name=name, co_qualname=name, co_varnames=variables)
