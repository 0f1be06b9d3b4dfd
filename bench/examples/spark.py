"""Train on a data frame of Spark: `mapInArrow` runs each pass where the partitions are.

    pip install '.[cli]' pyspark && python -m bench.examples.spark

A pass is one job of Spark.  Its tasks get θ in their closure, and return sums.  Spark repeats lost
tasks; neither that nor the number of executors changes any bit of the model.
"""

import pickle

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from fastlogit import partitions
from fastlogit.data import flights_path


class SparkPartitions(partitions.Partitions):
    """The partitions of a data frame, which must be the same each time it is computed."""

    def __init__(self, frame):
        self.frame = frame
        self.header = partitions.header("frame", to_arrow_schema(frame.schema))

    def count(self, _):
        return self.frame.rdd.getNumPartitions()

    def run(self, task, wanted):
        header, names = self.header, [self.header.names[column] for column in wanted.columns]

        def work(record_batches):
            number = TaskContext.get().partitionId()
            result = partitions.compute(task, wanted, header, number, record_batches)
            yield pa.record_batch({"number": [number], "result": [pickle.dumps(result)]})

        rows = self.frame.select(names).mapInArrow(work, "number long, result binary").collect()
        return partitions.merged(task, (pickle.loads(row.result) for row in sorted(rows)))


def main():
    """Train on the flights."""
    with SparkSession.builder.master("local[2]").getOrCreate() as spark:
        spark.sparkContext.setLogLevel("ERROR")
        frame = spark.read.parquet(str(flights_path())).repartition(4).persist()
        model = partitions.fit(SparkPartitions(frame), "late", missing="skip")
        print(f"{model.passes} passes, gradient norm {model.gradient_norm:.0e}")


if __name__ == "__main__":
    main()
