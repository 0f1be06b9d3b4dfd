"""Dask: train on collections of a cluster, score and evaluate them, one partition at a time.

=================  =====================================================================
`fit`              train a model where the partitions are
`evaluate`         measures of a model's probabilities against labels
`decision`         logits of rows, lazily
`probability`      probabilities of rows, lazily
`predict`          labels of rows, lazily
`score`            several of these for each row of a data frame, lazily
=================  =====================================================================

Works with each of Dask's schedulers: threads, processes, and a cluster of
:mod:`distributed`.  Each partition is read on one thread, as the schedulers run several at a time.
"""

from fastlogit.dask.evaluation import evaluate
from fastlogit.dask.scoring import decision, predict, probability, score
from fastlogit.dask.training import fit

__all__ = ["decision", "evaluate", "fit", "predict", "probability", "score"]
