"""Training on a cluster of processes: the same bits whatever happens to its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import fastlogit as fl
import fastlogit.dask

# Processes and threads of a cluster end when they like.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PARTS, ROWS, D = 10, 120, 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(PARTS * ROWS, D))
T = (RNG.random(len(X)) < fl.sigmoid(X @ [1.0, -0.5, 0.2])).astype(np.int64)


@pytest.fixture(scope="module")
def cluster():
    """Two processes, and a client."""
    # The tests kill: two lost workers are enough to give up.
    settings = {"distributed.scheduler.allowed-failures": 1, "distributed.nanny.environ": {}}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield cluster, client


@pytest.fixture(scope="module")
def undisturbed():
    with dask.config.set(scheduler="synchronous"):
        return fastlogit.dask.fit(da.from_array(X, chunks=(ROWS, D)), T)


def same_bits(model, other):
    return model.coef.tobytes() == other.coef.tobytes() and model.intercept == other.intercept


def blocks(before=lambda number: None):
    """X, whose partitions call a function in their worker each time that they are read."""
    # Nested functions are sent whole; workers need not import this file.
    whole, rows = X, ROWS

    def load(number):
        before(number)
        return whole[number * rows : (number + 1) * rows]

    loads = [dask.delayed(load, pure=False)(number) for number in range(PARTS)]
    return da.concatenate([da.from_delayed(one, (ROWS, D), X.dtype) for one in loads])


def test_any_order_of_completion_and_the_names_on_dashboards(cluster, undisturbed):
    def wait(number):
        import random
        import time

        time.sleep(random.random() / 100)

    _, client = cluster
    with client.as_current():
        slow = blocks(wait)
        assert same_bits(fastlogit.dask.fit(slow, T), undisturbed)
        assert same_bits(fastlogit.dask.fit(slow.persist(), T), undisturbed)
    names = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"fastlogit_pass_1", "fastlogit_pass_2", "fastlogit_merge"} <= names


def test_a_worker_that_is_killed_in_the_second_pass(cluster, undisturbed, tmp_path):
    _, client = cluster
    folder = tmp_path

    def kill_once(number):
        import os
        import signal

        reads, killed = folder / str(number), folder / "killed"
        with reads.open("a") as file:
            file.write("+")
        if number == 7 and reads.stat().st_size == 2 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    with client.as_current():
        assert same_bits(fastlogit.dask.fit(blocks(kill_once), T), undisturbed)
    assert (tmp_path / "killed").exists()
    client.wait_for_workers(2)


def test_workers_that_come_and_go(cluster, undisturbed):
    local, client = cluster
    changes = [
        lambda: client.retire_workers(list(client.scheduler_info()["workers"])[:1]),
        lambda: local.scale(3),
        lambda: local.scale(1),
        lambda: local.scale(2),
    ]

    def change(progress):
        if changes:
            changes.pop(0)()

    with client.as_current():
        frame = dd.from_pandas(pd.DataFrame(X, columns=list("abc")).assign(t=T), npartitions=PARTS)
        model = fastlogit.dask.fit(blocks().persist(), T, callback=change)
        assert same_bits(model, undisturbed)
        expected = fastlogit.dask.fit(frame, label="t")
        assert same_bits(fastlogit.dask.fit(frame.persist(), label="t"), expected)
    assert not changes
    local.scale(2)
    client.wait_for_workers(2)


def test_an_adaptive_cluster_that_begins_without_workers(undisturbed):
    def wait(number):
        import time

        time.sleep(0.02)

    with (
        LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as local,
        Client(local),
    ):
        local.adapt(minimum=0, maximum=2, interval="50ms", target_duration="50ms")
        assert same_bits(fastlogit.dask.fit(blocks(wait), T), undisturbed)


def test_annotations_of_tasks_are_obeyed(cluster, undisturbed):
    _, client = cluster
    _, second = sorted(client.scheduler_info()["workers"])

    with client.as_current():
        with dask.annotate(workers=[second], retries=1, priority=3):
            rows = blocks().persist()
            assert same_bits(fastlogit.dask.fit(rows, T), undisturbed)
        assert {place for key in client.who_has(rows).values() for place in key} == {second}
        assert same_bits(fastlogit.dask.fit(rows, T), undisturbed)


def test_a_partition_that_always_kills_its_worker(cluster, tmp_path):
    _, client = cluster
    folder, others = tmp_path, PARTS - 1

    def kill(number):
        import os
        import signal
        import time

        if number != others:
            (folder / str(number)).touch()
            return
        # The scheduler suspects all partitions that a lost worker still had to read, so no other
        # may wait when a worker is lost for the first time.
        for _ in range(200):
            if len(list(folder.iterdir())) == others:
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        client.as_current(),
        pytest.raises(
            RuntimeError, match=r"^X: 2 workers ended while they had partition 9 to read"
        ),
    ):
        fastlogit.dask.fit(blocks(kill), T)
    client.wait_for_workers(2)


def test_a_worker_without_the_package():
    absent = {"distributed.worker.preload": ["import sys; sys.modules['fastlogit'] = None"]}
    with (
        dask.config.set(absent),
        LocalCluster(n_workers=1, processes=True, dashboard_address=":0") as lone,
        Client(lone),
        pytest.raises(RuntimeError, match="a worker has no fastlogit"),
    ):
        fastlogit.dask.fit(da.from_array(X, chunks=(ROWS, D)), T)


# Each partition takes half a second once the file "slow" exists, which is after the second point.
INTERRUPTED = """
import sys
from pathlib import Path
import dask.array as da, numpy as np
from distributed import Client
import fastlogit.dask

