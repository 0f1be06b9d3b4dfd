"""Partitions of Dask collections: tasks read them where they are, and merge results in a tree."""

from __future__ import annotations

import math
import operator
import pickle
import warnings
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from cloudpickle import dumps
from dask.base import get_scheduler
from dask.core import get_dependencies
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.multiprocessing import RemoteException

from fastlogit.core import checks
from fastlogit.partitions import partition_batches
from fastlogit.tables.array import array_dtypes
from fastlogit.tables.dask_frame import open_dask_frame, partition_to_arrow
from fastlogit.tables.errors import errors_naming
from fastlogit.tables.table import Batch, Table
from fastlogit.training import targets
from fastlogit.training.partitions.contract import (
    FAN_IN,
    Partitions,
    as_header,
    merge_present,
    merged,
    nothing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from fastlogit.tables.table import Wanted
from fastlogit.training.partitions.contract import R, Task

# How messages name the data.
NAME = "X"


class DaskPartitions(Partitions):
    """Partitions of Dask collections, read by the tasks of a graph.

    Parameters
    ----------
    header : Table
        The columns.
    choose : function of a tuple of int
        Returns collections with the columns at these positions, whose partitions go together, and
        the same optimized.
    batches : function of (Table, tuple of partitions, number, Wanted)
        Yields the batches of the partitions with a number, one of each collection.
    """

    # Each partition sends its share.
    sample_bytes = 1 << 23

    def __init__(
        self,
        header: Table,
        choose: Callable[[tuple[int, ...]], tuple[Sequence[Any], Sequence[Any]]],
        batches: Callable[[Table, Any, int, Wanted], Iterable[Batch]],
    ) -> None:
        self.header, self._batches = header, batches
        self._located = cache(lambda columns: _locate(*choose(columns)))
        self._passes = 0

    def count(self, wanted: Wanted) -> int:
        """The number of partitions."""
        return len(self._located(tuple(wanted.columns)).keys)

    def run(self, task: Task[R], wanted: Wanted) -> R | None:
        """The result of a task for all partitions in order; None if there are none."""
        self._passes += 1
        # Dashboards show a name up to its first hyphen before a digit.  The rest makes keys unique:
        # schedulers take equal keys, of two fits, for one task.
        name = f"fastlogit_pass_{self._passes}-{uuid4().hex}"
        located = self._located(tuple(wanted.columns))
        results: list[tuple[Any, ...]] = [(name, number) for number in range(len(located.keys))]
        function = partial(_read_or_merge, self._batches, self.header, task, wanted)
        node = _first_node(f"{name}-task", function)
        graph = dict(located.graph)
        for key, keys in zip(results, located.keys, strict=True):
            graph[key] = (operator.call, node.key, keys, key[1])
        level = 0
        while len(results) > 1:
            level += 1
            groups = [results[i : i + FAN_IN] for i in range(0, len(results), FAN_IN)]
            results = [(f"fastlogit_merge-{name}", level, place) for place in range(len(groups))]
            graph |= {
                key: (operator.call, node.key, group)
                for key, group in zip(results, groups, strict=True)
            }
        if not results:
            return None
        whole = HighLevelGraph.from_collections(name, graph, [*located.collections, node])
        with _clear_errors(whole, name, located.keys):
            (result,) = dask.compute(Delayed(results[0], whole, layer=name))
        return result  # type: ignore[no-any-return]


class _Located(NamedTuple):
    """Collections whose partitions go together, and the keys of each of these."""

    collections: Sequence[Any]
    keys: list[list[Any]]
    # Nodes of the graph besides those of the collections.
    graph: dict[Any, Any]


def _locate(collections: Sequence[Any], optimized: Sequence[Any]) -> _Located:
    each = [
        # An array of whole rows has a list of one key.
        [key[0] if isinstance(key, list) else key for key in collection.__dask_keys__()]
        for collection in optimized
    ]
    # Optimized graphs lack the futures of persisted partitions.
    futures: dict[Any, Any] = {}
    for keys, before, after in zip(each, collections, optimized, strict=True):
        lost = set(keys) - after.__dask_graph__().keys()
        futures |= {key: before.__dask_graph__()[key] for key in lost}
    return _Located(optimized, list(map(list, zip(*each, strict=True))), futures)


def _first_node(name: str, function: Any) -> Delayed:
    """A node of a graph that holds a function.

    In its own node θ is sent once, and not with each partition.  All other nodes name only the
    standard library: a worker without this package could not even receive them.  The node comes
    before all others.  Otherwise it could wait on a worker that a partition ends, and be blamed.
    """
    with dask.annotate(priority=dask.get_annotations().get("priority", 0) + 1):
        graph = HighLevelGraph.from_collections(name, {name: (pickle.loads, dumps(function))}, [])
    return Delayed(name, graph)


def _read_or_merge(
    batches: Callable[[Table, Any, int, Wanted], Iterable[Batch]],
    header: Table,
    task: Task[R],
    wanted: Wanted,
    given: list[Any],
    number: int | None = None,
) -> R | None:
    """The result of partitions with a number, or of several results; None if no row counts."""
    if number is not None:
        return merged(task, map(task.of_batch, batches(header, given, number, wanted)))
    return merge_present(task, given)


# Errors ------------------------------------------------------------------------------------


def _must_be_synchronous() -> None:
    """Raise a RuntimeError if the client returns coroutines in place of results."""
    try:
        client = getattr(get_scheduler(), "__self__", None)
    except RuntimeError as error:  # Dask's own check, since 2025
        client = error
    if isinstance(client, RuntimeError) or getattr(client, "asynchronous", False):
        raise RuntimeError(
            "the client of Dask must be synchronous here; with an asynchronous one, call this in a "
            "thread: await asyncio.to_thread(...)"
        )


@contextmanager
def _clear_errors(graph: Mapping[Any, Any], name: str, keys: list[list[Any]]) -> Iterator[None]:
    """Turn errors of a scheduler into some that name the partition or the remedy."""
    try:
        yield
    except Exception as error:
        clear: Exception | None = None
        if type(error).__name__ == "KilledWorker":
            clear = _killed(error, graph, name, keys)
        elif isinstance(error, ImportError) and (error.name or "").split(".")[0] == "fastlogit":
            clear = RuntimeError("a worker has no fastlogit: install the same version there")
        elif isinstance(error, RemoteException):  # its message has a traceback
            clear = error.exception
        if clear is None:
            raise
        raise clear from error


def _killed(error: Any, graph: Mapping[Any, Any], name: str, keys: list[list[Any]]) -> RuntimeError:
    """The error for a task that was on each worker that ended."""
    graph = dict(graph)
    found = [
        number
        for number, several in enumerate(keys)
        if error.task in _ancestors(graph, [(name, number), *several])
    ]
    what = f"partition {found[0]}" if len(found) == 1 else f"the task {error.task!r}"
    return RuntimeError(
        f"{NAME}: {error.allowed_failures + 1} workers ended while they had {what} to read: it, or "
        "what they read beside it, may need more memory than a worker has"
    )


def _ancestors(graph: dict[Any, Any], keys: Iterable[Any]) -> set[Any]:
    """These keys, and those that they depend on."""
    found, waiting = set[Any](), list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found and key in graph:
            found.add(key)
            waiting += get_dependencies(graph, key)
    return found


# Data frames -------------------------------------------------------------------------------


def frame_partitions(frame: Any, t: Any = None, *, keep_nan: bool = False) -> DaskPartitions:
    """The partitions of a data frame; `t` must be None.  `keep_nan` as for `partition_to_arrow`."""
    _must_be_synchronous()
    if t is not None:
        raise TypeError("t must not be given for a data frame, whose target is the column label")

    def choose(columns: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
        chosen = frame[[frame.columns[column] for column in columns]]
        return [chosen], [chosen.optimize()]

    header = as_header(open_dask_frame(NAME, frame))
    return DaskPartitions(header, choose, partial(_frame_batches, keep_nan))


def _frame_batches(
    keep_nan: bool, header: Table, partitions: Sequence[Any], number: int, wanted: Wanted
) -> Iterator[Batch]:
    return frame_batches(header, partitions[0], number, wanted, keep_nan=keep_nan)


def frame_batches(
    header: Table, partition: Any, number: int, wanted: Wanted, *, keep_nan: bool = False
) -> Iterator[Batch]:
    """The batches of a partition, a data frame of pandas that may have further columns."""
    place = f"{header.name}, partition {number}"
    names = [header.schema.names[column] for column in wanted.columns]
    own = {str(name): name for name in partition.columns}  # pandas' names may be numbers
    for name in names:
        if name not in own:
            raise ValueError(f"{place}: has no column {checks.shown(name)}")
    with errors_naming(place):
        chosen = partition[[own[name] for name in names]]
        rows = partition_to_arrow(chosen, header.schema, keep_nan=keep_nan)
    yield from partition_batches(header, number, rows.to_batches(), wanted)


# Arrays -----------------------------------------------------------------------------------


def array_partitions(
    X: Any, t: Any, label: Any = None, *, soft: bool = False, **others: Any
) -> DaskPartitions:
    """The partitions of an array X (n, d) with targets t, and perhaps weight and offset.

    `label` must be None; `soft` says whether t may be probabilities of K classes, (n, K).
    """
    _must_be_synchronous()
    if not isinstance(X, da.Array):
        raise TypeError(f"{NAME} must be a Dask array or data frame; got {type(X).__name__}")
    if t is None:
        raise TypeError("t must be given for an array")
    if label is not None:
        raise TypeError("label must not be given for an array, whose target is t")
    if X.ndim != 2:
        raise ValueError(f"X must have 2 axes; got shape {X.shape}")
    if math.isnan(X.shape[1]) or X.shape[1] == 0:
        raise ValueError(f"X must have a known number of columns, at least 1; got {X.shape[1]}")
    checks.real_array(np.zeros((1, 1), X.dtype), "X", 2)  # checks the dtype
    X = X.rechunk({1: -1})
    axes = 2 if soft and np.ndim(t) == 2 else 1
    columns = {"t": _in_place(t, aligned(t, "t", X, axes, real=axes == 2))}
    if axes == 2 and (columns["t"].shape[1] < 2 or hasattr(t, "columns")):
        raise ValueError(
            "t must have one axis, or be an array with the probabilities of two or more classes; "
            f"got {type(t).__name__} of shape {columns['t'].shape}"
        )
    for name, given in others.items():
        if given is not None:
            axes = 2 if np.ndim(given) == 2 and name == "offset" else 1
            columns[name] = _in_place(given, aligned(given, name, X, axes, real=True))
    dtypes, kind = array_dtypes(X.dtype, X.shape[1]), columns["t"].dtype.kind
    if kind not in "buifOUT":
        raise TypeError(f"t must hold numbers or strings; got dtype {columns['t'].dtype}")
    header = Table(NAME, None, dtypes, None, (), nothing, has_labels=True, label_kind=kind)
    arrays = (X, *columns.values())
    batches = partial(_array_batches, tuple(columns))
    return DaskPartitions(header, lambda _: (arrays, dask.optimize(*arrays)), batches)


def aligned(given: Any, name: str, X: da.Array, axes: int, *, real: bool = False) -> da.Array:
    """An array with a row for each row of X, chunked like the rows of X.

    `real` says whether it must hold real numbers.
    """
    if hasattr(given, "to_dask_array"):  # a series
        with warnings.catch_warnings():  # that pandas' own types become objects
            warnings.simplefilter("ignore", UserWarning)
            given = given.to_dask_array()
    if isinstance(given, da.Array):
        if real:
            checks.real_array(np.zeros((1,) * given.ndim, given.dtype), name, axes)
    else:
        array = checks.real_array(given, name, axes) if real else unmasked(given, name)
        given = da.from_array(array, chunks=-1)
    if given.ndim != axes:
        raise ValueError(f"{name} must have one axis; got shape {given.shape}")
    rows, known = X.shape[0], not (math.isnan(X.shape[0]) or math.isnan(given.shape[0]))
    if known and given.shape[0] == rows:
        given = given.rechunk({0: X.chunks[0]})
    elif known or given.numblocks[0] != X.numblocks[0]:
        raise ValueError(
            f"{name} must have one element for each row of X, {rows}, and the chunks of X if that "
            f"is not known; got shape {given.shape} in {given.numblocks[0]} chunks"
        )
    return given.rechunk({1: -1}) if axes == 2 else given


def unmasked(given: Any, name: str) -> NDArray[Any]:
    """An array without masked elements."""
    if np.ma.is_masked(given):
        raise ValueError(f"{name} must have no masked elements; got {np.ma.getmask(given).sum()}")
    return np.asarray(given)


def _in_place(given: Any, rows: da.Array) -> da.Array:
    """Rows that were given in memory, sent to the scheduler once and not in each pass."""
    return rows if dask.is_dask_collection(given) else rows.persist()


def _array_batches(
    names: tuple[str, ...],
    header: Table,
    partitions: Sequence[Any],
    number: int,
    _: Wanted,
) -> Iterator[Batch]:
    """The only batch of a partition: blocks of X and of the columns with these names."""
    X, place = partitions[0], f"{header.name}, partition {number}"
    with errors_naming(place):
        X = X.tocsr() if hasattr(X, "tocsr") else unmasked(X, "X")
        given = zip(names, partitions[1:], strict=True)
        columns = {name: unmasked(one, name) for name, one in given}
    for name, one in columns.items():
        if len(one) != X.shape[0]:
            raise ValueError(f"{place}: {name} must have {X.shape[0]} rows, as X; got {len(one)}")
    if X.shape[1] != len(header.dtypes):
        raise ValueError(f"{place}: X must have {len(header.dtypes)} columns; got {X.shape[1]}")
    if X.shape[0] == 0:  # a filter may leave no rows
        return
    with errors_naming(place):
        t = columns.pop("t")
        t = _labels(t) if t.ndim == 1 else _probabilities(t)
    numbers = {name: np.asarray(one, np.float64) for name, one in columns.items()}
    for name, one in numbers.items():
        least, rule = (0.0, " and not negative") if name == "weight" else (-math.inf, "")
        wrong = ~(np.isfinite(one) & (one >= least))
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            raise ValueError(f"{place}: {name} must be finite{rule}; got {one[row]} in row {row}")
    weight, offset = numbers.get("weight"), numbers.get("offset")
    yield Batch(X, place, 0, t, weight=weight, offset=offset, number=number)


def _probabilities(t: NDArray[Any]) -> NDArray[np.float64]:
    """Rows of probabilities, or rows with a NaN."""
    present = t[~np.isnan(t).any(axis=1)]
    checks.class_targets(present, present.shape)
    return t.astype(np.float64)


def _labels(t: NDArray[Any]) -> Any:
    """Numbers as they are; texts and booleans as an Arrow array, with nulls for missing labels."""
    if t.dtype.kind in "buif":
        return t
    import pyarrow as pa

    absent = targets.missing(t)
    labels = [None if gone else one for one, gone in zip(t.tolist(), absent, strict=True)]
    kinds = {type(one) for one in labels if one is not None}
    if all(issubclass(kind, str) for kind in kinds):
        return pa.array(labels, pa.string())
    if kinds == {bool}:
        return pa.array(labels, pa.bool_())
    if all(issubclass(kind, bool | int | float | np.number) for kind in kinds):
        return np.array([np.nan if one is None else one for one in labels])
    wrong = next(one for one in labels if not isinstance(one, str | None))
    raise TypeError(f"t must hold real numbers, or strings alone; got {checks.shown(wrong)}")
