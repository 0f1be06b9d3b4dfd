"""The worked examples run, and their results are right."""

from __future__ import annotations

import re

import matplotlib as mpl
import mpmath
import numpy as np
import pyarrow.parquet as pq
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt

from tests.examples import flights, own_loss
from tests.references import multiprecision


def test_flights(tmp_path, capsys):
    folder, figures = tmp_path / "flights", plt.get_fignums()
    flights.main(folder)
    out = capsys.readouterr().out
    before, after = map(float, re.search(r"(0\.\d+) as it was, (0\.\d+) corrected", out).groups())
    assert after < before - 0.01
    for name in ("reliability", "roc", "coefficients", "convergence"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == figures
    scores, october = (pq.read_table(folder / f"{name}.parquet") for name in ("scores", "october"))
    assert scores["flight"].equals(october["flight"])
    late = october["late"].to_numpy()
    assert abs(np.nanmean(late) - scores["probability"].to_numpy().mean()) < 0.05


def test_the_raw_table_is_that_of_the_file():
    raw = flights.raw_table()
    encoded = pq.read_table(flights.flights_path())
    for name in flights.TEXT:
        values = raw[name].to_numpy(zero_copy_only=False)
        for column in encoded.column_names:
            if column.startswith(f"{name}_"):
                is_category = values == column.removeprefix(f"{name}_")
                np.testing.assert_array_equal(is_category, encoded[column].to_numpy() == 1)


@pytest.mark.parametrize("t", [0, 1])
@pytest.mark.parametrize("z", [0.0, -1.5, 3.0, 40.0, -40.0, 300.0, -300.0, 800.0])
def test_the_focal_loss_keeps_its_digits(z, t):
    u = z if t else -z
    with mpmath.workprec(multiprecision.PRECISION):
        p, q = multiprecision.sigmoid(u), multiprecision.sigmoid(-u)
        loss = -(q**2) * mpmath.log(p)
        slope = (1 if t else -1) * -(q**2) * (q - 2 * p * mpmath.log(p))
    gradient = np.empty(1)
    found = own_loss.focal_loss(np.array([z]), np.array([t]), gradient)
    assert found == pytest.approx(float(loss), rel=1e-14, abs=0.0)
    assert gradient[0] == pytest.approx(float(slope), rel=1e-14, abs=0.0)


def test_own_loss(capsys, monkeypatch):
    monkeypatch.setattr(own_loss, "seconds", lambda work: (work(), 1.0)[1])
    own_loss.main()
    out = capsys.readouterr().out
    start, end = map(float, re.search(r"loss (0\.\d+) -> (0\.\d+),", out).groups())
    assert start == round(np.log(2) / 4, 4)
    assert end < 0.75 * start
