"""The worked examples run, and their results are right."""

import re

import numpy as np
import pytest

from bench.examples import network


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
