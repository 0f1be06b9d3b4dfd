"""Tables with columns of text, streamed through a model."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.scoring import evaluate, score

MODEL = fl.LogisticModel(
    [0.5, 1.0, -2.0], 0.25, ("age", "from=JFK", "from=LGA"), categories={"from": ("JFK", "LGA")}
)
N = 3000
CODES = np.arange(N) % 2
DATA = pa.table(
    {
        "from": np.array(["JFK", "LGA"])[CODES],
        "late": CODES,
        "age": np.arange(N) / 16,
    }
)
LOGITS = 0.25 + DATA["age"].to_numpy() / 2 + np.array([1.0, -2.0])[CODES]


def logits(source, **options):
    batches = score(MODEL, source, output="logit", **options)
    return np.concatenate([batch["logit"].to_numpy() for batch in batches])


def as_parquet(path, table):
    pq.write_table(table, path, row_group_size=700)


def as_arrow(path, table):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, 700)


def as_folder(path, table):
    for name in ("JFK", "LGA"):
        folder = path / f"from={name}"
        folder.mkdir(parents=True)
        chosen = table.filter(pa.compute.field("from") == name).drop_columns("from")
        pq.write_table(chosen, folder / "1.parquet")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.parquet", as_parquet),
        ("x.arrow", as_arrow),
        ("x.csv", lambda path, table: pa.csv.write_csv(table, path)),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_files(tmp_path, name, write, encoded):
    table = DATA
    if encoded and name != "x.csv":
        table = table.set_column(0, "from", DATA["from"].dictionary_encode())
    write(tmp_path / name, table)
    np.testing.assert_array_equal(logits(tmp_path / name, batch_rows=500), LOGITS)


def test_a_folder_whose_names_are_the_categories(tmp_path):
    as_folder(tmp_path / "data", DATA)
    np.testing.assert_array_equal(
        logits(tmp_path / "data"), np.concatenate([LOGITS[0::2], LOGITS[1::2]])
    )


def test_numbers_of_a_csv_may_be_categories(tmp_path):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("k=01", "k=2"), categories={"k": ("01", "2", "3")})
    (tmp_path / "x.csv").write_text("k\n01\n2\n3\n")
    (batch,) = score(model, tmp_path / "x.csv", output="logit")
    assert batch["logit"].to_pylist() == [1.0, 2.0, 0.0]


UNKNOWN = DATA.set_column(
    0,
    "from",
    [["SFO" if row in (1234, 2999) else x for row, x in enumerate(DATA["from"].to_pylist())]],
)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_unknown_texts(tmp_path, suffix):
    source = tmp_path / f"x.{suffix}"
    (pa.csv.write_csv if suffix == "csv" else pq.write_table)(UNKNOWN, source)
    with pytest.raises(ValueError, match=r"x.\w+: column 'from' has 'SFO' in row 1234, which the "):
        score(MODEL, source, tmp_path / "y.parquet", batch_rows=500)
    assert not (tmp_path / "y.parquet").exists()
    done = score(MODEL, source, tmp_path / "y.parquet", batch_rows=500, unknown="ignore")
    assert done == (N, 0, 2)
    expected = LOGITS.copy()
    expected[[1234, 2999]] -= [1.0, -2.0]
    np.testing.assert_array_equal(
        pq.read_table(tmp_path / "y.parquet")["probability"], fl.sigmoid(expected)
    )


def test_nulls_follow_missing():
    texts = pa.array([None if row == 1234 else x for row, x in enumerate(DATA["from"].to_pylist())])
    source = DATA.set_column(0, "from", texts)
    with pytest.raises(ValueError, match="column 'from' is null in row 1234"):
        list(score(MODEL, source))
    assert np.flatnonzero(np.isnan(logits(source, missing="nan"))).tolist() == [1234]
    np.testing.assert_array_equal(logits(source, missing="skip"), np.delete(LOGITS, 1234))


def test_evaluation_reads_them_too():
    found = evaluate(MODEL, DATA, "late")
    assert found.log_loss == pytest.approx(fl.log_loss(LOGITS, CODES) / N, rel=1e-14)
    with pytest.raises(ValueError, match="has 'SFO' in row 1234"):
        evaluate(MODEL, UNKNOWN, "late")
    assert evaluate(MODEL, UNKNOWN, "late", unknown="ignore").rows == N


def test_columns_that_hold_no_text():
    source = DATA.set_column(0, "from", DATA["age"])
    with pytest.raises(ValueError, match=r"column 'from' must hold text, .*; it holds float64"):
        list(score(MODEL, source))


def test_columns_without_names(tmp_path):
    message = "columns of text must have names, as in the model"
    with pytest.raises(ValueError, match=f"ndarray: {message}"):
        list(score(MODEL, np.zeros((2, 3))))
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=f"x.npy: {message}"):
        list(score(MODEL, tmp_path / "x.npy"))


def test_a_null_within_a_dictionary_is_a_null():
    column = pa.DictionaryArray.from_arrays([0, 1, 0], ["JFK", None])
    source = pa.table({"from": column, "age": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="column 'from' is null in row 1"):
        list(score(MODEL, source))
    assert np.isnan(logits(source, missing="nan")).tolist() == [False, True, False]


@pytest.mark.parametrize("text", ["", "NA", "null"])
def test_what_stands_for_nothing_in_a_csv_is_a_null(tmp_path, text):
    (tmp_path / "x.csv").write_text(f"from,age\nJFK,1\n{text},2\n")
    with pytest.raises(ValueError, match="column 'from' is null in row 1"):
        list(score(MODEL, tmp_path / "x.csv"))


def test_files_of_a_folder_must_agree(tmp_path):
    pq.write_table(DATA, tmp_path / "1.parquet")
    pq.write_table(DATA.set_column(2, "age", DATA["from"]), tmp_path / "2.parquet")
    with pytest.raises(
        ValueError, match=r"'age' .* holds double in .*1\.parquet and string in .*2\."
    ):
        list(score(MODEL, tmp_path))
