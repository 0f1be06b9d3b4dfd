"""Objectives of two classes over arrays, for the tests of training."""

from __future__ import annotations

import numpy as np

from fastlogit.matrix import as_matrix
from fastlogit.training.dataset import ArrayDataset
from fastlogit.training.family import Binomial
from fastlogit.training.objective import Objective
from fastlogit.training.penalty import l2_penalty


def binomial(X, t, l2=1.0, weight=None, offset=None, *, intercept=True, threads=1):
    """f of two classes; `l2` is for all columns, or one for each."""
    dataset = ArrayDataset(Binomial(), as_matrix(X), t, weight, offset, threads=threads)
    penalty = l2_penalty(np.asarray(l2, float), X.shape[1], 1, with_intercept=intercept)
    return Objective(dataset, penalty, with_intercept=intercept)
