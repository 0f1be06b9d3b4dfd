"""Settings of Hypothesis and the garbage collector; tables that the tests of scoring share."""

import gc
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

import fastlogit as fl
from fastlogit.cli import main

# After the installed packages, so that tests use the installed fastlogit.
sys.path.append(str(Path(__file__).parents[1]))

from tests.scoring_data import N, write_long

# Background jobs of a shell ignore Ctrl-C, and processes inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With fewer collections tests of pictures take 24 % less time.
gc.set_threshold(10_000, 20, 100)

settings.register_profile("fastlogit", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("fastlogit")


def pytest_configure(config):
    # Files in their order: pytest-xdist would end with those of the fewest tests, and the slowest
    # test is alone in its file.
    config.option.loadscopereorder = False


@pytest.fixture
def table():
    rng = np.random.default_rng(7)
    return pa.table(
        {
            "age": rng.integers(-100, 100, N).astype(np.int8),
            "income": rng.normal(size=N),
            # Sixteenths: float32 numbers whose text gives the same float64.
            "score": (rng.integers(-50, 50, N) / 16).astype(np.float32),
            "visits": rng.integers(0, 2**40, N),
        }
    )


@pytest.fixture
def model(table):
    return fl.LogisticModel([0.02, -1.5, 2.5, 1e-12], 0.3, tuple(table.column_names))


@pytest.fixture
def expected(table, model):
    return fl.linear.probability(table, model.coef, model.intercept)


@pytest.fixture(scope="session")
def long_source(tmp_path_factory):
    return write_long(tmp_path_factory.mktemp("source") / "in.parquet")


@pytest.fixture
def refuses(tmp_path, capsys):
    """Score a file in `tmp_path` with a command that must fail, and give its one line."""

    def run(model, source, *options):
        saved, sink = tmp_path / "model.json", tmp_path / "y.csv"
        model.save(saved)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert main(["score", str(saved), str(source), "-o", str(sink), *options]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("fastlogit: error: ")
        assert err.count("\n") == 1
        assert len(err) < 1000
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        return err

    return run
