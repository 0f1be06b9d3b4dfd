"""Models in DuckDB and Polars: everyone computes the same, and the table of the figures."""

import numpy as np
import pytest

from bench import engines, render

ROWS = {
    "few columns": {
        "rows": 1_000_000,
        "seconds": 0.5,
        "engines": {
            "DuckDB": {
                "function": 1.0,
                "own": 0.8,
                "difference": 2e-16,
                "than_own": 1.25,
                "than_score": 2.0,
            },
            "Polars": {
                "function": 0.4,
                "own": 1.0,
                "difference": 3e-7,
                "than_own": 0.4,
                "than_score": 0.8,
            },
        },
    }
}


@pytest.mark.parametrize("problem", engines.PROBLEMS)
def test_everyone_computes_the_same(problem, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.measure._PAUSE_S", 0.0)
    row = engines.measured(engines.PROBLEMS[problem](3_000, tmp_path), 3_000, 1)
    assert list(row["engines"]) == ["DuckDB", "Polars"]
    for found in row["engines"].values():
        assert found["difference"] < 1e-4
        assert found["than_own"] == pytest.approx(found["function"] / found["own"])
    assert "columns, 3,000 rows" in render.engines({"columns": row})


def test_other_probabilities_are_found():
    y = np.array([0.25, 0.5])
    assert engines._difference("DuckDB function", y, y) == 0.0
    assert engines._difference("DuckDB own", np.nextafter(y, 1), y) > 0.0
    with pytest.raises(RuntimeError, match="must write the bits"):
        engines._difference("DuckDB function", np.nextafter(y, 1), y)
    for wrong in (y[:1], y + 1e-3):
        with pytest.raises(RuntimeError, match="other probabilities"):
            engines._difference("DuckDB own", wrong, y)


def test_the_table_shows_wins_and_losses():
    table = render.engines(ROWS).splitlines()
    assert [cell.strip() for cell in table[2].split("|")[1:-1]] == [
        "few columns, 1,000,000 rows",
        "500 ms",
        "DuckDB",
        "1 s",
        "2.00 x",
        "800 ms (2e-16)",
        "1.25 x",
    ]
    assert "0.40 x" in table[3]
