"""The features of a table, and the errors where rows or columns are not fit for training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.scoring import read_table
from tests.scoring_data import write


def test_missing_values_in_another_column_and_another_row(tmp_path):
    source = write(pa.table({"t": [0.0, None], "x": [None, None]}), tmp_path / "in.csv")
    message = r"column 'x' has no value in any row \(ignore=\['x'\] leaves out that column\)$"
    with pytest.raises(ValueError, match=message):
        read_table(source, "t")
    source = write(pa.table({"t": [0.0], "x": [np.nan]}), tmp_path / "in.parquet")
    with pytest.raises(ValueError, match="column 'x' has no value in any row"):
        read_table(source, "t")


def test_nothing_to_train_on_is_an_error(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"late": [1.0]}), path)
    with pytest.raises(ValueError, match="has no column besides column 'late'"):
        read_table(path, "late")
    pq.write_table(pa.table({"late": pa.array([], "f8"), "a": pa.array([], "f8")}), path)
    with pytest.raises(ValueError, match=r"has no rows$"):
        read_table(path, "late")
    pq.write_table(pa.table({"late": [1.0], "a": [np.nan]}), path)
    with pytest.raises(ValueError, match="column 'a' has no value in any row"):
        read_table(path, "late", missing="skip")
    pq.write_table(pa.table({"late": [1.0, None], "a": [np.nan, 2.0]}), path)
    with pytest.raises(ValueError, match="has no rows without a missing value"):
        read_table(path, "late", missing="skip")


@pytest.mark.parametrize("missing", ["error", "skip"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("empty", [[""], ["u", "w"], ["t"], ["weight", "u"]])
def test_an_error_names_all_empty_columns_and_the_remedy(tmp_path, suffix, empty, missing):
    columns = {"x": [1.0, None, 3.0], "t": [0, 1, 1]} | dict.fromkeys(empty, [None] * 3)
    source = write(pa.table(columns), tmp_path / f"in{suffix}")
    weight = "weight" if "weight" in empty else None
    with pytest.raises(ValueError, match=" no value in any row") as error:
        read_table(source, "t", weight=weight, missing=missing)
    names = ", ".join(sorted(map(repr, empty), key=lambda name: "weight" in name))
    told = f"column {names} has" if len(empty) == 1 else f"columns {names} have"
    assert f": {told} no value" in str(error.value)
    left_out = [name for name in empty if name not in ("t", "weight")]
    assert (f"(ignore={left_out!r} leaves out th" in str(error.value)) == bool(left_out)
    if left_out == empty:
        found = read_table(source, "t", missing="skip", ignore=empty)
        assert found.X.tolist() == [[1.0], [3.0]]


def test_the_column_behind_a_trailing_delimiter_is_left_out_with_an_option(tmp_path, capsys):
    source = tmp_path / "in.csv"
    source.write_text("x,t,\n1,0,\n2,1,\n3,1,\n4,0,\n")
    command = ["train", str(source), "--label", "t", "-o", str(tmp_path / "model.json")]
    assert main(command) == 1
    assert "column '' has no value in any row (--ignore '' leaves out" in capsys.readouterr().err
    assert main([*command, "--ignore", ""]) == 0


def test_one_category_and_nothing_else_has_no_feature_without_a_penalty():
    with pytest.raises(ValueError, match="must have a column that is not the same everywhere"):
        read_table({"t": [0, 1], "k": ["a", "a"]}, "t", drop_first=True)
    found = read_table({"t": [0, 1], "k": ["a", "a"], "x": [1, 2]}, "t", drop_first=True)
    assert found.feature_names == ("x",)
    assert found.X.toarray().tolist() == [[1], [2]]


def test_without_an_intercept_one_column_keeps_all_its_categories():
    table = {"t": [0, 1, 1, 0], "k": list("abab"), "j": list("uvvu"), "x": [1.0, 2, 3, 4]}
    found = read_table(table, "t", drop_first=True, intercept=False)
    assert found.feature_names == ("x", "k=a", "k=b", "j=v")
    assert found.X.toarray().tolist() == [[1, 1, 0, 0], [2, 0, 1, 1], [3, 1, 0, 1], [4, 0, 1, 0]]


@pytest.mark.parametrize("drop_first", [False, True])
def test_features_of_one_name_are_an_error(drop_first):
    table = {"t": [0, 1], "color": ["blue", "red"], "color=blue": [1.0, 2.0]}
    with pytest.raises(ValueError, match="'color=blue' is a feature twice, once of 'color'"):
        read_table(table, "t", drop_first=drop_first)
    table = {"t": [0, 1, 0], "a": ["b=c", "z", "z"], "a=b": ["c", "w", "c"]}
    with pytest.raises(ValueError, match="dict: 'a=b=c' is a feature twice, once of 'a=b'"):
        read_table(table, "t", drop_first=drop_first)


RARE = {
    "k": ["b", "a", "b", "c", "a", "b", None],
    "x": [1.0, 2, 3, 4, 5, 6, 7],
    "t": [0, 1, 1, 0, 0, 1, 1],
}


@pytest.mark.parametrize(
    ("min_count", "categories"),
    [(1, ("a", "b", "c")), (2, ("a", "b", None)), (3, ("b", None)), (4, (None,))],
)
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rare_categories_share_a_feature(tmp_path, suffix, min_count, categories):
    source = write(pa.table(RARE), tmp_path / f"in{suffix}")
    places = [categories.index(text if text in categories else None) for text in RARE["k"][:-1]]
    X = np.column_stack([RARE["x"][:-1], np.eye(len(categories))[places]])
    names = ["x", *("k (all others)" if one is None else f"k={one}" for one in categories)]
    for first in (0, 1):
        found = read_table(source, "t", missing="skip", min_count=min_count, drop_first=first == 1)
        assert found.categories == {"k": categories}
        assert found.feature_names == ("x", *names[1 + first :])
        np.testing.assert_array_equal(found.X.toarray(), np.delete(X, slice(1, 1 + first), axis=1))


def test_only_rows_that_are_kept_count():
    table = RARE | {"x": [1.0, 2, 3, None, None, 6, 7]}
    assert read_table(table, "t", missing="skip").categories == {"k": ("a", "b")}
    assert read_table(table, "t", missing="skip", min_count=2).categories == {"k": ("b", None)}


def test_the_name_of_a_group_may_be_taken():
    table = {"t": [0, 1, 1], "k": ["a", "a", "b"], "k (all others)": [1.0, 2.0, 3.0]}
    assert read_table(table, "t").feature_names == ("k (all others)", "k=a", "k=b")
    with pytest.raises(ValueError, match=r"'k \(all others\)' is a feature twice, once of 'k'"):
        read_table(table, "t", min_count=2)


@given(
    texts=st.lists(st.sampled_from(["a", "b", "c", "dé", "", "=", "k"]), min_size=4, max_size=60),
    min_count=st.integers(1, 9),
    l2=st.sampled_from([0.5, 2.0]),
)
@settings(max_examples=25)
def test_a_group_is_a_category_that_replaces_rare_texts(tmp_path_factory, texts, min_count, l2):
    rows, path = len(texts), tmp_path_factory.getbasetemp() / "group.json"
    table = {"x": np.arange(rows) % 3, "t": np.arange(rows) % 2, "k": texts}
    last = "\uffff"  # after all other texts
    by_hand = [one if texts.count(one) >= min_count else last for one in texts]
    models = []
    for column, options in ((texts, {"min_count": min_count}), (by_hand, {})):
        data = read_table(table | {"k": column}, "t", categorical=["k"], **options)
        model = fl.fit(data.X, data.t, l2=l2, feature_names=data.feature_names)
        models.append(dataclasses.replace(model, categories=data.categories))
    grouped, expected = models
    features = {"x": table["x"], "k": by_hand}
    z = expected.decision(features)
    grouped.save(path)
    for model in (grouped, fl.load(path)):
        np.testing.assert_array_equal(model.decision(features | {"k": texts}), z)
        if last in by_hand:
            never_seen = [one if one != last else "never seen" for one in by_hand]
            np.testing.assert_array_equal(model.decision(features | {"k": never_seen}), z)


_SPELLINGS = ["true", "True", "TRUE", "false", "False", "1", "0", "2", "maybe"]


@given(st.lists(st.sampled_from(_SPELLINGS), min_size=2, max_size=30), st.integers(1, 6))
def test_training_and_scoring_agree_on_booleans_and_rare_texts(texts, min_count):
    t = np.arange(len(texts)) % 2
    data = read_table({"k": texts, "t": t}, "t", categorical=["k"], min_count=min_count)
    coef = 2.0 ** np.arange(data.X.shape[1])
    model = fl.LogisticModel(coef, 0.0, data.feature_names, categories=data.categories)
    np.testing.assert_array_equal(model.decision({"k": texts}), data.X @ coef)
    assert (data.X.sum(axis=0) > 0).all()


# Many texts --------------------------------------------------------------------------------

ID = {"x": np.arange(90.0), "id": [f"a{row // 3}" for row in range(90)], "t": [0, 1, 1] * 30}


@pytest.mark.parametrize("out_of_core", [False, True])
def test_too_many_categories_are_an_error_with_the_remedies(monkeypatch, out_of_core):
    monkeypatch.setattr("fastlogit.training.table.features.MOST_CATEGORIES", 29)
    message = (
        r"^dict: column 'id' must have at most 29 categories; got 30 "
        r"\(a larger min_count groups those of few rows; ignore=\['id'\] leaves it out\)$"
    )
    for categorical in ((), ("id",)):
        with pytest.raises(ValueError, match=message):
            fl.fit(ID, label="t", categorical=categorical, out_of_core=out_of_core)
    with pytest.warns(UserWarning, match="so all are one category"):
        model = fl.fit(ID, label="t", min_count=4, out_of_core=out_of_core)
    assert model.categories == {"id": (None,)}


def test_too_many_texts_are_an_error_while_they_are_read(monkeypatch):
    monkeypatch.setattr("fastlogit.training.partitions.survey.MOST_TEXTS", 25)
    monkeypatch.setattr("fastlogit.tables.table.MOST_ROWS", 16)
    message = (
        r"^dict: column 'id' must have at most 25 different texts; got \d+ "
        r"\(ignore=\['id'\] leaves it out\)$"
    )
    with pytest.raises(ValueError, match=message):
        fl.fit(ID, label="t", min_count=4, out_of_core=True)
