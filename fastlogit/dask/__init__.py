"""Dask: train on collections of a cluster, and score them, one partition at a time.

=================  =====================================================================
`fit`              train a model where the partitions are
`decision`         logits of rows, lazily
`probability`      probabilities of rows, lazily
=================  =====================================================================

Works with each of Dask's schedulers: threads, processes, and a cluster of
:mod:`distributed`.  Each partition is read on one thread, as the schedulers run several at a time.
"""

from fastlogit.dask.scoring import decision, probability
from fastlogit.dask.training import fit

__all__ = ["decision", "fit", "probability"]
