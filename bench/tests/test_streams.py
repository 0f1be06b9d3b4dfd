"""Rows of the files to train on, the best of several settings, and the tables of these figures."""

import math
import signal
import time
import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import cluster, files, plan, render, stream_peers, streams
from bench.files import LABEL, Files
from bench.stream_peers import Look
from fastlogit.training.partitions.checksums import ComparedPartitions, _Checksums

N = 5_000


def test_files_repeat_the_same_rows_and_are_made_once(tmp_path):
    few = Files(tmp_path, N)
    path = few.features(3)
    X, t = few.in_memory(few.features())
    table = pq.read_table(path)
    assert table.num_rows == 3 * N
    np.testing.assert_array_equal(table["x7"].to_numpy(), np.tile(X[:, 7], 3))
    np.testing.assert_array_equal(table[LABEL].to_numpy(), np.tile(t, 3))
    assert 0.15 < t.mean() < 0.45
    made = path.stat().st_mtime_ns
    assert few.features(3).stat().st_mtime_ns == made


def test_standardised_columns_and_coefficients(tmp_path):
    few = Files(tmp_path, N)
    X, t = few.in_memory(few.features())
    Z, same = few.in_memory(few.standardised())
    np.testing.assert_array_equal(t, same)
    np.testing.assert_allclose(Z.mean(axis=0, dtype=np.float64), 0.0, atol=1e-4)
    np.testing.assert_allclose(Z.std(axis=0, dtype=np.float64), 1.0, rtol=1e-4)
    coef = 1.0 / X.std(axis=0, dtype=np.float64)
    scaled, intercept = few.standardised_theta(coef, -1.0)
    expected = X.astype(np.float64) @ coef - 1.0
    np.testing.assert_allclose(Z @ scaled + intercept, expected, rtol=1e-4, atol=1e-3)


def test_a_disk_that_is_too_small(tmp_path):
    with pytest.raises(SystemExit, match=r"must have 1100000.0 GB free; it has"):
        files.must_have_space(tmp_path, 10**15)


def test_mean_loss():
    rows = files.Rows(np.array([[1.0], [2.0]], np.float32), np.array([1, 0], np.int8))
    expected = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(2.5))) / 2
    assert stream_peers.mean_loss(rows, [1.0], 0.5) == pytest.approx(expected, rel=1e-12)


def course(*looks):
    return lambda _: iter([Look(seconds, gap, 0.0) for seconds, gap in looks])


@pytest.mark.parametrize(
    ("courses", "expected"),
    [
        # The second gets there earlier; the third, which is late, does not count.
        (
            [[(1.0, 1e-3), (9.0, 1e-7)], [(2.0, 1e-4), (5.0, 1e-6)], [(6.0, 0.0)]],
            {"reached": True, "seconds": 5.0, "gap": 1e-6, "setting": "1"},
        ),
        # Nobody gets there within 10 seconds.
        (
            [[(1.0, 1e-3), (11.0, 0.0)], [(2.0, 1e-4), (5.0, 1e-2)], []],
            {"reached": False, "seconds": 10.0, "gap": 1e-4, "setting": "1"},
        ),
    ],
)
def test_best_setting(courses, expected):
    named = {str(number): course(*looks) for number, looks in enumerate(courses)}
    assert stream_peers.best_setting(named, lambda look: look.coef, 10.0) == expected


def test_settings_of_vowpal_wabbit_see_only_their_own_weights(tmp_path, monkeypatch):
    (tmp_path / "rows.cache").touch()
    passes = iter([3, 1])

    def train(*words, timeout):
        for number in range(next(passes)):
            (tmp_path / f"rows.model.{number}").touch()

    monkeypatch.setattr(stream_peers, "import_module", str)
    monkeypatch.setattr(stream_peers, "_vw_text", lambda _: tmp_path / "rows.vw")
    monkeypatch.setattr(stream_peers, "_vw", train)
    monkeypatch.setattr(stream_peers, "_vw_weights", lambda *_: ([0.0], 0.0))
    first, second, *_ = stream_peers.vowpal_wabbit(Files(tmp_path, N), 2).values()
    next(first(60.0))  # the search leaves it there
    assert len(list(second(60.0))) == 1


