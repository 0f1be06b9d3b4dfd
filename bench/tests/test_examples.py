"""The worked examples run, and their results are right."""

import itertools
import re
import sys
import warnings
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from bench.examples import in_database, network
from fastlogit import partitions
from fastlogit.data import flights_path


def test_network(tmp_path, capsys):
    path = tmp_path / "network.png"
    network.main(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    assert [line[:10] for line in lines] == ["2 classes:", "3 classes:"]
    for line in lines:
        loss, right, error = map(float, re.findall(r"\d\S*(?=,|%|$)", line))
        assert loss < 0.02
        assert right > 99.0
        assert error < 1e-9


@pytest.mark.parametrize(
    ("classes", "K", "output"),
    [(2, 1, network.logistic_output), (3, 3, network.softmax_output)],
    ids=["logistic", "softmax"],
)
def test_the_gradient_of_the_network(classes, K, output, monkeypatch):
    rng = np.random.default_rng(1)
    X, t = network.spirals(30, classes, rng)
    weights = network.Weights(*(rng.normal(size=size) for size in ((2, 5), 5, (5, K), K)))
    kept = [array.copy() for array in weights]
    assert network.gradient_error(weights, X, t, output) < 1e-9
    for array, copy in zip(weights, kept, strict=True):
        np.testing.assert_array_equal(array, copy)

    # The check finds a derivative that is wrong, whichever it is.
    true = network.backward
    for place in range(4):

        def wrong(*args, place=place):
            loss, gradient = true(*args)
            gradient[place].flat[-1] += 1e-6
            return loss, gradient

        monkeypatch.setattr(network, "backward", wrong)
        error = network.gradient_error(weights, X, t, output)
        assert error == pytest.approx(1e-6, rel=1e-3)


def test_in_database(capsys):
    in_database.main()
    assert capsys.readouterr().out.count("336,776 flights, the same bits") == 3


def test_in_database_would_find_other_bits(monkeypatch):
    monkeypatch.setattr(in_database, "in_polars", lambda model, frame: np.zeros(len(frame)))
    with pytest.raises(SystemExit):
        in_database.main()


def test_the_model_of_the_database_is_one_of_its_features():
    model = in_database.trained()
    assert isinstance(model, fl.LogisticModel)
    assert model.feature_names == in_database.FEATURES
    assert model.converged


# Engines -----------------------------------------------------------------------------------

FLIGHTS = pq.read_table(flights_path(), columns=["late", "hour", "wind_speed_m_s", "rain"])


class ListPartitions(partitions.Partitions):
    """Tables in memory, which an engine must give the same bits as."""

    def __init__(self, tables):
        self.tables = tables
        self.header = partitions.header("list", tables[0].schema)

    def count(self, wanted):
        return len(self.tables)

    def run(self, task, wanted):
        results = (
            partitions.compute(task, wanted, self.header, number, table.to_batches())
            for number, table in enumerate(self.tables)
        )
        return partitions.merged(task, results)


def must_give_the_bits_of_a_list(source, tables):
    assert len(tables) > 1
    assert sum(table.num_rows for table in tables) == FLIGHTS.num_rows
    fit = partial(partitions.fit, label="late", missing="skip", threads=1)
    found, expected = fit(source), fit(ListPartitions(tables))
    np.testing.assert_array_equal(found.coef, expected.coef)
    assert found.intercept == expected.intercept
    assert found.passes == expected.passes


def test_spark(monkeypatch, tmp_path):
    pytest.importorskip("pyspark", reason="Spark needs Java and 500 MB, so no extra installs it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about itself
        from bench.examples import spark

        # The workers are started with this interpreter.
        monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
        pq.write_table(FLIGHTS, tmp_path / "flights.parquet")
        with spark.SparkSession.builder.master("local[2]").getOrCreate() as session:
            frame = session.read.parquet(str(tmp_path / "flights.parquet")).repartition(4).persist()
            source = spark.SparkPartitions(frame)

            def pack(batches):
                table = pa.Table.from_batches(list(batches))
                number = spark.TaskContext.get().partitionId()
                with pa.BufferOutputStream() as sink, pa.ipc.new_stream(sink, table.schema) as to:
                    to.write_table(table)
                yield pa.record_batch({"number": [number], "rows": [sink.getvalue().to_pybytes()]})

            rows = sorted(frame.mapInArrow(pack, "number long, rows binary").collect())
            tables = [pa.ipc.open_stream(row.rows).read_all() for row in rows]
            must_give_the_bits_of_a_list(source, tables)


def test_ray():
    pytest.importorskip("ray", reason="Ray takes 200 MB, so no extra installs it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about itself
        from bench.examples import ray_data

        ray = ray_data.ray
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            cuts = [0, 100_000, 100_001, FLIGHTS.num_rows]
            tables = [FLIGHTS.slice(a, b - a) for a, b in itertools.pairwise(cuts)]
            source = ray_data.RayPartitions(ray.data.from_arrow(tables))
            must_give_the_bits_of_a_list(source, tables)
        finally:
            ray.shutdown()
