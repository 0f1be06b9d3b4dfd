"""A family of two outputs through the block loop: nothing below it is made for one output."""

from __future__ import annotations

import types
from typing import NamedTuple

import numpy as np
import pytest

from fastlogit.kernels import families, jit
from fastlogit.matrix import as_matrix, passes


class Pair(NamedTuple):
    """Loss (z_0 + 2 z_1 - t)² / 2."""


SCALE = (1.0, 2.0)


@jit.inner
def add_constants(family, z, first, rows, intercept, offset):
    for k in range(2):
        for i in range(rows):
            z[k, i] += intercept[k]


@jit.inner
def outputs(family, coef):
    return 2


@jit.inner
def put_logits(family, z, first, rows, out):
    for k in range(2):
        for i in range(rows):
            out[first + i, k] = z[k, i]


@jit.inner
def differentiate(family, z, t, weight, float32, first, rows, losses, slopes):
    losses[:] = 0.0
    slopes[:] = 0.0
    for i in range(rows):
        residual = z[0, i] + 2 * z[1, i] - t[first + i]
        losses[i] = residual**2 / 2
        slopes[0, i], slopes[1, i] = residual, 2 * residual
    return True


@jit.inner
def prepare_curvature(family, z, rows):
    pass


@jit.inner
def put_curvature(family, k, other, z, weight, first, rows, curvatures):
    curvatures[:] = 0.0
    for i in range(rows):
        curvatures[i] = SCALE[k] * SCALE[other]


@pytest.fixture
def given(monkeypatch):
    """Model and data of the family; nothing that is compiled for it is kept on disk."""
    functions = [outputs, add_constants, put_logits, differentiate, prepare_curvature]
    functions.append(put_curvature)
    module = types.SimpleNamespace(**{function.__name__: function for function in functions})
    monkeypatch.setitem(families.MODULES, Pair, module)
    monkeypatch.setattr(jit._Cache, "save_overload", lambda *args: None)
    rng = np.random.default_rng(1)
    X, t = rng.normal(size=(500, 3)), rng.normal(size=500)
    coef = np.zeros((2, 8))
    coef[:, :3] = rng.normal(size=(2, 3))
    model = passes.LinearModel(Pair(), coef, np.array([0.5, -1.5]), float32=False)
    return model, passes.PassInput(as_matrix(X), t, None, None, threads=2)


def test_a_family_of_two_outputs_has_logits_loss_gradient_and_hessian(given):
    model, data = given
    X, scale = data.X.X, np.array(SCALE)
    Z = X @ model.coef[:, :3].T + model.intercept
    out = np.empty((500, 2))
    passes.score(model, data, out, probability=False)
    np.testing.assert_allclose(out, Z, rtol=1e-13)

    sums = passes.derivatives(model, data, order=2)
    residual = Z @ scale - data.t
    by_output = np.column_stack([scale[k] * X for k in range(2)] + [np.tile(scale, (500, 1))])
    np.testing.assert_allclose(sums.loss.merged(), [residual @ residual / 2], rtol=1e-13)
    np.testing.assert_allclose(sums.gradient.merged(), residual @ by_output, rtol=1e-12)
    hessian = by_output.T @ by_output
    np.testing.assert_allclose(passes.symmetric(sums.hessian, 3), hessian, rtol=1e-12, atol=1e-12)

    direction = np.cos(np.arange(8.0))
    along = np.zeros((2, 8))
    along[:, :3] = direction[:6].reshape(2, 3)
    product = passes.hessian_product(model, data, along, direction[6:])
    np.testing.assert_allclose(product.merged(), hessian @ direction, rtol=1e-12, atol=1e-12)
    diagonal = passes.hessian_diagonal(model, data).merged()
    np.testing.assert_allclose(diagonal, np.diag(hessian), rtol=1e-12)
