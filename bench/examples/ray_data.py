"""Train on a dataset of Ray Data: its blocks stay in the object store, and tasks read them.

    pip install '.[cli]' 'ray[data]' && python -m bench.examples.ray_data

θ goes to the object store once in each pass, and each task returns sums.  Ray repeats lost tasks;
neither that nor the number of workers changes any bit of the model.
"""

import pyarrow.parquet as pq
import ray

from fastlogit import partitions
from fastlogit.data import flights_path


class RayPartitions(partitions.Partitions):
    """The blocks of a dataset, which is computed once and then kept in the object store."""

    def __init__(self, data):
        self.header = partitions.header("data", data.schema().base_schema)
        self.blocks = data.to_arrow_refs()

    def count(self, _):
        return len(self.blocks)

    def run(self, task, wanted):
        shared = ray.put((task, wanted, self.header))

        @ray.remote
        def work(shared, number, block):
            return partitions.compute(*shared, number, block.to_batches())

        results = [work.remote(shared, number, block) for number, block in enumerate(self.blocks)]
        return partitions.merged(task, map(ray.get, results))


def main():
    """Train on the flights, in four blocks."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        data = ray.data.from_arrow(pq.read_table(flights_path())).repartition(4)
        model = partitions.fit(RayPartitions(data), "late", missing="skip")
        print(f"{model.passes} passes, gradient norm {model.gradient_norm:.0e}")
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
