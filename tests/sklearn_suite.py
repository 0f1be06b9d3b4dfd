"""scikit-learn's own tests of ``LogisticRegression``, run on fastlogit's.

``python -m tests.sklearn_suite`` swaps the class, runs the installed ``sklearn/linear_model/tests/
test_logistic.py``, and prints how many tests passed, failed and were left out.  Each failure needs
a reason in `REASONS`.  A failure without a reason, or a reason without a failure, is status 1.

A test is left out if it

- makes a ``LogisticRegressionCV``
- calls one of the private functions of that class
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from typing import Any

import pytest
import sklearn.linear_model
from sklearn.linear_model import _logistic

from fastlogit.sklearn import LogisticRegression

MODULE = "sklearn.linear_model.tests.test_logistic"
LEFT_OUT = {
    "LogisticRegressionCV": "needs LogisticRegressionCV",
    "_logistic_regression_path": "calls _logistic_regression_path",
    "_log_reg_scoring_path": "calls _log_reg_scoring_path",
}

# Reasons for failures, by a pattern of the test's name and parameters, for scikit-learn 1.9.
REASONS = {
    r"test_(LogisticRegression_)?elastic_net_.*": "there is no l1 penalty",
    r"test_saga_vs_liblinear.*-1\]": "there is no l1 penalty",
    r"test_(logreg_l1|liblinear_not_stuck|lr_penalty_l1ratio_incompatible).*": (
        "there is no l1 penalty"
    ),
    r"test_sample_and_class_weight_equivalence_liblinear.*": "there is no l1 penalty",
    r"test_logisticregression_liblinear_sample_weight.*params0\]": "there is no l1 penalty",
    r"test_l1_ratio_non_elasticnet": "there is no l1 penalty: an error, where a warning is wanted",
    r"test_elasticnet_l1_ratio_err_helpful.*": "there is no l1 penalty: the error says so",
    r"test_liblinear_dual_random_state.*": "there is no dual solver: dual=True is refused",
    r"test_logisticregression_liblinear_sample_weight.*params1\]": (
        "there is no dual solver: dual=True is refused"
    ),
    r"test_(penalty_deprecated|l1_ratio_None_deprecated).*": "no parameter is deprecated",
    r"test_max_iter.*": "it warns in other words, the same for every solver",
    r"test_newton_cholesky_fallback_to_lbfgs": "it warns in other words: Newton needs no fallback",
    r"test_dtype_match.*-liblinear\]": "coefficients of float32 data are float32 for every solver",
    r"test_large_sparse_matrix.*": "sparse matrices with 64-bit indices are taken",
    r"test_liblinear_with_large_values": "values above 1e30 are taken",
    r"test_logistic_regression_callback_fitted_estimator.*": (
        "callbacks get a fitted_estimator at the end of the fit, not of an iteration"
    ),
    r"test_check_solver_option.*|test_liblinear_multiclass_raises.*": "errors have other words",
    r"test_logisticregression_warns_with_n_jobs": "n_jobs has an effect",
    r"test_logreg_predict_proba_multinomial.*": "calls _predict_proba_lr",
    r"test_logistic_regression_callback_support\[0\]": "max_iter=0 has no iteration that does work",
    r"test_logistic_regression_callback_support_warning": "callbacks are called for every solver",
}


def swap() -> None:
    """Replace scikit-learn's class by ours, before the tests import it."""
    sklearn.linear_model.LogisticRegression = LogisticRegression
    for name, reason in LEFT_OUT.items():
        module = sklearn.linear_model if hasattr(sklearn.linear_model, name) else _logistic
        setattr(module, name, lambda *_, reason=reason, **__: pytest.skip(reason))


class Recorder:
    """A pytest plugin that keeps the outcome of each test."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: dict[str, str] = {}
        self.left_out: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a test."""
        if report.skipped:
            reason = report.longrepr[2].removeprefix("Skipped: ")
            is_ours = reason in LEFT_OUT.values()
            self.left_out[reason if is_ours else "skipped by scikit-learn"] += 1
        elif report.failed:
            message = report.longrepr.reprcrash.message.splitlines()[0]
            self.failed[report.nodeid.rpartition("::")[2]] = message
        elif report.when == "call":
            self.passed += 1


def main() -> int:
    """Run the tests, print a summary, and return the exit status."""
    swap()
    recorder = Recorder()
    options = ["-q", "--no-header", "--no-summary", "--tb=no", "-p", "no:cacheprovider"]
    pytest.main([*options, "-c", os.devnull, "--pyargs", MODULE], plugins=[recorder])

    by_reason: dict[str, list[str]] = {}
    unused = set(REASONS)
    unexplained = 0
    for name, message in sorted(recorder.failed.items()):
        patterns = [pattern for pattern in REASONS if re.fullmatch(pattern, name)]
        unused -= set(patterns)
        unexplained += not patterns
        reason = REASONS[patterns[0]] if patterns else f"NO REASON for {name}: {message}"
        by_reason.setdefault(reason, []).append(name.partition("[")[0])
    print(f"\nscikit-learn {sklearn.__version__}: {recorder.passed} passed")
    for reason, count in sorted(recorder.left_out.items()):
        print(f"{count} left out: {reason}")
    print(f"{len(recorder.failed)} failed:")
    for reason, names in sorted(by_reason.items()):
        print(f"{len(names):4}  {reason}\n      ({', '.join(sorted(set(names)))})")
    for pattern in sorted(unused):
        print(f"NO FAILURE for the reason of {pattern}")
    return int(bool(unexplained or unused or not recorder.passed))


if __name__ == "__main__":
    sys.exit(main())
