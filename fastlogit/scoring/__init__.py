"""Tables streamed through a model, and files to train one on.

sources      what is read: a table of any format, batch by batch
  table        what all of them are
  columnar     Parquet, Arrow, CSV
  positional   NPY, NPZ, LIBSVM, arrays
  folders      many files as one
  partitions   data frames of Dask
  texts        blocks of whole lines
  csv_options  how a CSV is written
logits       what a model makes of a batch
predictions  what is written of it
sinks        what is written
journal      what a run that dies leaves, to be taken up again
stream       from one to the other
overlap      reading, scoring and writing at the same time
targets      the labels of a table, as t
categories   which texts are categories
labelled     the rows of a table with their logits and labels
evaluation   how good the predictions are
training     a whole file as X and t
"""

from fastlogit.scoring.evaluation import Evaluation, evaluate
from fastlogit.scoring.run import Scored, score
from fastlogit.tables.csv_options import CSVOptions
from fastlogit.training.table import TrainingData, read_table

__all__ = ["CSVOptions", "Evaluation", "Scored", "TrainingData", "evaluate", "read_table", "score"]
