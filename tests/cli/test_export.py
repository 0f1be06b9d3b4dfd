"""`fastlogit export`: SQL to a file or standard output, and errors before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import joblib
import numpy as np
import onnx
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
        (["--to", "pmml", "--names", "a", "b", "-o", "m.pmml"], "--to pmml takes no --names"),
        (["-o", "q.sql"], "required: --to"),
        (["--to", "sql"], "required: -o/--out"),
    ],
)
def test_wrong_usage(here, capsys, options, message):
    with pytest.raises(SystemExit) as end:
        main(["export", "model.json", *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


LARGE, OFFSET = fl.LogisticModel([1e300]), fl.LogisticModel([1.0], with_offset=True)
TEXT = fl.LogisticModel([1.0], 0.0, ("c=a",), categories={"c": ("a",)})
LABEL = fl.LogisticModel([1.0], 0.0, ("label",))
PAIR = fl.LogisticModel([1.0, 2.0], 0.0, ("a", "A"))


@pytest.mark.parametrize(
    ("target", "model", "options", "message"),
    [
        ("onnx", LARGE, "--dtype float32", "--dtype must be 'float64', as float32 cannot hold"),
        ("onnx", LARGE, "--compat", "--compat must not go with large coefficients: float32"),
        ("onnx", OFFSET, "--compat", "--compat must not go with a model with an offset"),
        ("onnx", TEXT, "--compat", "--compat must not go with a model with categories"),
        ("onnx", TEXT, "--unknown null", "--unknown must be 'nan' or 'ignore'; got 'null'"),
        (
            "onnx",
            LABEL,
            "--names label",
            "--names must differ from each other and from the graph's",
        ),
        ("onnx", LABEL, "--names a b", "--names must have one name for each column, 1; got 2"),
        ("onnx", PAIR, "--names a a", "--names must differ; got 'a' more than once"),
        ("sql", LARGE, "", "model must have feature_names, as columns are found by name (train it"),
        ("sql", LABEL, "--output label", "--names must differ from each other and from the"),
        ("sql", LABEL, "--offset label", "--offset must be a column of its own, not that of a"),
        ("sql", LABEL, "--table s ", "--table must have a name; got ['s', '']"),
        ("sql", PAIR, "", "feature_names and offset must be names of different columns"),
        ("sql", PAIR, "--unknown error", "--unknown must be 'null' or 'ignore'; got 'error'"),
        (
            "sklearn",
            OFFSET,
            "",
            "model must be trained without an offset, as scikit-learn has none",
        ),
        ("sklearn", TEXT, "--unknown nan", "--unknown must be 'error' or 'ignore'; got 'nan'"),
        ("pmml", OFFSET, "", "model must be trained without an offset, as PMML has none"),
        ("pmml", TEXT, "--unknown null", "--unknown must be 'error' or 'ignore'; got 'null'"),
    ],
)
def test_every_error_of_a_target_names_options(fails, target, model, options, message):
    model.save("model.json")
    given = options.split(" ") if options else []
    error = fails("export", "model.json", "--to", target, *given, "-o", "out")
    assert error.startswith(f"fastlogit: error: {message}")


def test_pmml(here, capsys):
    assert main(["export", "model.json", "--to", "pmml", "-o", "m.pmml"]) == 0
    fl.load("model.json").to_pmml("expected.pmml")
    assert Path("m.pmml").read_bytes() == Path("expected.pmml").read_bytes()
    assert main(["export", "model.json", "--to", "pmml", "-o", "m.pmml"]) == 1
    assert "m.pmml: exists already (--force replaces it)" in capsys.readouterr().err


def test_names_of_inputs_of_onnx(here):
    options = ["--names", "x", "k", "-o", "m.onnx"]
    assert main(["export", "model.json", "--to", "onnx", *options]) == 0
    inputs = onnx.load("m.onnx").graph.input
    assert [one.name for one in inputs] == ["x", "k"]


def test_onnx_and_scikit_learn(here, capsys):
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
