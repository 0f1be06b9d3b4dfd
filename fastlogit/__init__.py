"""fastlogit: the logistic function, its loss and its gradients, exact and fast.

>>> import fastlogit as fl
>>> fl.sigmoid([0.0, -745.1])
array([5.e-001, 5.e-324])

==========================  ===========================================================
:mod:`fastlogit`            element by element (`sigmoid`, `logistic_loss`, ...) and summed
                            over an array of logits (`log_loss`, `log_loss_gradient`)
:mod:`fastlogit.linear`     the same over a feature matrix, reading it once
`fit`, `LogisticModel`      train, predict, save and `load` a model
:mod:`fastlogit.kernels`    scalar functions for your own ``@njit`` code
`score`                     stream tables and files of any size through a model
:mod:`fastlogit.scoring`    that, and how good the scores are
``fastlogit --help``        the command line
==========================  ===========================================================

Importing compiles nothing; kernels are compiled at first use, and kept in a cache.
"""

from fastlogit import linear
from fastlogit.conversion import from_sklearn, from_statsmodels
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
from fastlogit.model import LogisticModel, load
from fastlogit.scoring import score
from fastlogit.trainer import fit

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
