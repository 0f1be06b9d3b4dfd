"""Score tables with a model, and evaluate the scores.

model_columns  the columns of a table that a model needs, and their logits
scorer         a batch of a table as output columns
row_scorer     record batches of an engine as one column
run            score a whole table into a file; resume an interrupted run
journal        the finished batches of a run
observations   the rows of a table with their logits and labels
evaluation     log-loss, accuracy, AUC and calibration
multiclass     the same of more than two classes
measures       calibration, for any number of classes
roc            the area under the ROC curve
"""

from fastlogit.scoring.evaluation import Evaluation, evaluate
from fastlogit.scoring.multiclass import MulticlassEvaluation
from fastlogit.scoring.run import Scored, score
from fastlogit.tables.csv_options import CSVOptions
from fastlogit.training.table.reading import TrainingData, read_table

__all__ = [
    "CSVOptions",
    "Evaluation",
    "MulticlassEvaluation",
    "Scored",
    "TrainingData",
    "evaluate",
    "read_table",
    "score",
]
