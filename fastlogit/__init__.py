"""fastlogit: the logistic function, its loss and its gradients, exact and fast.

>>> import fastlogit as fl
>>> fl.sigmoid([0.0, -745.1])
array([5.e-001, 5.e-324])

==========================  ================================================================
:mod:`fastlogit`            functions of each element (`sigmoid`, `logistic_loss`, ...) and sums
                            over an array of logits (`log_loss`, `log_loss_gradient`)
:mod:`fastlogit.classes`    the same for K classes (`softmax`, `softmax_log_loss`, ...)
:mod:`fastlogit.linear`     the same over a feature matrix, which is read once
`fit`, `LogisticModel`      train a model, predict, save; `load` reads a model
`score`                     score tables and files of any size
:mod:`fastlogit.scoring`    the same, and evaluation of the scores
:mod:`fastlogit.kernels`    functions of numbers for your own ``@njit`` code
:mod:`fastlogit.plot`       plots of the mathematics and of models
:mod:`fastlogit.sklearn`    a scikit-learn estimator
:mod:`fastlogit.dask`       Dask collections
``fastlogit --help``        the command line
==========================  ================================================================

The docstrings derive the mathematics step by step: `sigmoid` (odds and logits), `logistic_loss`
(the likelihood and its logarithm), `cross_entropy_derivative` and `residual` (the gradients).
Importing compiles nothing.  A kernel compiles at its first use, and is then cached on disk.
"""

from typing import TYPE_CHECKING

from fastlogit import elementwise as _elementwise
from fastlogit import linear
from fastlogit.classes import (
    log_softmax,
    log_sum_exp,
    softmax,
    softmax_log_loss,
    softmax_log_loss_gradient,
    softmax_loss,
    softmax_residual,
)
from fastlogit.core.version import __version__ as __version__
from fastlogit.losses import log_loss, log_loss_gradient
from fastlogit.models.conversion import from_sklearn, from_statsmodels
from fastlogit.models.model import LogisticModel, OffsetWarning, load
from fastlogit.scoring import score
from fastlogit.training.fit import fit
from fastlogit.training.messages import (
    CollinearityWarning,
    ConvergenceWarning,
    SeparationError,
    SeparationWarning,
)

if TYPE_CHECKING:
    # Type checkers read the names of the elementwise functions from their table.
    from fastlogit.kernels.functions import *  # noqa: F403
else:
    from fastlogit.elementwise import *  # noqa: F403

__all__ = [
    "CollinearityWarning",
    "ConvergenceWarning",
    "LogisticModel",
    "OffsetWarning",
    "SeparationError",
    "SeparationWarning",
    "fit",
    "from_sklearn",
    "from_statsmodels",
    "linear",
    "load",
    "log_loss",
    "log_loss_gradient",
    "log_softmax",
    "log_sum_exp",
    "score",
    "softmax",
    "softmax_log_loss",
    "softmax_log_loss_gradient",
    "softmax_loss",
    "softmax_residual",
]
__all__ += _elementwise.__all__
__all__.sort()
