"""Standard errors and what follows from them, against statsmodels."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import fastlogit as fl
from fastlogit.models import statistics
from fastlogit.training.messages import CollinearityWarning

RNG = np.random.default_rng(11)
N = 800
X = RNG.normal(size=(N, 4)) * [1.0, 100.0, 0.01, 1.0] + [0.0, 5.0, 0.0, 1.0]
T = (RNG.random(N) < fl.sigmoid(X @ [1.0, -0.01, 40.0, 0.0] - 0.5)) * 1
WEIGHT = RNG.integers(0, 4, N)
OFFSET = RNG.normal(size=N)


def reference(weight=None, offset=None, intercept=True):
    """Fit by statsmodels, with the intercept last as here."""
    exog = np.column_stack([X, np.ones(N)]) if intercept else X
    model = sm.GLM(T, exog, sm.families.Binomial(), offset=offset, freq_weights=weight)
    return model.fit(tol=1e-14, maxiter=200)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weight"])
@pytest.mark.parametrize("offset", [None, OFFSET], ids=["", "offset"])
@pytest.mark.parametrize("solver", ["newton", "sampled-newton"])
def test_all_agree_with_statsmodels(intercept, weight, offset, solver):
    data = {"weight": weight, "offset": offset}
    model = fl.fit(X, T, l2=0, intercept=intercept, solver=solver, tol=1e-18, **data)
    expected = reference(weight, offset, intercept)
    estimates = np.append(model.coef, model.intercept)[: expected.params.size]
    np.testing.assert_allclose(estimates, expected.params, rtol=1e-6)
    for arguments in ((), (X,)):
        given = data if arguments else {}
        for got, wanted in (
            (model.standard_errors(*arguments, **given), expected.bse),
            (model.z_values(*arguments, **given), expected.tvalues),
            (model.p_values(*arguments, **given), expected.pvalues),
            (model.confidence_intervals(*arguments, **given), expected.conf_int()),
            (model.confidence_intervals(*arguments, level=0.5, **given), expected.conf_int(0.5)),
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert -model.mean_log_loss * model.total_weight == pytest.approx(expected.llf, rel=1e-9)
    if offset is None and intercept:
        likelihood = -model.mean_null_log_loss * model.total_weight
        assert likelihood == pytest.approx(expected.llnull, rel=1e-9)


def test_the_summary_has_what_a_statistician_expects():
    logit = sm.Logit(T, np.column_stack([X, np.ones(N)])).fit(
        disp=False, method="newton", tol=1e-14
    )
    model = fl.fit(X, T, l2=0, feature_names=["age", "income", "rate", "noise"])
    text = model.summary(level=0.9)
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    wanted = np.column_stack([logit.params, logit.bse, logit.tvalues, logit.pvalues])
    for name, row, ends in zip(
        ["age", "income", "rate", "noise", "(intercept)"], wanted, logit.conf_int(0.1), strict=True
    ):
        np.testing.assert_allclose(
            [float(word) for word in lines[name]], [*row, *ends], rtol=2e-3, atol=5e-4
        )
    assert lines["coef"] == ["std", "err", "z", "P>|z|", "[0.05", "0.95]"]
    assert f"observations: {N}" in text
    assert f"log-likelihood: {logit.llf:.6g}" in text
    assert f"null log-likelihood: {logit.llnull:.6g}" in text
    assert f"pseudo R² (McFadden): {logit.prsquared:.4g}" in text
    assert f"likelihood ratio p: {logit.llr_pvalue:.3g}" in text
    assert "converged: yes" in text
    assert len({len(line) for line in text.splitlines() if set(line) <= set("=-")}) == 1


def test_the_summary_of_a_perfect_fit_has_no_ratios():
    model = fl.fit([[0.0], [1.0], [2.0]], [1, 1, 1], l2=0, on_separation="ignore")
    assert "pseudo R² (McFadden): nan" in model.summary()


def test_a_name_with_line_breaks_stays_on_one_line():
    text = fl.LogisticModel([1.0], feature_names=("a\n b",)).summary()
    assert "a b " in text


def test_the_summary_of_a_penalised_model_has_no_errors():
    text = fl.fit(X, T, l2=2.0).summary()
    assert "l2 penalty: 2" in text
    assert "std err" not in text
    assert "likelihood ratio" not in text


def test_the_summary_of_a_model_made_from_coefficients_claims_nothing():
    text = fl.LogisticModel([1.0, 2.0], 0.5).summary()
    assert "converged: not known" in text
    assert "nan" not in text


def test_the_p_value_of_the_likelihood_ratio_is_that_of_chi_squared():
    likelihood = statistics.Likelihood(-100.0, -104.0, 3)
    assert likelihood.p_value == pytest.approx(stats.chi2.sf(8.0, 3), rel=1e-12)
    assert statistics.Likelihood(-100.0, -100.0 + 1e-12, 3).p_value == 1.0


@pytest.mark.parametrize("z", [0.0, 0.1, 1.96, -5.0, 20.0, -38.0])
def test_p_values_are_exact_in_their_tails(z):
    exact = 2 * mpmath.ncdf(-abs(z))
    assert statistics.p_values(np.array([z]))[0] == pytest.approx(float(exact), rel=1e-13)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_intervals_have_their_level(level):
    low, high = statistics.confidence_intervals(np.zeros(1), np.ones(1), level)[0]
    assert stats.norm.cdf(high) - stats.norm.cdf(low) == pytest.approx(level, rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan])
def test_a_level_is_between_0_and_1(level):
    model = fl.fit(X, T, l2=0)
    with pytest.raises(ValueError, match=f"^level must lie between 0 and 1; got {level}"):
        model.confidence_intervals(level=level)


def test_standard_errors_of_collinear_columns_are_nan():
    twice = np.column_stack([X, X[:, 0]])
    with pytest.warns(CollinearityWarning, match="column 4 can be made"):
        model = fl.fit(twice, T, l2=0)
    errors = model.standard_errors()
    assert np.isnan(errors).tolist() == [True, False, False, False, True, False]
    expected = fl.fit(X, T, l2=0).standard_errors()
    np.testing.assert_allclose(errors[[1, 2, 3, 5]], expected[[1, 2, 3, 4]], rtol=1e-6)
    assert "nan" in model.summary()
    assert "likelihood ratio" not in model.summary()


def test_a_penalised_model_has_no_standard_errors():
    model = fl.fit(X, T, l2=1.0)
    for method in (model.standard_errors, model.z_values, model.confidence_intervals):
        with pytest.raises(ValueError, match=r"trained with a penalty \(l2 = 1\.0\) has no"):
            method()
    with pytest.raises(ValueError, match="has no standard errors"):
        model.standard_errors(X)
    with pytest.raises(ValueError, match="has no standard errors"):
        fl.fit(X, T, l2=[0, 0, 0, 1]).standard_errors()


def test_a_converted_model_has_standard_errors_from_its_data():
    expected = reference()
    model = fl.LogisticModel(expected.params[:4], expected.params[4])
    np.testing.assert_allclose(model.standard_errors(X), expected.bse, rtol=1e-6)
    with pytest.raises(ValueError, match="stores no standard errors; pass the training data as X"):
        model.standard_errors()


def test_a_saved_model_keeps_its_standard_errors(tmp_path):
    model = fl.fit(X, T, l2=0)
    model.save(tmp_path / "model.json")
    again = fl.load(tmp_path / "model.json")
    np.testing.assert_array_equal(again.standard_errors(), model.standard_errors())
    assert again.summary() == model.summary()
