"""Results of batches are merged in a tree that depends on nothing but their number."""

from __future__ import annotations

import pytest

from fastlogit.tables.source import open_table
from fastlogit.training.partitions.contract import FAN_IN, Merger, as_header, merged


class Brackets:
    """A task whose results show the tree."""

    name = "brackets"

    def merge(self, results):
        assert len(results) > 1
        return f"({' '.join(results)})"


def level_by_level(results):
    while len(results) > 1:
        groups = [results[i : i + FAN_IN] for i in range(0, len(results), FAN_IN)]
        results = [Brackets().merge(one) if len(one) > 1 else one[0] for one in groups]
    return results[0] if results else None


def test_the_tree_is_that_of_merging_level_by_level():
    for count in (*range(2 * FAN_IN**2 + 2), FAN_IN**3 - 1, FAN_IN**3, FAN_IN**3 + 1):
        results = list(map(str, range(count)))
        assert merged(Brackets(), results) == level_by_level(results)


def test_batches_without_a_result_leave_no_trace():
    results = list(map(str, range(FAN_IN + 3)))
    sparse = [one for result in results for one in (None, result, None)]
    assert merged(Brackets(), sparse) == merged(Brackets(), results)
    assert merged(Brackets(), [None, None]) is None


def test_few_results_are_held():
    merger = Merger(Brackets())
    for number in range(FAN_IN**4):
        merger.add(str(number))
        assert sum(map(len, merger._levels)) <= 4 * FAN_IN


def test_the_result_can_be_asked_for_again():
    merger = Merger(Brackets())
    for number in range(FAN_IN + 1):
        merger.add(str(number))
    assert merger.result() == merger.result()


def test_a_header_reads_nothing():
    table = open_table({"x": [1.0, 2.0]})
    header = as_header(table)
    assert (header.name, header.names, header.files) == (table.name, ("x",), ())
    with pytest.raises(AssertionError, match="only the source reads"):
        list(header.read(header.want([0])))
