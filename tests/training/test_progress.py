"""The bar of a training that reads the rows again in every pass."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.tables.table import ReadProgress
from fastlogit.training.progress import ReadingBar

ROWS = 2000
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS).round(3)
T = (X + RNG.logistic(size=ROWS) > 0.0).astype(int)


@pytest.fixture
def totals(monkeypatch):
    """The rows that a bar has expected after each batch, by pass."""
    found, read = {}, ReadingBar.read

    def reading(self, now):
        read(self, now)
        found.setdefault(self._passes, []).append(self._bar.total)

    monkeypatch.setattr(ReadingBar, "read", reading)
    return found


def test_the_rows_of_a_csv_are_estimated_in_the_first_pass_and_known_in_others(
    tmp_path, monkeypatch, totals, capsys
):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 4000)
    path = tmp_path / "in.csv"
    path.write_text("x,t\n" + "".join(f"{x},{t}\n" for x, t in zip(X, T, strict=True)))
    fl.fit(path, label="t", out_of_core=True, progress=True)
    first, *others = totals.values()
    assert len(first) > 3
    np.testing.assert_allclose(first, ROWS, rtol=0.1)
    assert others
    assert {total for one in others for total in one} == {ROWS}
    assert "gradient norm" in capsys.readouterr().err


def test_the_rows_of_a_function_are_known_after_the_first_pass(totals, capsys):
    table = pa.table({"x": X, "t": T})
    fl.fit(lambda: table.to_reader(max_chunksize=600), label="t", progress=True)
    first, *others = totals.values()
    assert set(first) == {None}
    assert {total for one in others for total in one} == {ROWS}
    assert "pass 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (ReadProgress(3, 10, None, None), 10),
        (ReadProgress(3, 10, 5, 100), 10),
        (ReadProgress(3, None, 5, 100), 60),
        (ReadProgress(0, None, 0, 100), None),
        (ReadProgress(3, None, None, 100), None),
        (ReadProgress(3, None, 5, None), None),
    ],
)
def test_expected_rows(progress, expected):
    assert progress.expected_rows == expected
