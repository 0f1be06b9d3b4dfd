"""Bounds and instruction counts."""

import numpy as np
import pytest

from bench import counts, roofline


def test_operations_are_counted_in_the_compiled_code():
    code = """
      %a = fadd double %x, 1.0
      %b = tail call double @llvm.fma.f64(double %a, double %x, double %x)
      %c = fdiv double %b, %a
      %d = fmul <2 x double> %v, %w
      %e = call <4 x double> @llvm.fma.v4f64(<4 x double> %v, <4 x double> %v, <4 x double> %v)
      %f = fcmp olt double %c, 1.0
      declare double @llvm.fma.f64(double, double, double)
    """
    assert roofline.count_operations(code) == {"multiply-adds": 1 + 1 + 2 + 4, "divisions": 1}
    sigmoid = roofline.operations("sigmoid", "float64")
    assert sigmoid["divisions"] == 1
    assert 15 < sigmoid["multiply-adds"] < 60
    decision = roofline.operations("linear.decision", "float32")
    assert decision == {"multiply-adds": 32, "divisions": 0}


def test_bounds(monkeypatch):
    rates = roofline.Rates(
        {"copy": {"L2": 100e9, "memory": 20e9}},
        {"multiply-adds": 20e9, "divisions": 2e9},
    )
    needed = {"multiply-adds": 30, "divisions": 1}
    expected = {"memory": 0.8e-9, "multiply-adds": 1.5e-9, "divisions": 0.5e-9}
    assert roofline.bounds(rates, "copy", "memory", 16, needed) == pytest.approx(expected)
    streams = ("sigmoid", "log_loss", "linear.probability", "log_loss_gradient")
    found = [roofline.similar_stream(name) for name in streams]
    assert found == ["copy", "read", "read", "triad"]
    caches = {"L1": 10, "L2": 100, "L3": 1000}
    monkeypatch.setattr(roofline.machine, "caches", lambda: caches)
    where = [roofline.place_for(size, threads=2) for size in (20, 21, 200, 201, 1000, 1001)]
    assert where == ["L1", "L2", "L2", "L3", "L3", "memory"]


def test_streams_do_what_they_say():
    a, b, c = np.arange(9), np.zeros(9, int), np.zeros(9, int)
    assert roofline._read(a, 3) == 3 * 36
    roofline._copy(a, b, 1)
    roofline._triad(a, b, c, 1)
    assert list(c) == [4 * i for i in range(9)]


def test_the_fixed_cost_of_a_call_is_subtracted(monkeypatch):
    def totals(cases, folder):
        sizes = [int(case.split()[2]) for case in cases]
        assert cases[0] == f"sigmoid float64 {sizes[0]} z"
        return [1_000_000 + 13 * size for size in sizes]

    monkeypatch.setattr(counts, "_totals", totals)
    names = ["sigmoid float64", "linear.decision float32"]
    assert counts.counts(names) == dict.fromkeys(names, 13.0)
    assert counts._total("events: Ir\nfn=(1)\n1 2\n\ntotals: 452320\n") == 452320
