"""fastlogit: the logistic function, its loss and its gradients, exact and fast.

>>> import fastlogit as fl
>>> fl.sigmoid([0.0, -745.1])
array([5.e-001, 5.e-324])

==========================  ===========================================================
:mod:`fastlogit`            element by element (`sigmoid`, `logistic_loss`, ...) and summed
                            over an array of logits (`log_loss`, `log_loss_gradient`)
:mod:`fastlogit.linear`     the same over a feature matrix, reading it once
`fit`, `LogisticModel`      train, predict, save and `load` a model
`score`                     stream tables and files of any size through a model
:mod:`fastlogit.scoring`    that, and how good the scores are
:mod:`fastlogit.kernels`    scalar functions for your own ``@njit`` code
:mod:`fastlogit.plot`       the mathematics and models in pictures
:mod:`fastlogit.sklearn`    the estimator of scikit-learn's name, and `from_sklearn`
:mod:`fastlogit.dask`       lazy arrays
``fastlogit --help``        the command line
==========================  ===========================================================

The mathematics is derived step by step in `sigmoid` (odds and logits), `logistic_loss` (the
likelihood and its logarithm), `cross_entropy_derivative` and `residual` (the gradients).
Importing compiles nothing; kernels are compiled at first use, and kept in a cache.
"""

from fastlogit import linear
from fastlogit.elementwise import (
    cross_entropy,
    cross_entropy_derivative,
    log_sigmoid,
    logistic_loss,
    logit,
    residual,
    sigmoid,
    sigmoid_derivative,
    softplus,
)
from fastlogit.losses import log_loss, log_loss_gradient
from fastlogit.models.conversion import from_sklearn, from_statsmodels
from fastlogit.models.model import LogisticModel, load
from fastlogit.scoring import score
from fastlogit.training.fit import fit

__version__ = "0.1.0"

__all__ = [
    "LogisticModel",
    "cross_entropy",
    "cross_entropy_derivative",
    "fit",
    "from_sklearn",
    "from_statsmodels",
    "linear",
    "load",
    "log_loss",
    "log_loss_gradient",
    "log_sigmoid",
    "logistic_loss",
    "logit",
    "residual",
    "score",
    "sigmoid",
    "sigmoid_derivative",
    "softplus",
]
