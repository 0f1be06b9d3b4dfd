"""Scoring where the data are: inside DuckDB and Polars.

    pip install '.[cli,duckdb,polars]' && python -m bench.examples.in_database

Three ways give the same bits: `fl.score` reads the result of a query batch by batch; a function for
DuckDB's SQL and an expression of Polars apply the model to rows, also inside a query.
"""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

import fastlogit as fl
import fastlogit.duckdb
import fastlogit.polars
from fastlogit.data import flights_path
from fastlogit.scoring import read_table

FEATURES = ("hour_sin", "hour_cos", "wind_speed_m_s", "precipitation_mm", "visibility_mi")
QUERY = f"SELECT rowid AS flight, {', '.join(FEATURES)} FROM flights ORDER BY rowid"


def trained() -> fl.LogisticModel:
    """A model of five features."""
    data = read_table(flights_path(), "late", missing="skip")
    places = [data.feature_names.index(name) for name in FEATURES]
    return fl.fit(data.X[:, places], data.t, feature_names=FEATURES)


def by_score(model: fl.LogisticModel, source: object) -> np.ndarray:
    """Any stream of Arrow is a source; it is never in memory as a whole."""
    batches = fl.score(model, source, keep=["flight"])
    return pa.Table.from_batches(batches)["probability"].to_numpy()


def in_duckdb(model: fl.LogisticModel, connection: duckdb.DuckDBPyConnection) -> np.ndarray:
    """A function for SQL.  Its argument is a row, here one of a subquery."""
    fastlogit.duckdb.register(connection, model, "p_late")
    print(connection.sql(f"SELECT flight, p_late(f) AS p FROM ({QUERY}) f ORDER BY p DESC LIMIT 3"))
    scores = connection.sql(f"SELECT p_late(f) AS p FROM ({QUERY}) f")
    return scores.to_arrow_table()["p"].to_numpy()


def in_polars(model: fl.LogisticModel, frame: pl.DataFrame) -> np.ndarray:
    """An expression, in a lazy query."""
    scored = frame.lazy().with_columns(p=fastlogit.polars.probability(model))
    print(scored.select("flight", "p").sort("p", descending=True).head(3).collect())
    return scored.select("p").collect(engine="streaming")["p"].to_numpy()


def main() -> None:
    """Run the example."""
    model = trained()
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE flights AS SELECT * FROM '{flights_path()}'")
    frame = connection.sql(QUERY).pl()

    expected = by_score(model, connection.sql(QUERY))
    for way, found in {
        "fl.score of a data frame of Polars": by_score(model, frame),
        "a function in DuckDB": in_duckdb(model, connection),
        "an expression in Polars": in_polars(model, frame),
    }.items():
        same = np.array_equal(found, expected)
        print(f"{way}: {found.size:,} flights, {'the same bits' if same else 'OTHER BITS'}\n")
        if not same:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
