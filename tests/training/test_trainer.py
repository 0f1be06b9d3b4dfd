"""The trainer with several outputs, over rows in plain NumPy.

The dataset and a family are defined here alone, so the objective, the trainer and the solvers
cannot know them.  `problem.check` makes the family from the targets, centres columns and offsets,
and turns θ into coefficients.  Independent references confirm the optimum.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, log_softmax, softmax

import fastlogit as fl
from fastlogit.kernels.passes import hessian_size
from fastlogit.matrix import passes
from fastlogit.training import family, messages, solvers
from fastlogit.training.dataset import Dataset, DatasetSums
from fastlogit.training.family import Family, Margins
from fastlogit.training.objective import Objective
from fastlogit.training.options import Options
from fastlogit.training.penalty import l2_penalty
from fastlogit.training.problem import check
from fastlogit.training.targets import Targets, read_targets
from fastlogit.training.trainer import train

RNG = np.random.default_rng(12)
N, D = 600, 3
X = RNG.normal(size=(N, D))
WEIGHT = RNG.random(N) + 0.5
SOLVERS = list(solvers.SOLVERS)


class TwoBinomials(Family):
    """Two targets in [0, 1] for each row, independent of each other."""

    outputs = 2
    kernel_family = None

    @classmethod
    def from_targets(cls, t, n, threads):
        return cls(), Targets(t, (0, 1), soft=False)

    def log_loss(self, logits, t, weight, threads):
        return weight @ self.losses(logits, t)

    def class_weights(self, t, weight):
        return np.array([0.0, t.size]) if (t == t[0]).all() else np.ones(2)

    def losses(self, Z, t):
        return (np.logaddexp(0.0, Z) - t * Z).sum(axis=1)

    def slopes(self, Z, t):
        return expit(Z) - t

    def curvatures(self, Z):
        return np.einsum("ik,kl->ikl", expit(Z) * expit(-Z), np.eye(2))

    def margins(self, Z, t):
        margins = np.where(t == 1, Z, -Z).min(axis=1)
        return Margins(margins.min(), margins.max(), np.empty(0))


class Softmax(family.Softmax):
    """One of K classes, with its terms as arrays: losses, slopes and curvatures of rows."""

    @classmethod
    def from_targets(cls, t, n, threads):
        found = read_targets(t, n, threads)
        return cls(len(found.classes)), found

    def chosen(self, t):
        return np.eye(self.outputs, dtype=bool)[t]

    def losses(self, Z, t):
        return -log_softmax(Z, axis=1)[self.chosen(t)]

    def slopes(self, Z, t):
        return softmax(Z, axis=1) - self.chosen(t)

    def curvatures(self, Z):
        p = softmax(Z, axis=1)
        return np.einsum("ik,kl->ikl", p, np.eye(self.outputs)) - p[:, :, None] * p[:, None, :]


def in_order_of_theta(values):
    """All coefficients and then the intercepts, from (outputs, d + 1)."""
    return np.append(values[:, :-1], values[:, -1])


def one_part(values):
    """Sums of one part of the rows: a high word, and a low word of 0."""
    values = np.ravel(values)
    return passes.PartialSums(np.stack([values, np.zeros(values.size)])[np.newaxis])


class RowsInNumPy(Dataset):
    """Rows of several outputs, summed in plain NumPy."""

    def __init__(self, family, X, t, weight, offset, centres, counter=None):
        super().__init__(family, *X.shape, weight.sum(), counter)
        self.X, self.t, self.weight, self.offset = X, t, weight, offset
        self.given_centres = centres

    def logits(self, theta):
        coef, intercepts = self.family.split(theta, self.d)
        return self.X @ coef.T + intercepts

    def sums(self, wanted, theta):
        Z, outputs, d = self.logits(theta) + self.offset, self.family.outputs, self.d
        wide = np.column_stack([self.X, np.ones(self.n)])
        curvatures = self.family.curvatures(Z) * self.weight[:, None, None]
        slopes = self.family.slopes(Z, self.t) * self.weight[:, None]
        size = hessian_size(d)
        hessian = np.zeros((outputs, outputs, size, size))
        hessian[:, :, : d + 1, : d + 1] = np.einsum("ikl,ia,ib->klab", curvatures, wide, wide)
        diagonal = np.einsum("ikk,ia->ka", curvatures, wide**2)
        return DatasetSums(
            loss=one_part(self.weight @ self.family.losses(Z, self.t)),
            gradient=one_part(in_order_of_theta(slopes.T @ wide)),
            hessian=passes.PartialSums(np.stack([hessian, 0 * hessian], axis=2)[np.newaxis]),
            diagonal=one_part(in_order_of_theta(diagonal)),
        )

    def read_margins(self, theta):
        return self.family.margins(self.logits(theta), self.t)

    @property
    def loss_at_zero(self):
        return self.family.log_loss(self.offset, self.t, self.weight, 1)

    @property
    def centres(self):
        return self.given_centres

    @property
    def class_weights(self):
        return self.family.class_weights(self.t, self.weight)

    def sample(self, size, seed):
        rows = np.random.default_rng(seed).permutation(self.n)[:size]
        given = (array[rows] for array in (self.X, self.t, self.weight, self.offset))
        return RowsInNumPy(self.family, *given, self.centres, self.counter), self.n / size

    def first_not_finite(self):
        found = np.argwhere(~np.isfinite(self.X))
        return (*found[0].tolist(), self.X[tuple(found[0])]) if len(found) else None


TWO = (RNG.random((N, 2)) < expit(X @ [[1.0, -0.5], [0.0, 2.0], [-1.0, 0.3]] + [0.2, -1.0])) * 1.0
CLASSES = np.argmax(X @ RNG.normal(size=(D, 3)) + RNG.gumbel(size=(N, 3)), axis=1)


def run(kind, t, X=X, names=None, *, l2=1.0, offset=None, start=None, **options):
    """The result of training, and the coefficients and intercepts of the model."""
    options = Options(**options)
    problem = check(
        X,
        t,
        options,
        kind.from_targets,
        l2=l2,
        weight=WEIGHT,
        class_weight=None,
        offset=offset,
        start=start,
        feature_names=names,
    )
    given, family = problem.dataset, problem.dataset.family
    offset = np.zeros(family.logits_shape(N)) if offset is None else given.offset
    centred = X - given.centres
    dataset = RowsInNumPy(family, centred, given.t, given.weight, offset, given.centres)
    result = train(
        dataset,
        problem.penalty,
        options,
        start=problem.start,
        names=names,
        classes=problem.classes,
    )
    return result, *problem.coefficients(result.theta)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
def test_two_targets_give_the_two_models_of_fit(solver, intercept):
    result, coef, intercepts = run(TwoBinomials, TWO, solver=solver, intercept=intercept)
    assert result.converged
    assert result.warnings == []
    assert result.solver == solver
    assert result.passes >= result.history[-1].passes > 1
    for output in range(2):
        model = fl.fit(X, TWO[:, output], weight=WEIGHT, intercept=intercept, tol=1e-14)
        np.testing.assert_allclose(coef[output], model.coef, atol=1e-5)
        assert intercepts[output] == pytest.approx(model.intercept, abs=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_three_classes_give_the_optimum_of_scipy(solver):
    result, coef, intercepts = run(Softmax, CLASSES, solver=solver)
    assert result.converged
    assert result.warnings == []

    def value(theta):
        coef, intercept = theta[: 3 * D].reshape(3, D), theta[3 * D :]
        log_p = log_softmax(X @ coef.T + intercept, axis=1)
        return 0.5 * (coef**2).sum() - WEIGHT @ log_p[np.arange(N), CLASSES]

    found = optimize.minimize(value, np.zeros(3 * D + 3), method="BFGS", options={"gtol": 1e-4})
    expected, b = found.x[: 3 * D].reshape(3, D), found.x[3 * D :]
    np.testing.assert_allclose(coef, expected - expected.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(intercepts, b - b.mean(), atol=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_outputs_are_learned_from_the_targets(solver):
    labels = np.array(["low", "middle", "high", "top"])[np.digitize(X[:, 0], [-1.0, 0.0, 1.0])]
    result, coef, intercepts = run(Softmax, labels, solver=solver)
    assert result.converged
    assert coef.shape == (4, D)
    predicted = np.argmax(X @ coef.T + intercepts, axis=1)
    assert (np.unique(labels)[predicted] == labels).mean() > 0.8


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("kind", "t"), [(TwoBinomials, TWO), (Softmax, CLASSES)])
def test_far_columns_and_offsets_move_the_intercepts_alone(kind, t, solver):
    noise = RNG.normal(size=(N, kind.from_targets(t, N, 1)[0].outputs))
    _, expected, b = run(kind, t, offset=noise, tol=1e-14)
    far = np.array([1e6, 0.0, -3e7])
    shifts = np.array([40.0, -1000.0, 7.0])[: noise.shape[1]]
    given = {"X": X + far, "offset": noise + shifts, "solver": solver}
    result, coef, intercepts = run(kind, t, **given)
    assert result.converged
    np.testing.assert_allclose(coef, expected, atol=1e-4)
    moved = intercepts + coef @ far + shifts - b
    np.testing.assert_allclose(moved, moved[0] if kind is Softmax else 0.0, atol=1e-3)
    model = SimpleNamespace(
        coef=coef, intercept=intercepts, classes=tuple(range(len(coef))), feature_names=None
    )
    again, same, _ = run(kind, t, start=model, **given)
    assert [entry.passes for entry in again.history] == [1]
    np.testing.assert_allclose(same, coef, rtol=1e-12)


def test_a_start_must_have_a_coefficient_for_each_column_and_output():
    model = SimpleNamespace(coef=np.ones((2, D)), intercept=np.ones(2), feature_names=None)
    with pytest.raises(ValueError, match=r"start must have coef of shape \(3, 3\); got \(2, 3\)"):
        run(Softmax, CLASSES, start=model)


def test_an_offset_must_have_an_element_for_each_logit():
    for offset in (np.zeros((N, 2)), np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r"offset must have one row .* \(600, 3\)"):
            run(Softmax, CLASSES, offset=offset)
    offset = np.zeros((N, 3))
    offset[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"offset must be finite; got \[ 0. nan  0.\] in row 7"):
        run(Softmax, CLASSES, offset=offset)


def test_derivatives_of_several_outputs_are_those_of_the_value():
    penalty = l2_penalty(0.5, D, 3, with_intercept=True)
    family = Softmax(3)
    family.fix_gauge = lambda hessian, _: hessian
    rows = RowsInNumPy(family, X, CLASSES, WEIGHT, np.zeros((N, 3)), np.zeros(D))
    f = Objective(rows, penalty, with_intercept=True)
    theta = RNG.normal(size=f.size)
    point = f.evaluate(theta, hessian=True)
    for direction in np.eye(f.size):
        there, here = (f.evaluate(theta + step * direction) for step in (1e-6, -1e-6))
        slope = (there.value - here.value) / 2e-6
        assert slope == pytest.approx(point.gradient @ direction, rel=1e-6, abs=1e-6)
        curvature = (there.gradient - here.gradient) / 2e-6
        np.testing.assert_allclose(curvature, point.hessian @ direction, rtol=1e-5, atol=1e-6)


def test_variances_are_those_of_each_model():
    result, _, _ = run(TwoBinomials, TWO, l2=0.0, tol=1e-14)
    for output in range(2):
        model = fl.fit(X, TWO[:, output], weight=WEIGHT, l2=0.0, tol=1e-14)
        expected = model.standard_errors() ** 2
        np.testing.assert_allclose(result.variances[output], expected, rtol=1e-6)


def test_a_collinear_column_is_named_once_for_all_outputs():
    wide = np.column_stack([X, X[:, 0] - X[:, 1]])
    for kind, t in ((TwoBinomials, TWO), (Softmax, CLASSES)):
        result, _, _ = run(kind, t, wide, list("abcd"), l2=0.0)
        (warning,) = result.warnings
        assert isinstance(warning, messages.CollinearityWarning)
        assert str(warning).startswith("collinear: column 'd' can be made")
        assert result.converged


def test_a_gauge_is_no_collinearity_and_theta_has_no_component_along_it():
    result, coef, intercepts = run(Softmax, CLASSES, l2=0.0)
    assert result.warnings == []
    assert result.converged
    assert result.variances.shape == (2, D + 1)
    np.testing.assert_allclose(coef.sum(axis=0), 0.0, atol=1e-8)
    assert intercepts.sum() == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_separated_classes_are_found_with_their_column(solver):
    classes = np.digitize(X[:, 1], [-0.5, 0.5])
    result, _, _ = run(Softmax, classes, l2=0.0, solver=solver, max_passes=300)
    assert not result.converged
    assert [type(warning) for warning in result.warnings] == [messages.SeparationWarning]
    wanted = "the labels 0, 1, 2 can be separated from the others, mainly by column 1, so"
    assert str(result.warnings[0]).startswith(wanted)


def test_targets_that_are_all_the_same_are_separated_by_the_intercept():
    with pytest.raises(messages.SeparationError, match="labels are all the same"):
        run(TwoBinomials, np.ones((N, 2)), on_separation="raise")


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_element_that_is_not_finite_is_named(solver):
    broken = X.copy()
    broken[5, 1] = np.nan
    with pytest.raises(ValueError, match=r"X must be finite; got nan in row 5, column 1 \('b'\)"):
        run(TwoBinomials, TWO, broken, list("abc"), solver=solver)


def test_passes_are_bounded():
    result, _, _ = run(Softmax, CLASSES, max_passes=3)
    assert not result.converged
    assert result.passes == 3
    assert "not converged after 3 passes" in str(result.warnings[0])
