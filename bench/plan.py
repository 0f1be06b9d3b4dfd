"""``python -m bench plan``: what a pass over very many rows costs, from tasks of small ones.

A fit of a few thousand rows gives the tasks and results of real passes.  From their pickled sizes
follow the bytes that travel; a result does not grow with the rows that it sums.  The merge tree
runs with as many copies of a result as a cluster would send, each unpickled when it arrives.
Dask's scheduler runs a smaller tree, of numbers.
"""

from __future__ import annotations

import math
import pickle
import time
import tracemalloc
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bench import machine, render, results
from bench.commands import count
from bench.render import Row
from fastlogit import partitions
from fastlogit.dask.partitions import DaskPartitions
from fastlogit.training.partitions.contract import FAN_IN

# Rows of the small fits; partitions of the simulation, and most bytes that it merges.
FEW_ROWS, PARTITIONS, MOST_BYTES = 4_000, 100_000, 20e9
FIRST, *SUMS = "first read", "gradient", "gradient and hessian"
# Copies of the checksums of all partitions that the client has while it compares two reads.
COPIES = 9
# Tasks that Dask's scheduler runs to find its speed.
TASKS = 4_096


class Case(NamedTuple):
    """A large problem: float32, two classes."""

    rows: float
    columns: int
    workers: int
    partitions: int


CASES = {
    "10⁹ x 100 on 16 workers": Case(1e9, 100, 16, 1_000),
    "10¹² x 1,000 on 1,000 workers": Case(1e12, 1_000, 1_000, 100_000),
}


class Recorded(partitions.Partitions):
    """One partition of many, which keeps the task and the result of each kind of pass."""

    sample_bytes = DaskPartitions.sample_bytes

    def __init__(self, batch: Any, number: int) -> None:
        self.header = partitions.header("rows", batch.schema)
        self.batch, self.number = batch, number
        self.seen = dict[str, tuple[Any, Any]]()

    def count(self, _: Any) -> int:
        return self.number

    def run(self, task: Any, wanted: Any) -> Any:
        result = partitions.compute(task, wanted, self.header, 0, [self.batch])
        self.seen[task.name] = task, result
        return result


def recorded(case: Case) -> dict[str, tuple[Any, Any]]:
    """The tasks and results of a small fit, by the kind of the pass."""
    import pyarrow as pa

    rng = np.random.default_rng(case.columns)
    X = rng.standard_normal((FEW_ROWS, case.columns), np.float32)
    batch = {f"x{j}": x for j, x in enumerate(X.T.copy())}
    t = (X[:, 0] > X[:, 1]).astype(np.int8)
    source = Recorded(pa.record_batch(batch | {"t": t}), case.partitions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few passes do not converge
        for solver in ("newton", "lbfgs"):
            partitions.fit(source, "t", solver=solver, max_passes=4)
    return source.seen


def simulate(task: Any, result: Any, number: int) -> Row:
    """Merge this number of copies of a result, as they arrive."""
    message, spent = pickle.dumps(result, 5), [0.0, 0]

    class Timed:
        def merge(self, several: Sequence[Any]) -> Any:
            start = time.perf_counter()
            together = task.merge(several)
            spent[0] += time.perf_counter() - start
            spent[1] += 1
            return together

    tracemalloc.start()
    partitions.merged(Timed(), (pickle.loads(message) for _ in range(number)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "task_bytes": len(pickle.dumps(task, 5)),
        "result_bytes": len(message),
        "partitions": number,
        "depth": depth(number),
        "merges": spent[1],
        "merge_seconds": spent[0] / spent[1],
        "peak_bytes": peak,
    }


def tasks_per_second() -> float:
    """Tasks of a merge tree that Dask's scheduler runs on two workers, in a second."""
    import dask
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(processes=True, **options) as made, Client(made):
        seconds = []
        for attempt in range(3):
            level = [dask.delayed(abs)(attempt + j, pure=False) for j in range(TASKS)]
            number = len(level)
            while len(level) > 1:
                groups = [level[j : j + FAN_IN] for j in range(0, len(level), FAN_IN)]
                level = [dask.delayed(sum)(group) for group in groups]
                number += len(level)
            start = time.perf_counter()
            dask.compute(level[0])
            seconds.append(time.perf_counter() - start)
    return number / min(seconds)


def costs(case: Case, first: tuple[Any, Any], sums: dict[str, Row], speed: float) -> Row:
    """Bytes, tasks and seconds of a pass; `first` has the task and the result of the first read."""
    survey, result = first
    gradient, hessian = (sums[title(kind, case)] for kind in SUMS)
    rows, width = case.rows / case.partitions, case.columns + 1
    merges = case.partitions / (FAN_IN - 1)
    # Merged results have the checksums of each of their partitions.
    checksums = case.partitions * sum(column.itemsize for column in result.checksums)
    return {
        "read_bytes": case.rows * (4 * case.columns + 1),
        "partition_bytes": rows * 4 * case.columns,
        "out_bytes": case.workers * gradient["task_bytes"],
        "gradient_bytes": case.partitions * gradient["result_bytes"],
        "hessian_bytes": case.partitions * hessian["result_bytes"],
        "checksum_bytes": checksums * depth(case.partitions),
        "first_bytes": case.partitions * min(rows, survey.task.most) * 4 * width,
        "sample_rows": survey.task.size,
        "client_bytes": 4 * survey.task.size * width + 4 * 8 * width**2 + COPIES * checksums,
        "merging_seconds": merges * hessian["merge_seconds"] / case.workers,
        "scheduler_seconds": (case.partitions + merges) / speed,
    }


def depth(number: int) -> int:
    """Levels of the tree that merges this number of results."""
    return math.ceil(math.log(number, FAN_IN))


def title(kind: str, case: Case) -> str:
    """The name of a simulation."""
    return f"{kind}, d = {case.columns:,}"


def main(arguments: Sequence[str] = ()) -> None:
    """Simulate the merge tree, and print the costs of large problems."""
    command = results.parser("plan")
    command.add_argument(
        "--partitions", type=count, default=PARTITIONS, help="of the tree; default: %(default)s"
    )
    options = command.parse_args(arguments)
    here = machine.describe("pyarrow", "dask", "distributed")
    print(f"{render.machine(here)}\n")
    sums: dict[str, Row] = {}
    surveys = {}
    for name, case in CASES.items():
        seen = recorded(case)
        surveys[name] = seen[FIRST]
        for kind in SUMS:
            task, result = seen[kind]
            number = min(options.partitions, int(MOST_BYTES / len(pickle.dumps(result, 5))))
            sums[title(kind, case)] = simulate(task, result, number)
    speed = tasks_per_second()
    large = {name: costs(case, surveys[name], sums, speed) for name, case in CASES.items()}
    results.finish("plan", arguments, here, sums | large | {"scheduler": {"tasks": speed}})
