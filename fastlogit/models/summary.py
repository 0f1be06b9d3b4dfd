"""The summary of a model: a table of the estimates below facts about the fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastlogit.core import checks
from fastlogit.models import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Longest name, in characters.
_LONGEST_NAME = 60


class _Part(NamedTuple):
    """The estimates of one part of the table, with a title and standard errors if there are any."""

    title: str
    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None


def text(
    model: Any,
    estimates: NDArray[np.float64],
    errors: NDArray[np.float64] | None,
    level: float,
) -> str:
    """The summary of a `LogisticModel` with these estimates and standard errors, if it has some.

    Of K classes, the estimates have a row for each; with errors, a row for each but the first.
    """
    names = list(model.feature_names or (f"x{j}" for j in range(model.coef.shape[-1])))
    names = [*map(_on_one_line, names), *["(intercept)"] * model.with_intercept]
    if estimates.ndim == 1:
        return _table(_facts(model), names, [_Part("", estimates, errors)], level)
    titles = [f"class {_on_one_line(repr(label))}" for label in model.classes]
    if errors is not None:
        titles = [f"{title} minus {titles[0]}" for title in titles[1:]]
    each = [None] * len(titles) if errors is None else list(errors)
    return _table(_facts(model), names, list(map(_Part, titles, estimates, each)), level)


def _on_one_line(name: str) -> str:
    """A name as a summary shows it."""
    return " ".join(checks.cut(name, _LONGEST_NAME).split())


def _facts(model: Any) -> list[tuple[str, str]]:
    """The head of a summary: names and values."""
    penalty = "one for each column" if np.ndim(model.l2) else f"{model.l2:g}"
    count = len(model.classes)
    facts = [
        ("probability of", checks.shown(model.classes[1]))
        if count == 2
        else ("classes", str(count)),
        ("l2 penalty", penalty if np.any(model.l2) else "none"),
    ]
    if model.with_offset:
        facts += [("offset", "yes, predictions need one")]
    if model.solver is None:
        return [*facts, ("converged", "not known")]
    facts += [
        ("observations", f"{model.total_weight:.10g}"),
        ("solver", model.solver),
        ("converged", f"{'yes' if model.converged else 'NO'}, {model.passes} passes"),
        ("gradient norm", f"{model.gradient_norm:.1e}"),
    ]
    likelihood = statistics.Likelihood(
        -model.mean_log_loss * model.total_weight,
        -model.mean_null_log_loss * model.total_weight,
        (count - 1) * model.coef.shape[-1],
    )
    facts += [("log-likelihood", f"{likelihood.model:.6g}")]
    if not math.isnan(model.mean_null_log_loss):
        facts += [
            ("null log-likelihood", f"{likelihood.null:.6g}"),
            ("pseudo R² (McFadden)", f"{likelihood.pseudo_r_squared:.4g}"),
        ]
        if model.variances is not None and not np.isnan(model.variances).any():
            facts += [("likelihood ratio p", f"{likelihood.p_value:.3g}")]
    return facts


def _table(
    facts: Sequence[tuple[str, str]], names: Sequence[str], parts: Sequence[_Part], level: float
) -> str:
    """Lay out facts in two columns, then one row for each estimate below the title of its part."""
    header = ["", "coef"]
    if parts[0].errors is not None:
        tail = f"{(1.0 - level) / 2.0:.4g}"
        header += ["std err", "z", "P>|z|", f"[{tail}", f"{1.0 - float(tail):.4g}]"]
    nothing = [""] * (len(header) - 1)
    rows = []
    for part in parts:
        rows += [[part.title, *nothing]] * bool(part.title)
        rows += [[name, *row] for name, row in zip(names, _cells(part, level), strict=True)]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in [header, *rows]
    ]
    half = -(-len(facts) // 2)
    left = max((len(name) + 2 + len(value) for name, value in facts[:half]), default=0)
    first = []
    for i in range(half):
        cells = [f"{name}: {value}" for name, value in facts[i::half]]
        first.append("   ".join([cells[0].ljust(left), *cells[1:]]).rstrip())
    width = max(map(len, [*first, *lines]))
    rule = "-" * width
    return "\n".join(["=" * width, *first, rule, lines[0], rule, *lines[1:], "=" * width])


def _cells(part: _Part, level: float) -> list[list[str]]:
    """The numbers of each estimate as text."""
    rows = [[f"{value:.6g}"] for value in part.values]
    if part.errors is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = part.values / part.errors
        ends = statistics.confidence_intervals(part.values, part.errors, level)
        for row, *numbers in zip(rows, part.errors, z, statistics.p_values(z), ends, strict=True):
            error, score, p, (low, high) = numbers
            row += [f"{error:.4g}", f"{score:.3f}", f"{p:.3f}", f"{low:.4g}", f"{high:.4g}"]
    return rows
