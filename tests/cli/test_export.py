"""`fastlogit export`: SQL to a file or standard output, and errors before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

import fastlogit as fl
from fastlogit.cli import main

EXPORT = ["export", "model.json", "--to", "sql"]


def test_a_query_in_a_file(here, capsys):
    assert main([*EXPORT, "--table", "data.parquet", "-o", "q.sql"]) == 0
    assert capsys.readouterr() == ("", "")
    text = Path("q.sql").read_text(encoding="utf-8")
    model = fl.load("model.json")
    assert text == model.to_sql(table="data.parquet") + "\n"
    rows = duckdb.sql(text).fetchnumpy()
    X = np.column_stack([rows["x"], rows["k"]])
    np.testing.assert_allclose(rows["probability"], model.predict_proba(X)[:, 1], rtol=1e-15)


def test_an_expression_on_standard_output(here, capsys):
    options = ["--dialect", "postgres", "--output", "label"]
    assert main([*EXPORT, *options, "-o", "-"]) == 0
    out, err = capsys.readouterr()
    assert out == fl.load("model.json").to_sql("postgres", "label") + "\n"
    assert err == ""
    assert not Path("-").exists()


def test_all_options_of_sql(here, capsys):
    model = fl.LogisticModel(
        [2.0], 0.5, ("c=a",), categories={"c": ("a",)}, with_offset=True
    )  # fmt: skip
    model.save("model.json")
    options = ["--table", "s", "t", "--offset", "w", "--unknown", "ignore", "--dialect", "ansi"]
    assert main([*EXPORT, *options, "-o", "q.sql"]) == 0
    expected = model.to_sql("ansi", table=["s", "t"], offset="w", unknown="ignore")
    assert Path("q.sql").read_text() == expected + "\n"
    assert main([*EXPORT, "-o", "q.sql", "--force"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("fastlogit: warning: --offset must be given, as the model was trained")


def test_an_output_that_exists(fails, here):
    (here / "q.sql").touch()
    assert "q.sql: exists already (--force replaces it)" in fails(*EXPORT, "-o", "q.sql")
    message = "model.json: is a file to read; give the output another name"
    assert message in fails(*EXPORT, "-o", "model.json", "--force")


def test_errors_name_options(fails, here):
    message = fails(*EXPORT, "--unknown", "nan", "-o", "q.sql")
    assert message == "fastlogit: error: --unknown must be 'null' or 'ignore'; got 'nan'\n"
    assert "--offset must be one column" in fails(
        *EXPORT, "--offset", "u", "--offset", "v", "-o", "q.sql"
    )
    assert "gone.json: No such file or directory" in fails(
        "export", "gone.json", "--to", "sql", "-o", "q.sql"
    )
    fl.LogisticModel([1.0]).save("model.json")
    assert "a model without feature_names has no column names" in fails(*EXPORT, "-o", "q.sql")


def test_standard_output_that_is_closed(here, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert main([*EXPORT, "-o", "-"]) == 1
    assert capsys.readouterr().err.endswith("error: standard output is closed\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "sql", "--dtype", "float32", "-o", "q.sql"], "--to sql takes no --dtype"),
        (["--to", "sql", "--compat", "-o", "q.sql"], "--to sql takes no --compat"),
        (["--to", "pmml", "-o", "m.pmml"], "invalid choice: 'pmml'"),
        (["-o", "q.sql"], "required: --to"),
        (["--to", "sql"], "required: -o/--out"),
    ],
)
def test_wrong_usage(here, capsys, options, message):
    with pytest.raises(SystemExit) as end:
        main(["export", "model.json", *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(fl.LogisticModel, "to_onnx"), reason="models have no to_onnx yet")
def test_onnx_and_scikit_learn(here, capsys):
    onnx, joblib = pytest.importorskip("onnx"), pytest.importorskip("joblib")
    model = fl.load("model.json")
    assert main(["export", "model.json", "--to", "onnx", "--dtype", "float32", "-o", "m.onnx"]) == 0
    assert onnx.load("m.onnx") == model.to_onnx(dtype="float32")
    assert main(["export", "model.json", "--to", "sklearn", "-o", "m.joblib"]) == 0
    np.testing.assert_array_equal(joblib.load("m.joblib").coef_, [model.coef])
    assert capsys.readouterr() == ("", "")
    with pytest.raises(SystemExit):
        main(["export", "model.json", "--to", "onnx", "--dialect", "ansi", "-o", "m.onnx"])
    assert "--to onnx takes no --dialect" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "model.json", "--to", "onnx", "-o", "-"])
    assert "--out - must go with --to sql" in capsys.readouterr().err