def test_a_fit_that_takes_too_long_ends():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match=r"not done in 0\.05 s"), cluster.at_most(0.05):
        time.sleep(5.0)
    with cluster.at_most(0.05):
        pass
    assert signal.getsignal(signal.SIGALRM) == before


def test_goals_of_streams_are_judged(capsys):
    streams.judged("{} more reads", -1, streams.MOST_MORE_READS)
    streams.judged("{:.2f} x as long", 1.3123, streams.MOST_TIMES)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "-1 more reads; goal: at most 2, reached",
        "1.31 x as long; goal: at most 1.3, not reached",
    ]


def contender(seconds, *, reached=True):
    return {"seconds": seconds, "reached": reached, "note": "1e-5 above the optimum after 60 s"}


def test_tables_of_streams_and_clusters():
    both = {"fastlogit": contender(2.0), "A": contender(30.0), "B": contender(60.0, reached=False)}
    fit = {"passes": 6, "seconds": 30.0, "peak_bytes": 5.21e8}
    large = {"rows": 10**8, "file_bytes": 1.21e10, "times_as_long": 1.2, "fastlogit": fit}
    text = render.streams({"large": large, "peers": {"rows": 10**7, "contenders": both}})
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    what = "100,000,000 rows, 12.1 GB, to a gradient norm of 1e-7"
    assert cells[0] == [what, "6 reads, 30 s", "pyarrow, each read", "1.20 x as long"]
    assert cells[1][1] == "peak memory 521 MB"
    assert cells[2][1:] == ["2 s", "A, 30 s", "0.067 x as long"]
    note = "B, not reached: 1e-5 above the optimum after 60 s"
    assert cells[3][1:] == ["", note, "less than 0.033 x as long"]
    arrays = {"rows": 20, "partitions": 4, "contenders": both}
    assert "persisted arrays, 20 rows, 4 partitions" in render.cluster({"arrays": arrays})


def test_sizes():
    sizes = [1_953, 175_059, 16.27e6, 2e9, 3.5e12, 4e15]
    assert [render.size(size) for size in sizes] == [
        "1.95 kB",
        "175 kB",
        "16.3 MB",
        "2 GB",
        "3.5 TB",
        "4 PB",
    ]


class Sum:
    def merge(self, several):
        assert 2 <= len(several) <= plan.FAN_IN + 1
        return sum(several)


def test_the_simulated_tree():
    row = plan.simulate(Sum(), 1, 1000)
    assert row["depth"] == 4
    assert row["merges"] == pytest.approx(1000 / 7, abs=3)
    assert row["partitions"] == 1000


def test_the_recorded_passes_and_their_costs():
    case = plan.Case(1e6, 5, 10, 1_000)
    seen = plan.recorded(case)
    assert set(seen) >= {plan.FIRST, *plan.SUMS}
    sums = {plan.title(kind, case): plan.simulate(*seen[kind], 64) for kind in plan.SUMS}
    costs = plan.costs(case, seen[plan.FIRST], sums, 1_000.0)
    assert costs["read_bytes"] == 21e6
    assert costs["scheduler_seconds"] == pytest.approx(8 / 7)
    assert costs["gradient_bytes"] < costs["hessian_bytes"]
    assert costs["checksum_bytes"] == 24 * 1_000 * 4


def test_the_memory_of_the_client_while_it_compares_two_reads():
    many = 10_000
    first, now = (
        _Checksums(np.arange(many), np.ones(many, np.int64), np.ones(many, np.uint64))
        for _ in range(2)
    )
    tracemalloc.start()
    ComparedPartitions._must_agree(None, first, now)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plan.COPIES - 2 < 2 + peak / (24 * many) < plan.COPIES
