"""The trainer with other families: several outputs, over rows in plain NumPy.

The families and the data set are defined here alone, so the objective, the trainer and the solvers
cannot know them.  Independent references confirm the optimum.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, log_softmax, softmax

import fastlogit as fl
from fastlogit.kernels.passes import hessian_size
from fastlogit.matrix import passes
from fastlogit.training import messages
from fastlogit.training.dataset import Dataset, Sums
from fastlogit.training.family import Family
from fastlogit.training.objective import Objective
from fastlogit.training.options import Options
from fastlogit.training.penalty import penalise_columns
from fastlogit.training.trainer import train

RNG = np.random.default_rng(12)
N, D = 600, 3
X = RNG.normal(size=(N, D))
WEIGHT = RNG.random(N) + 0.5
SOLVERS = ["newton", "sampled-newton", "lbfgs", "gradient-descent"]


class TwoBinomials(Family):
    """Two targets in [0, 1] for each row, independent of each other."""

    outputs = 2

    def losses(self, Z, t):
        return (np.logaddexp(0.0, Z) - t * Z).sum(axis=1)

    def slopes(self, Z, t):
        return expit(Z) - t

    def curvatures(self, Z):
        return np.einsum("ik,kl->ikl", expit(Z) * expit(-Z), np.eye(2))

    def margins(self, Z, t):
        return np.where(t == 1, Z, -Z).min(axis=1)

    def intercept_separates(self, t):
        return bool((t == t[0]).all())


class ThreeClasses(Family):
    """One of three classes, by softmax: a constant added to all logits changes nothing."""

    outputs = 3

    def losses(self, Z, t):
        return -log_softmax(Z, axis=1)[np.arange(len(t)), t]

    def slopes(self, Z, t):
        return softmax(Z, axis=1) - np.eye(3)[t]

    def curvatures(self, Z):
        p = softmax(Z, axis=1)
        return np.einsum("ik,kl->ikl", p, np.eye(3)) - p[:, :, None] * p[:, None, :]

    def gauge(self, theta_size, d):
        coef = np.kron(np.ones(3), np.eye(d))
        intercepts = theta_size - 3 * d
        directions = np.zeros((d + bool(intercepts), theta_size))
        directions[:d, : 3 * d] = coef
        directions[d:, 3 * d :] = 1.0
        return directions

    def margins(self, Z, t):
        others = np.where(np.eye(3, dtype=bool)[t], -np.inf, Z)
        return Z[np.arange(len(t)), t] - others.max(axis=1)

    def intercept_separates(self, t):
        return bool((t == t[0]).all())


def in_order_of_theta(values):
    """All coefficients and then the intercepts, from (outputs, d + 1)."""
    return np.append(values[:, :-1], values[:, -1])


def one_part(values):
    """Sums of one part of the rows: a high word, and a low word of 0."""
    values = np.ravel(values)
    return passes.PartialSums(np.stack([values, np.zeros(values.size)])[np.newaxis])


class RowsInNumPy(Dataset):
    """Rows of several outputs, summed in plain NumPy."""

    def __init__(self, family, X, t, weight, reads=None):
        super().__init__(family, *X.shape, weight.sum(), reads)
        self.X, self.t, self.weight = X, t, weight

    def logits(self, theta):
        coef, intercept = self.family.split(theta, self.d)
        return self.X @ coef.T + intercept

    def sums(self, wanted, theta):
        Z, outputs, d = self.logits(theta), self.family.outputs, self.d
        wide = np.column_stack([self.X, np.ones(self.n)])
        curvatures = self.family.curvatures(Z) * self.weight[:, None, None]
        slopes = self.family.slopes(Z, self.t) * self.weight[:, None]
        size = hessian_size(d)
        hessian = np.zeros((outputs, outputs, size, size))
        hessian[:, :, : d + 1, : d + 1] = np.einsum("ikl,ia,ib->klab", curvatures, wide, wide)
        diagonal = np.einsum("ikk,ia->ka", curvatures, wide**2)
        return Sums(
            loss=one_part(self.weight @ self.family.losses(Z, self.t)),
            gradient=one_part(in_order_of_theta(slopes.T @ wide)),
            hessian=one_part(hessian),
            diagonal=one_part(in_order_of_theta(diagonal)),
        )

    def read_margins(self, theta):
        margins = self.family.margins(self.logits(theta), self.t)
        return margins.min(), margins.max()

    @property
    def loss_at_zero(self):
        zero = np.zeros((self.n, self.family.outputs))
        return self.weight @ self.family.losses(zero, self.t)

    @property
    def intercept_separates(self):
        return self.family.intercept_separates(self.t)

    def sample(self, size, seed):
        rows = np.random.default_rng(seed).permutation(self.n)[:size]
        few = RowsInNumPy(self.family, self.X[rows], self.t[rows], self.weight[rows], self.reads)
        return few, self.n / size

    def first_not_finite(self):
        found = np.argwhere(~np.isfinite(self.X))
        return (*found[0].tolist(), self.X[tuple(found[0])]) if len(found) else None


TWO = (RNG.random((N, 2)) < expit(X @ [[1.0, -0.5], [0.0, 2.0], [-1.0, 0.3]] + [0.2, -1.0])) * 1.0
CLASSES = np.argmax(X @ RNG.normal(size=(D, 3)) + RNG.gumbel(size=(N, 3)), axis=1)


def run(family, t, l2=1.0, X=X, names=None, **options):
    dataset = RowsInNumPy(family, X, t, WEIGHT[: len(X)])
    options = Options(**options)
    outputs, intercept = family.outputs, options.intercept
    penalty = penalise_columns(l2, X.shape[1], outputs, with_intercept=intercept)
    return train(dataset, penalty, options, names=names)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
def test_two_targets_give_the_two_models_of_fit(solver, intercept):
    result = run(TwoBinomials(), TWO, solver=solver, intercept=intercept)
    assert result.converged
    assert result.warnings == []
    assert result.solver == solver
    assert result.passes >= result.history[-1].passes > 1
    coef, intercepts = TwoBinomials().split(result.theta, D)
    for output in range(2):
        model = fl.fit(X, TWO[:, output], weight=WEIGHT, intercept=intercept, tol=1e-14)
        np.testing.assert_allclose(coef[output], model.coef, atol=1e-5)
        assert intercepts[output] == pytest.approx(model.intercept, abs=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_three_classes_give_the_optimum_of_scipy(solver):
    result = run(ThreeClasses(), CLASSES, solver=solver)
    assert result.converged
    assert result.warnings == []

    def value(theta):
        coef, intercept = theta[: 3 * D].reshape(3, D), theta[3 * D :]
        log_p = log_softmax(X @ coef.T + intercept, axis=1)
        return 0.5 * (coef**2).sum() - WEIGHT @ log_p[np.arange(N), CLASSES]

    found = optimize.minimize(value, np.zeros(3 * D + 3), method="BFGS", options={"gtol": 1e-4})
    coef, intercept = ThreeClasses().split(found.x, D)
    expected = np.append(coef - coef.mean(axis=0), intercept - intercept.mean())
    np.testing.assert_allclose(result.theta, expected, atol=1e-4)


def test_derivatives_of_several_outputs_are_those_of_the_value():
    family = ThreeClasses()
    penalty = penalise_columns(0.5, D, 3, with_intercept=True)
    f = Objective(RowsInNumPy(family, X, CLASSES, WEIGHT), penalty, with_intercept=True)
    theta = RNG.normal(size=f.size)
    point = f.evaluate(theta, hessian=True)
    for j, unit in enumerate(1e-6 * np.eye(f.size)):
        there, here = f.evaluate(theta + unit), f.evaluate(theta - unit)
        slope = (there.value - here.value) / 2e-6
        assert slope == pytest.approx(point.gradient[j], rel=1e-6, abs=1e-6)
        curvature = (there.gradient - here.gradient) / 2e-6
        np.testing.assert_allclose(curvature, point.hessian[j], rtol=1e-5, atol=1e-6)


def test_variances_are_those_of_each_model():
    result = run(TwoBinomials(), TWO, l2=0.0, tol=1e-14)
    variances, intercepts = TwoBinomials().split(result.variances, D)
    for output in range(2):
        model = fl.fit(X, TWO[:, output], weight=WEIGHT, l2=0.0, tol=1e-14)
        expected = model.standard_errors() ** 2
        got = np.append(variances[output], intercepts[output])
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_collinear_column_is_named_once_for_all_outputs():
    wide = np.column_stack([X, X[:, 0] - X[:, 1]])
    for family, t in ((TwoBinomials(), TWO), (ThreeClasses(), CLASSES)):
        result = run(family, t, l2=0.0, X=wide, names=list("abcd"))
        (warning,) = result.warnings
        assert isinstance(warning, messages.CollinearityWarning)
        assert str(warning).startswith("collinear: column 'd' can be made")
        assert result.converged


def test_a_gauge_is_no_collinearity_and_theta_has_no_component_along_it():
    result = run(ThreeClasses(), CLASSES, l2=0.0)
    assert result.warnings == []
    assert result.converged
    assert result.variances is None
    coef, intercept = ThreeClasses().split(result.theta, D)
    np.testing.assert_allclose(coef.sum(axis=0), 0.0, atol=1e-8)
    assert intercept.sum() == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_separated_classes_are_found_with_their_column(solver):
    classes = np.digitize(X[:, 1], [-0.5, 0.5])
    result = run(ThreeClasses(), classes, l2=0.0, solver=solver, max_passes=300)
    assert not result.converged
    assert [type(warning) for warning in result.warnings] == [messages.SeparationWarning]
    assert "mainly by column 1, so" in str(result.warnings[0])


def test_classes_that_are_all_the_same_are_separated_by_the_intercept():
    with pytest.raises(messages.SeparationError, match="labels are all the same"):
        run(ThreeClasses(), np.ones(N, int), on_separation="raise")


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_element_that_is_not_finite_is_named(solver):
    broken = X.copy()
    broken[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"X must be finite; got nan in row 5, column 1 \('b'\)"):
        run(TwoBinomials(), TWO, X=broken, names=list("abc"), solver=solver)


def test_reads_are_bounded():
    result = run(ThreeClasses(), CLASSES, max_passes=3)
    assert not result.converged
    assert result.passes == 3
    assert "not converged after 3 passes" in str(result.warnings[0])
