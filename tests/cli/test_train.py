"""`fastlogit train`: its options, its summary, and the remedies that its errors name."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import fastlogit as fl
from fastlogit.cli import main
from fastlogit.models import file
from fastlogit.tables.table import Table
from tests.cli.commands import ROWS, TRAIN, raising


def test_train(here, capsys):
    assert main(["train", "data.parquet", "--label", "t", "-o", "trained.json", "--l2", "0.5"]) == 0
    out, err = capsys.readouterr()
    model = fl.load("trained.json")
    again = fl.fit(np.column_stack([ROWS["x"], ROWS["k"]]), ROWS["t"], l2=0.5)
    np.testing.assert_array_equal(model.coef, again.coef)
    assert model.feature_names == ("x", "k")
    assert dict(re.split(" {2,}", line) for line in out.splitlines()) == {
        "rows": "5",
        "features": "2",
        "mean log-loss": f"{model.mean_log_loss:.6f}",
        "solver": "newton",
        "passes": str(model.passes),
        "seconds": mock.ANY,
        "converged": "yes",
        "gradient norm": f"{model.gradient_norm:.1e}",
        "model": "trained.json",
    }
    assert re.search(r"^seconds        \d+\.\d, any compilation included$", out, re.MULTILINE)
    assert err == ""


def test_train_on_an_array_with_a_label_from_the_end(here):
    np.save("data.npy", np.column_stack([ROWS["x"], ROWS["k"], ROWS["t"]]))
    command = ["train", "data.npy", "--label", "-1", "-o", "trained.json", "--no-intercept"]
    assert main(command) == 0
    model = fl.load("trained.json")
    assert model.feature_names is None
    assert model.intercept == 0.0


def test_train_reports_skipped_rows(here, capsys):
    pq.write_table(pa.table({**ROWS, "x": [0.5, None, 1.0, 0.0, np.nan]}), "gaps.parquet")
    assert main(["train", "gaps.parquet", "--label", "t", "-o", "m.json", "--missing", "skip"]) == 0
    out, err = capsys.readouterr()
    assert err == "fastlogit: note: left out 2 rows of gaps.parquet with a missing value\n"
    assert "rows           3\n" in out


def test_train_warns_when_it_did_not_converge(here, capsys):
    train = ["train", "data.parquet", "--label", "t", "-o", "m.json"]
    assert main([*train, "--max-passes", "2"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("fastlogit: warning: not converged after 2 passes: ")
    assert re.search("above --tol 1e-08; .*--max-passes", err)
    assert "max_passes" not in err
    assert "converged      NO\n" in out
    assert not fl.load("m.json").converged


def test_missing_label(fails):
    message = "data.parquet: --label must be given: the column of the labels\n"
    assert message in fails("train", "data.parquet", "-o", "m.json")
    assert "data.parquet: has no column 'tt' (did you mean 't'?)" in fails(
        "train", "data.parquet", "--label", "tt", "-o", "m.json"
    )


def test_labels_that_are_measured_are_an_error(fails):
    pq.write_table(pa.table({**ROWS, "t": [0, 1, 2.5, 0, 1]}), "data.parquet")
    message = (
        "data.parquet: column 't' must have two different labels, or more that are whole numbers, "
        "or lie between 0 and 1; got 3: 0.0, 1.0, 2.5 (2.5 in row 2)\n"
    )
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "m.json")


def test_a_feature_that_is_infinite(fails):
    pq.write_table(pa.table({**ROWS, "x": [0.5, np.inf, 2.0, 0.0, 1.0]}), "data.parquet")
    message = "data.parquet: column 'x' must be finite; got inf in row 1"
    assert message in fails("train", "data.parquet", "--label", "t", "-o", "m.json")


@pytest.mark.usefixtures("here")
def test_standard_input_is_named(monkeypatch, capsys):
    text = b"t,x\n0,1\n1,2\n1,NA\n0,1\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text))))
    words = ["train", "-", "--label", "t", "--missing", "skip", "-o", "trained.json"]
    assert main(words) == 0
    assert "note: left out 1 row of standard input with a missing value" in capsys.readouterr().err


def test_a_spreadsheet_is_trained_on_by_following_the_errors(here, capsys):
    rng = np.random.default_rng(5)
    lines = [";Datum;Einkommen;Distanz;Stadt;Abo;Kunde;gekauft"]
    for row in range(80):
        income = rng.integers(900, 9000)
        amount = f"{income // 1000}.{income % 1000:03d},50" if income >= 1000 else f"{income},50"
        distance = {3: "", 5: " ", 7: "k.A."}.get(row, f"{row % 9},{row % 7}")
        city, member = ["Köln", "Bonn"][row % 2], ["True", "False"][row % 3 // 2]
        bought = "ja" if income + 2000 * rng.normal() > 5000 else "nein"
        day = f"{row % 28 + 1:02d}.02.2024"
        cells = [row, day, amount, distance, city, member, f"K{row:03d}", bought]
        lines.append(";".join(map(str, cells)))
    Path("kunden.csv").write_bytes("\n".join(lines).encode("cp1252"))

    command, model = ["train", "kunden.csv", "-o", "m.json"], "m.json"
    for message, remedy in [
        ("must be UTF-8 text", "--encoding cp1252"),
        ("has ';' and no ','", "--delimiter ';'"),
        ("--label must be given", "--label gekauft"),
        ("column 'Distanz' has 2 missing values in 80 rows", "--missing skip"),
        ("column 'Einkommen' looks like formatted numbers", "--thousands . --decimal ,"),
        ("column 'Datum' looks like dates or times", "--ignore Datum"),
        ("as 'k.A.' in row 7", "--null-values k.A. NA N/A NULL null"),
        ("column 'Kunde' has 77 different texts in 77 rows", "--ignore Kunde"),
    ]:
        assert main(command) == 1
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert message in err
        assert remedy.split()[0] in err
        if not remedy.startswith(("--label", "--ignore")):
            assert remedy in err
        command += shlex.split(remedy)
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "rows           77\n" in out
    assert err == (
        "fastlogit: note: left out column '' of kunden.csv, which is an index of the rows (under "
        "another name it is a feature)\n"
        "fastlogit: note: left out 3 rows of kunden.csv with a missing value\n"
    )
    trained = fl.load(model)
    assert trained.feature_names == ("Einkommen", "Distanz", "Abo", "Stadt=Bonn", "Stadt=Köln")
    assert trained.classes == ("ja", "nein")

    how = [*shlex.split("--encoding cp1252 --delimiter ';' --thousands . --decimal ,")]
    how += ["--null-values", "k.A."]
    score = ["score", model, "kunden.csv", "-o", "y.csv", "--missing", "skip", "--output", "label"]
    assert main([*score, "--keep", "Kunde", *how, "-q"]) == 0
    assert len(Path("y.csv").read_text().splitlines()) == 78
    first = Path("y.csv").read_text().splitlines()[1].replace('"', "")
    assert first in ("K000,ja", "K000,nein")
    assert main(["evaluate", model, "kunden.csv", "--label", "gekauft", *how, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_log_loss"] == pytest.approx(
        trained.mean_log_loss
    )


TRUE_OR_FALSE = "x,is,late\n0.5,True,no\n2,False,yes\n1,True,yes\n0,True,no\n-0.5,False,yes\n"


def test_labels_and_features_of_any_kind_go_through_all_commands(here, capsys):
    Path("in.csv").write_text(TRUE_OR_FALSE)
    assert main(["train", "in.csv", "--label", "late", "-o", "m.json"]) == 0
    model = fl.load("m.json")
    assert (model.classes, model.feature_names) == (("no", "yes"), ("x", "is"))
    X = np.column_stack([[0.5, 2, 1, 0, -0.5], [1, 0, 1, 1, 0]])
    np.testing.assert_array_equal(model.coef, fl.fit(X, [0, 1, 1, 0, 1]).coef)
    assert main(["score", "m.json", "in.csv", "-o", "y.csv", "--output", "label", "-q"]) == 0
    written = [line.strip('"') for line in Path("y.csv").read_text().split()[1:]]
    assert written == model.predict(X).tolist()
    capsys.readouterr()
    assert main(["evaluate", "m.json", "in.csv", "--label", "late", "--json"]) == 0
    accuracy = json.loads(capsys.readouterr().out)["accuracy"]
    assert accuracy == np.mean(model.predict(X) == ["no", "yes", "yes", "no", "yes"])
    assert main(["plot", "roc", "m.json", "in.csv", "--label", "late", "-o", "x.svg"]) == 0

    train = ["train", "in.csv", "--label", "late", "--force", "-o", "m.json"]
    assert main([*train, "--positive", "no"]) == 0
    other = fl.load("m.json")
    assert other.classes == ("yes", "no")
    np.testing.assert_allclose(other.coef, -model.coef, rtol=1e-6)
    assert main([*train[:2], "--label", "is", *train[4:], "--categorical", "late"]) == 0
    assert fl.load("m.json").classes == (False, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--positive", "maybe"],
            "--positive must be a label of column 'late', 'no' or 'yes'; got",
        ),
        (
            ["--weight", "late"],
            "--weight must be a column of its own; got column 'late', which is the lab",
        ),
        (["--weight", "x"], "column 'x' must be finite and not negative, as it is the weight; got"),
        (["--offset", "z"], "has no column 'z'"),
        (["--input-format", "excel"], "--input-format must be one of parquet, "),
    ],
)
def test_options_of_train_are_named_in_errors(fails, options, message):
    Path("in.csv").write_text(TRUE_OR_FALSE)
    assert message in fails("train", "in.csv", "--label", "late", "-o", "m.json", *options)


def test_train_takes_weights_and_offsets(here):
    table = {**ROWS, "w": [1, 2, 1, 3, 0], "o": [0.5, 0.0, -1.0, 0.0, 2.0]}
    pq.write_table(pa.table(table), "data.parquet")
    assert main([*TRAIN, "--weight", "w", "--offset", "o"]) == 0
    model = fl.load("m.json")
    X = np.column_stack([ROWS["x"], ROWS["k"]])
    expected = fl.fit(X, ROWS["t"], weight=table["w"], offset=table["o"])
    np.testing.assert_array_equal(model.coef, expected.coef)
    assert model.intercept == expected.intercept
    assert model.feature_names == ("x", "k")


def test_train_takes_libsvm(here, capsys):
    Path("in.txt").write_text("+1 1:0.5 3:1\n-1 1:-1\n+1 2:3\n-1 3:0.5\n")
    train = ["train", "in.txt", "--input-format", "libsvm", "-o", "svm.json"]
    assert main(train) == 0
    assert "features       3\n" in capsys.readouterr().out
    assert main([*train, "--columns", "5", "--force"]) == 0
    model = fl.load("svm.json")
    assert (model.coef.size, model.classes, model.feature_names) == (5, (-1, 1), None)
    options = ["--input-format", "libsvm", "--json"]
    capsys.readouterr()
    assert main(["evaluate", "svm.json", "in.txt", *options]) == 0
    assert json.loads(capsys.readouterr().out)["mean_log_loss"] == pytest.approx(
        model.mean_log_loss
    )
    assert main([*train, "--label", "0", "--force"]) == 1
    assert "--label must not be given for LIBSVM" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "options", "line"),
    [
        (["no", "yes"], [], "positive       'yes' (--positive chooses)"),
        (["no", "yes"], ["--positive", "no"], "positive       'no' (--positive chooses)"),
        (["1", "2"], [], "positive       2 (--positive chooses)"),
        (["-1", "1"], [], "positive       1 (--positive chooses)"),
        (["0", "1"], ["--positive", "0"], "positive       0 (--positive chooses)"),
        (["0", "1"], [], None),
        (["False", "True"], [], None),
        (["0.25", "1"], [], None),
    ],
)
def test_the_summary_names_the_positive_label(here, capsys, labels, options, line):
    rows = "".join(f"{x},{labels[x in (2, 3, 5)]}\n" for x in range(6))
    (here / "labels.csv").write_text(f"x,t\n{rows}")
    command = ["train", "labels.csv", "--label", "t", "-o", "trained.json", "--l2", "0.1"]
    assert main([*command, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [one for one in lines if one.startswith("positive")] == [line] * (line is not None)


FLOWERS = "".join(
    f"{x / 10},{('rose', 'lily', 'iris')[(x * x) % 7 % 3]},{x % 4 + 1}\n" for x in range(60)
)


def test_more_than_two_labels_go_through_all_commands(here, capsys):
    Path("in.csv").write_text(f"x,kind,room\n{FLOWERS}")
    train = ["train", "in.csv", "-o", "m.json", "--force", "--label"]
    assert main([*train, "kind"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        "classes        3: 'iris', 'lily', 'rose'",
        "rarest class   'rose', 9 rows",
    ]
    assert "features       2" in lines
    model = fl.load("m.json")
    assert model.classes == ("iris", "lily", "rose")
    X = np.array([[x / 10, x % 4 + 1] for x in range(60)])
    kinds = [line.split(",")[1] for line in FLOWERS.split()]
    np.testing.assert_allclose(model.coef, fl.fit(X, kinds).coef, rtol=1e-12)
    score = ["score", "m.json", "in.csv", "-o", "y.csv", "--force", "-q"]
    assert main(score) == 0
    head, *rows = Path("y.csv").read_text().split()
    assert head == '"probability_iris","probability_lily","probability_rose"'
    written = [[float(cell) for cell in row.split(",")] for row in rows]
    np.testing.assert_allclose(written, model.predict_proba(X), rtol=1e-14)
    outputs = ["--output", "label", "--output", "label-probability", "--name", "k", "--name", "p"]
    assert main([*score, *outputs]) == 0
    head, *rows = Path("y.csv").read_text().split()
    assert head == '"k","p"'
    assert [row.split(",")[0].strip('"') for row in rows] == model.predict(X).tolist()
    written = [float(row.split(",")[1]) for row in rows]
    np.testing.assert_allclose(written, model.predict_proba(X).max(axis=1), rtol=1e-14)
    capsys.readouterr()
    evaluate = ["evaluate", "m.json", "in.csv", "--label", "kind"]
    assert main([*evaluate, "--top", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mean_log_loss"] == pytest.approx(model.mean_log_loss)
    accuracy = np.mean(model.predict(X) == kinds)
    assert found["accuracy"] == found["top_accuracy"]["1"] == accuracy
    assert main(evaluate) == 0
    assert "in the top 2 " in capsys.readouterr().out
    for command, message in [
        ([*evaluate, "--threshold", "0.2"], "--threshold must go with two classes; the model has"),
        ([*evaluate, "--top", "3"], "--top must be below the number of classes, 3; got 3"),
        ([*score, "--name", "p"], "--name must have one name for each column of the output, 3; go"),
        ([*evaluate[:3], "--label", "room"], "column 'room' is a feature of the model"),
        ([*train, "kind", "--positive", "iris"], "--positive must go with two labels; column 'ki"),
        ([*train, "kind", "--offset", "x"], "--offset must be 3 columns, one for each label; got"),
        ([*train, "x"], "column 'x' must have two different labels, or more that are whole numb"),
    ]:
        assert main(command) == 1
        assert message in capsys.readouterr().err


def test_labels_of_one_to_k_and_an_offset_each(here, capsys):
    Path("in.svm").write_text("".join(f"{x % 3 + 1}.000000 1:{x * x % 7}\n" for x in range(20)))
    assert main(["train", "in.svm", "-o", "m.json"]) == 0
    assert "classes        3: 1, 2, 3\n" in capsys.readouterr().out
    assert main(["evaluate", "m.json", "in.svm", "--json"]) == 0
    Path("more.svm").write_text("4 1:2\n")
    assert main(["evaluate", "m.json", "more.svm"]) == 1
    assert "more.svm: the label must be one of 1, 2, 3; got 4.0 in row 0" in capsys.readouterr().err
    table = {"x": [0.5, 1.5, 2.5, 3.5, 4.5], "t": [1, 2, 3, 1, 2]}
    offsets = {"a": [0.0, 1.0, 2.0, 3.0, 4.0], "b": [1.0, 0.0, 0.0, 1.0, 0.0], "c": [0.0] * 5}
    pq.write_table(pa.table(table | offsets), "data.parquet")
    words = [word for name in offsets for word in ("--offset", name)]
    assert main(["train", "data.parquet", "--label", "t", "-o", "m.json", "--force", *words]) == 0
    expected = fl.fit(
        np.transpose([table["x"]]), table["t"], offset=np.transpose(list(offsets.values()))
    )
    np.testing.assert_array_equal(fl.load("m.json").coef, expected.coef)
    assert main(["score", "m.json", "data.parquet", "-o", "y.parquet", *words]) == 0
    np.testing.assert_allclose(
        np.column_stack(pq.read_table("y.parquet").columns),
        expected.predict_proba(
            np.transpose([table["x"]]), offset=np.transpose(list(offsets.values()))
        ),
        rtol=1e-12,
    )


def test_labels_may_be_probabilities(here, capsys):
    table = {"x": [0.5, 1.5, 2.5], "a": [0.5, 1, 0], "b": [0.25, 0, 0], "c": [0.25, 0, 1]}
    pq.write_table(pa.table(table), "data.parquet")
    words = [word for name in "bac" for word in ("--label", name)]
    assert main(["train", "data.parquet", *words, "-o", "m.json"]) == 0
    out = capsys.readouterr().out
    assert "classes        3: 'b', 'a', 'c'\n" in out
    assert "rarest class" not in out
    model = fl.load("m.json")
    t = np.transpose([table[name] for name in "bac"])
    np.testing.assert_array_equal(model.coef, fl.fit(np.transpose([table["x"]]), t).coef)
    assert model.classes == ("b", "a", "c")


def test_train_notes_a_category_for_each_row(here, capsys):
    rows = "".join(f"name{x},{x % 2}\n" for x in range(20))
    (here / "names.csv").write_text(f"k,t\n{rows}")
    assert main(["train", "names.csv", "--label", "t", "-o", "trained.json"]) == 0
    assert capsys.readouterr().err == (
        "fastlogit: note: column 'k' of names.csv has a category for each of its 20 rows "
        "(--ignore k leaves it out)\n"
    )


def test_text_is_trained_on_and_scored(here, capsys):
    rows = 300
    table = pa.table(
        {
            "x": np.arange(rows) / rows,
            "k": np.array(["a", "b", "c"])[np.arange(rows) % 3],
            "t": np.arange(rows) % 2,
            "id": [f"row {row}" for row in range(rows)],
        }
    )
    pq.write_table(table, "text.parquet")
    train = ["train", "text.parquet", "--label", "t", "--ignore", "id", "-o", "text.json"]
    assert main(train) == 0
    model = fl.load("text.json")
    assert model.feature_names == ("x", "k=a", "k=b", "k=c")
    assert model.categories == {"k": ("a", "b", "c")}
    assert main([*train, "--l2", "0", "--force"]) == 0
    model = fl.load("text.json")
    assert model.feature_names == ("x", "k=b", "k=c")
    assert model.converged
    pa.csv.write_csv(table.append_column("k2", table["k"]), "text.csv")
    assert main(["score", "text.json", "text.csv", "-o", "y.parquet"]) == 0
    expected = model.predict_proba(table.select(["x", "k"]))[:, 1]
    np.testing.assert_array_equal(pq.read_table("y.parquet")["probability"], expected)
    capsys.readouterr()

    pa.csv.write_csv(table.set_column(1, "k", [["d"] * rows]), "text.csv")
    command = ["score", "text.json", "text.csv", "-o", "z.parquet"]
    assert main(command) == 1
    assert capsys.readouterr().err == (
        "fastlogit: error: text.csv: column 'k' has 'd' in row 0, which the model does not know "
        "(--unknown ignore scores such rows as if that column added nothing)\n"
    )
    assert main([*command, "--unknown", "ignore"]) == 0
    assert "note: ignored 300 values of unknown categories\n" in capsys.readouterr().err


def test_rare_categories_are_grouped(here, capsys):
    table = {"x": [0.5, 1, 2, 3, 4, 5], "k": list("aabbcd"), "id": list("uvwxyz"), "t": [0, 1] * 3}
    pq.write_table(pa.table(table), "text.parquet")
    command = ["train", "text.parquet", "--label", "t", "--min-count", "2", "-o", "text.json"]
    assert main(command) == 0
    assert capsys.readouterr().err == (
        "fastlogit: note: column 'id' of text.parquet has fewer than 2 rows of each text, so all "
        "are one category (--ignore id leaves it out)\n"
    )
    model = fl.load("text.json")
    assert model.categories == {"k": ("a", "b", None), "id": (None,)}
    assert model.feature_names == ("x", "k=a", "k=b", "k (all others)", "id (all others)")
    pq.write_table(pa.table(table | {"k": list("aabbef")}), "new.parquet")
    for name in ("text", "new"):
        assert main(["score", "text.json", f"{name}.parquet", "-o", f"{name}.npy"]) == 0
    np.testing.assert_array_equal(np.load("new.npy"), np.load("text.npy"))
    assert main([*command, "--ignore", "id", "--l2", "0", "--force"]) == 0
    assert fl.load("text.json").feature_names == ("x", "k=b", "k (all others)")


def test_errors_of_late_text_in_a_csv_name_the_remedies(fails, monkeypatch):
    monkeypatch.setattr("fastlogit.tables.text_file._BLOCK_BYTES", 64)
    Path("x.csv").write_text("t,x\n" + "0,1\n1,2\n" * 50 + "1,abc\n")
    message = fails("train", "x.csv", "--label", "t", "-o", "y.json")
    assert "row 100: CSV conversion error to double: invalid value 'abc'" in message
    assert "(--categorical x takes it as text, --ignore x leaves it out)" in message


# Checkpoints ------------------------------------------------------------------------------


def test_a_checkpoint_is_kept_until_the_model_is_saved(here, capsys, monkeypatch):
    command = [*TRAIN, "--l2", "0.5", "--checkpoint", "run.ckpt", "-q"]
    with monkeypatch.context() as patched:
        patched.setattr(file, "write", raising(RuntimeError))
        with pytest.raises(RuntimeError):
            main(command)
    kept = Path("run.ckpt").read_bytes()
    assert main(command) == 1
    assert "run.ckpt: exists already (--resume goes on with it; " in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert not Path("run.ckpt").exists()
    model = Path("m.json").read_bytes()
    # To resume a run that was killed at its very end, or has ended, is no error.
    for left in (kept, None):
        if left is not None:
            Path("run.ckpt").write_bytes(left)
        assert main([*command, "--resume"]) == 0
        assert not Path("run.ckpt").exists()
        assert Path("m.json").read_bytes() == model
    assert np.isnan(fl.load("m.json").seconds)
    Path("run.ckpt").write_bytes(kept)
    assert main([*command, "--force"]) == 0
    assert Path("m.json").read_bytes() == model
    Path("run.ckpt").write_bytes(kept)
    assert main([*command[:6], "--checkpoint", "run.ckpt", "--resume"]) == 1
    assert capsys.readouterr().err.endswith(OTHER_MODEL)
    assert Path("run.ckpt").exists()
    assert Path("m.json").read_bytes() == model


OTHER_MODEL = "m.json: exists already, and is another model (--force replaces it)\n"


@pytest.mark.parametrize("options", [("--l2", "0"), ("--no-intercept",), ("--ignore", "x"), ()])
def test_resume_refuses_another_model_before_any_read(here, capsys, monkeypatch, options):
    command = [*TRAIN, "-q"]
    assert main([*command, *options]) == 0
    if not options:
        Path("m.json").write_text("{}")
    monkeypatch.setattr(Table, "read", raising(RuntimeError))
    monkeypatch.setattr(Table, "map", raising(RuntimeError))
    assert main([*command, "--checkpoint", "run.ckpt", "--resume"]) == 1
    assert capsys.readouterr().err.endswith(OTHER_MODEL)
    assert not Path("run.ckpt").exists()


@pytest.mark.parametrize("options", [("--categorical", "k", "--l2", "0"), ("--ignore", "k")])
def test_resume_takes_the_model_of_the_same_run(here, options):
    command = [*TRAIN, *options, "--checkpoint", "run.ckpt", "-q"]
    assert main(command) == 0
    model = Path("m.json").read_bytes()
    assert main([*command, "--resume"]) == 0
    assert Path("m.json").read_bytes() == model


def test_a_checkpoint_is_a_file_of_its_own(fails):
    assert "--checkpoint must be another file than the model; got m.json" in fails(
        *TRAIN, "--checkpoint", "m.json"
    )
    assert "data.parquet: is a file to read; give the output another name" in fails(
        *TRAIN, "--checkpoint", "data.parquet", "--force"
    )
    assert "model.json: is no checkpoint of a training" in fails(
        *TRAIN, "--checkpoint", "model.json", "--force"
    )
    assert "--resume must go with checkpoint, the file to" in fails(*TRAIN, "--resume")


def test_a_table_is_trained_on_out_of_core(here, capsys):
    assert main([*TRAIN, "--out-of-core"]) == 0
    assert "rows           5\n" in capsys.readouterr().out
    model = fl.load("m.json")
    again = fl.fit(np.column_stack([ROWS["x"], ROWS["k"]]), ROWS["t"])
    np.testing.assert_allclose(model.coef, again.coef, rtol=1e-9)
    assert model.passes == again.passes + 1
