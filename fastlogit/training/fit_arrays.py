"""From arrays to a model: the problem, its training, and the model of the result."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fastlogit.models.fields import History, checked_classes
from fastlogit.models.model import LogisticModel
from fastlogit.training import problem
from fastlogit.training.family import from_targets
from fastlogit.training.trainer import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from fastlogit.training.dataset import Dataset
    from fastlogit.training.options import Options
    from fastlogit.training.targets import ClassWeight, Label

    # The categories of each column of text.
    Categories = dict[str, tuple[str | None, ...]]


class Trained(NamedTuple):
    """A model, warnings about its optimum, and the rows on which it was trained."""

    model: LogisticModel
    warnings: list[Warning]
    dataset: Dataset


def fit_arrays(
    X: Any,
    t: ArrayLike,
    options: Options,
    *,
    l2: float | ArrayLike,
    weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    classes: Sequence[Label] | None = None,
    offset: ArrayLike | None = None,
    start: LogisticModel | None = None,
    feature_names: Sequence[str] | None = None,
    categories: Categories | None = None,
    began: float | None = None,
) -> Trained:
    """Train on arrays; see :func:`fastlogit.fit`.  Warnings are not issued.

    `categories` belong to the model, and `began` is when its data began to be read.
    """
    began = time.perf_counter() if began is None else began
    check_start(start)
    labels = None if classes is None else checked_classes(classes)
    checked = problem.check(
        X,
        t,
        options,
        partial(from_targets, classes=labels),
        l2=l2,
        weight=weight,
        class_weight=class_weight,
        offset=offset,
        start=start,
        feature_names=feature_names,
    )
    return train_problem(checked, options, began, categories)


def check_start(start: Any) -> None:
    """Raise a TypeError if a start is no model."""
    if not isinstance(start, LogisticModel | None):
        raise TypeError(f"start must be a LogisticModel; got {type(start).__name__}")


def train_problem(
    checked: problem.Problem,
    options: Options,
    began: float,
    categories: Categories | None = None,
) -> Trained:
    """Train on a problem; see `fit_arrays`."""
    classes, dataset = checked_classes(checked.classes), checked.dataset
    if options.checkpoint is not None:
        dataset.keep_results(options.checkpoint)
    result = train(
        dataset,
        checked.penalty,
        options,
        start=checked.start,
        names=checked.names,
        classes=classes,
        began=began,
    )
    coef, intercept = checked.coefficients(result.theta)
    null = math.nan
    if not checked.with_offset:
        null = dataset.family.mean_null_log_loss(
            dataset.class_weights, with_intercept=options.intercept
        )
    seconds = time.perf_counter() - began
    history = History(*zip(*result.history, strict=True))
    if options.checkpoint is not None:  # parts may have run at different times
        seconds = math.nan
        history = history._replace(seconds=(math.nan,) * len(history.seconds))
    model = LogisticModel(
        coef=coef,
        intercept=intercept,
        feature_names=checked.names,
        classes=classes,
        with_intercept=options.intercept,
        l2=checked.l2,
        mean_log_loss=result.loss / dataset.total_weight,
        mean_null_log_loss=null,
        total_weight=dataset.total_weight,
        gradient_norm=result.gradient_norm,
        converged=result.converged,
        passes=result.passes,
        solver=result.solver,
        seconds=seconds,
        history=history,
        variances=result.variances,
        categories=categories or {},
        with_offset=checked.with_offset,
    )
    return Trained(model, result.warnings, dataset)
