"""Files streamed through a model, and files to train one on.

:mod:`~fastlogit.scoring.sources` reads a file in batches, :mod:`~fastlogit.scoring.sinks`
writes one, and :mod:`~fastlogit.scoring.stream` goes from one to the other.
"""

from fastlogit.scoring.stream import score
from fastlogit.scoring.training import TrainingData, read_table

__all__ = ["TrainingData", "read_table", "score"]
