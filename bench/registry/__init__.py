"""Every function that is measured, and every library that implements it.

Tests, accuracy, speed, instruction counts and regressions all read `FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

import fastlogit as fl
from bench.data import COLUMNS, argument
from bench.registry import peers
from bench.registry.library import ELEMENTWISE, LONG, PASSES, SUMS, Array, Implementation, Library
from tests.references import formulas

FASTLOGIT = "fastlogit"
NAIVE, STABLE, TUNED = "numpy-naive", "numpy-stable", "numpy-tuned"
_FASTLOGIT = Library(
    {name: attrgetter(name)(fl) for name in ELEMENTWISE | SUMS | PASSES},
    writing=frozenset(LONG),
    options=lambda threads: {"threads": threads},
)


def _numpy(functions: dict[str, Implementation], *twins: str, writes: bool = False) -> Library:
    """One way to write the formulas; `twins` are passes that another way has too."""
    names = ("sigmoid", "sigmoid_derivative", "log_loss", "log_loss_gradient")
    basic = (functions[name] for name in names)
    passes = formulas.passes(*basic, np.append, formulas.filled(np.empty))
    return Library(
        functions | {name: each for name, each in passes.items() if name not in twins},
        source="https://numpy.org/doc/stable/user/basics.ufuncs.html",
        writing=frozenset(functions) - {"log_loss"} if writes else frozenset(),
        context=lambda: np.errstate(all="ignore"),  # the naive formulas overflow
        threaded=False,
    )


LIBRARIES: dict[str, Library] = {
    FASTLOGIT: _FASTLOGIT,
    NAIVE: _numpy(formulas.NAIVE, "linear.decision", "linear.log_loss_gradient_hessian"),
    STABLE: _numpy(formulas.STABLE),
    TUNED: _numpy(formulas.TUNED, "linear.decision", writes=True),
    **peers.installed(),
}


class Function(NamedTuple):
    """A function, its arguments (see `bench.data`) and its implementations by library."""

    name: str
    arguments: tuple[str, ...]
    implementations: dict[str, Implementation]

    def bind(
        self,
        library: str,
        n: int,
        dtype: str = "float64",
        threads: int | None = None,
        *,
        out: bool = False,
    ) -> Callable[[], Any]:
        """One implementation bound to arguments of length n, with a given result array if `out`."""
        args = [argument(name, n, dtype) for name in self.arguments]
        return self.ready(library, args, threads, np.empty(n, dtype) if out else None)

    def ready(
        self,
        library: str,
        args: Sequence[Array],
        threads: int | None = None,
        out: Array | None = None,
    ) -> Callable[[], Any]:
        """The same with given NumPy arrays."""
        one = LIBRARIES[library]
        options = one.options(threads)
        if out is not None and self.name in one.writing:
            options["out"] = one.place(one.convert(out))
        return partial(self.implementations[library], *map(one.convert, args), **options)

    def compute(self, library: str, *args: Array) -> Array:
        """Result for NumPy arrays on one thread, as a NumPy array."""
        return np.asarray(self.ready(library, args, 1)())

    def elements(self, n: int) -> int:
        """Length of the longest argument."""
        return n * COLUMNS if "X" in self.arguments else n

    def bytes_moved(self, n: int, dtype: str) -> int:
        """Bytes of the arguments and results of length n, each counted once."""
        widths = {"X": COLUMNS, "coef": 0, "direction": 0}
        width = sum(widths.get(name, 1) for name in self.arguments) + (self.name in LONG)
        return width * n * np.dtype(dtype).itemsize


def _functions() -> dict[str, Function]:
    found = {}
    for name, arguments in (ELEMENTWISE | SUMS | PASSES).items():
        implementations = {
            library: each.functions[name]
            for library, each in LIBRARIES.items()
            if name in each.functions
        }
        found[name] = Function(name, tuple(arguments.split()), implementations)
    return found


FUNCTIONS = _functions()


def cases(names: Iterable[str]) -> list[tuple[str, str]]:
    """Each of some functions with each library that implements it."""
    return [(name, library) for name in names for library in FUNCTIONS[name].implementations]


def thread_counts(name: str, library: str) -> tuple[int | None, ...]:
    """One thread and all (None); only one for a library that has a single thread.

    In a pass everyone may use several, through BLAS.
    """
    return (1, None) if LIBRARIES[library].threaded or name in PASSES else (1,)


def parts(result: Any) -> list[Any]:
    """The parts of a result, or the result itself."""
    return list(result) if isinstance(result, tuple) else [result]