slow = Path("slow").absolute()

def wait(block):
    import time
    if block.size and slow.exists():
        time.sleep(0.5)
    return block

def touch(progress):
    if progress.passes > 2:
        slow.touch()

if __name__ == "__main__":
    rows = np.load("rows.npy")
    with Client(sys.argv[1]):
        X = da.from_array(rows[:, :-1], chunks=(30, 3)).map_blocks(wait)
        try:
            fastlogit.dask.fit(X, rows[:, -1], callback=touch, checkpoint="run.ckpt")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


def test_ctrl_c_in_a_pass(cluster, tmp_path):
    local, client = cluster
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    np.save(tmp_path / "rows.npy", np.column_stack([X, T]))

    def processing():
        return client.run_on_scheduler(
            lambda dask_scheduler: sum(
                task.state == "processing" and task.prefix.name.startswith("fastlogit_pass")
                for task in dask_scheduler.tasks.values()
            )
        )

    with subprocess.Popen(
        [sys.executable, str(script), local.scheduler_address],
        env=os.environ | {"PYTHONPATH": str(Path(fl.__file__).parents[1])},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not ((tmp_path / "slow").exists() and processing()):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.perf_counter()
        assert process.stdout.readline() == "interrupted\n"
        assert time.perf_counter() - began < 1.0  # a pass takes 10 seconds
        while processing():  # tasks that were running end by themselves
            time.sleep(0.05)
        assert time.perf_counter() - began < 4.0
    assert (tmp_path / "run.ckpt").stat().st_size > 1000
    rows = da.from_array(X, chunks=(30, D))
    with dask.config.set(scheduler="synchronous"):
        resumed = fastlogit.dask.fit(rows, T, checkpoint=tmp_path / "run.ckpt", resume=True)
        assert same_bits(resumed, fastlogit.dask.fit(rows, T))


def test_an_asynchronous_client_is_an_error_with_the_remedy():
    rows = da.from_array(X, chunks=(ROWS, D))
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abc")).assign(t=T), npartitions=2)

    async def train():
        async with (
            LocalCluster(
                n_workers=1, processes=False, asynchronous=True, dashboard_address=":0"
            ) as local,
            Client(local, asynchronous=True),
        ):
            for given in ({"X": rows, "t": T}, {"X": frame, "label": "t"}):
                with pytest.raises(RuntimeError, match=r"asyncio\.to_thread"):
                    fastlogit.dask.fit(**given)
            return await asyncio.to_thread(fastlogit.dask.fit, rows, T)

    with dask.config.set(scheduler="synchronous"):
        expected = fastlogit.dask.fit(rows, T)
    assert same_bits(asyncio.run(train()), expected)
