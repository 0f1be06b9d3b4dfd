"""`fastlogit plot`: every picture, and the arguments that each takes."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastlogit as fl
from fastlogit import plot
from fastlogit.cli import main
from fastlogit.cli.plot import PICTURES
from tests.cli.commands import run

mpl.use("Agg")

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize(
    "words",
    [
        ["cross_entropy"],
        ["tails", "--function", "softplus"],
        ["coefficients", "model.json"],
        ["reliability", "model.json", "data.parquet", "--label", "t"],
    ],
    ids=lambda words: words[0],
)
def test_plot(here, capsys, words, kind):
    assert main(["plot", *words, "-o", f"picture.{kind}"]) == 0
    assert Path(f"picture.{kind}").read_bytes().startswith(STARTS[kind])
    assert capsys.readouterr() == ("", "")
    assert len(list(here.iterdir())) == 3


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["reliability", "roc", "precision_recall"])
def test_plot_reads_any_format_and_unknown_texts(name, capsys):
    model = fl.LogisticModel([1.0, 2.0], 0.0, ("x", "c=a"), categories={"c": ("a",)})
    model.save("text.json")
    Path("data.txt").write_text("t,x,c\n0,1,a\n1,2,b\n1,0,a\n0,1,b\n")
    words = ["plot", name, "text.json", "data.txt", "--label", "t", "-o", "x.svg"]
    assert main(words) == 1
    assert "the suffix must be one of" in capsys.readouterr().err
    assert main([*words, "--input-format", "csv"]) == 1
    assert "column 'c' has 'b' in row 1" in capsys.readouterr().err
    assert main([*words, "--input-format", "csv", "--unknown", "ignore"]) == 0


@pytest.mark.usefixtures("here")
def test_a_decision_boundary_of_any_format():
    Path("data.txt").write_text("t,x,k\n0,1,1\n1,2,0\n")
    words = ["plot", "decision_boundary", "model.json", "data.txt", "--label", "t", "-o", "x.svg"]
    assert main([*words, "--input-format", "csv"]) == 0


@pytest.mark.usefixtures("here")
def test_plot_needs_no_backend_of_a_notebook(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://there.is.none")
    done = run("plot", "logistic", "-o", "x.svg")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.usefixtures("here")
def test_plot_draws_every_picture():
    before = plt.get_fignums()
    assert sorted(PICTURES) == plot.__all__
    fl.fit(np.arange(6.0).reshape(6, 1), [0, 1, 0, 1, 0, 1]).save("trained.json")
    data = ["data.parquet", "--label", "t"]
    for name in PICTURES:
        takes = inspect.signature(getattr(plot, name)).parameters
        model = "trained.json" if name == "convergence" else "model.json"
        words = [model] * ("model" in takes) + data * ("X" in takes)
        assert main(["plot", name, *words, "-o", f"{name}.svg"]) == 0
    assert plt.get_fignums() == before


@pytest.mark.usefixtures("here")
def test_plot_draws_several_classes():
    coef = [[1.0, -0.5], [0.0, 1.0], [-1.0, -0.5]]
    fl.LogisticModel(coef, 0.0, ("x", "k"), classes=("a", "b", "c")).save("classes.json")
    rows = ["label,x,k", "a,1,0", "b,2,1", "c,3,0", "a,4,1"]
    Path("classes.csv").write_text("\n".join(rows) + "\n")
    assert main(["plot", "coefficients", "classes.json", "-o", "coefficients.svg"]) == 0
    for name in ("roc", "confusion-matrix", "decision-boundary"):
        words = ["classes.csv", "--label", "label", "-o", f"{name}.svg"]
        assert main(["plot", name, "classes.json", *words]) == 0
    assert "class b" in Path("roc.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["roc"], "roc needs MODEL"),
        (["roc", "model.json"], "roc needs DATA"),
        (["logistic", "model.json"], "logistic takes no MODEL; got 'model.json'"),
        (["coefficients", "model.json", "data.parquet"], "coefficients takes no DATA"),
        (["tails", "--label", "t"], "tails takes no --label; got 't'"),
        (["tails", "--input-format", "csv"], "tails takes no --input-format; got 'csv'"),
        (["tails", "--decimal", ","], "tails takes no --decimal; got ','"),
        (["logistic", "--threads", "2"], "logistic takes no --threads; got 2"),
        (["coefficients", "model.json", "--unknown", "error"], "coefficients takes no --unknown"),
        (["roc", "model.json", "data.parquet", "--function", "sigmoid"], "takes no --function"),
        (["sigmoid"], "invalid choice: 'sigmoid'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plot_reports_wrong_usage(here, capsys, words, message):
    with pytest.raises(SystemExit) as end:
        main(["plot", *words, "-o", "picture.png"])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
    assert not Path("picture.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["logistic", "-o", "x.gif"], "x.gif: a picture's name must end in .png, .svg, .pdf"),
        (["coefficients", "model.json", "-o", "data.parquet"], "data.parquet: a picture's name"),
        (["coefficients", "gone.json", "-o", "x.png"], "gone.json: No such file"),
        (["convergence", "model.json", "-o", "x.png"], "model must have a history"),
        (
            ["roc", "model.json", "data.parquet", "-o", "x.png"],
            "label must be given: the column of the labels",
        ),
        (
            ["roc", "model.json", "data.parquet", "--label", "tt", "-o", "x.png"],
            "data.parquet: has no column 'tt' (did you mean 't'?)",
        ),
        (["logistic", "-o", "gone/x.png"], "gone/x.png: cannot write here"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plot_fails_in_one_line(fails, words, message):
    assert message in fails("plot", *words)


def test_plot_replaces_a_file_only_with_force(fails, here):
    Path("x.svg").write_text("mine")
    assert "--force replaces it" in fails("plot", "logistic", "-o", "x.svg")
    assert main(["plot", "logistic", "-o", "x.svg", "--force"]) == 0
    assert Path("x.svg").read_text().startswith("<?xml")


def test_matplotlib_that_is_not_installed(fails, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("fastlogit.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(fl, "plot")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert "pip install 'fastlogit[plot]'" in fails("plot", "logistic", "-o", "x.svg")


@pytest.mark.usefixtures("here")
def test_names_take_hyphens_for_underscores():
    data = ["model.json", "data.parquet", "--label", "t"]
    assert main(["plot", "precision-recall", *data, "-o", "hyphen.svg"]) == 0
    assert "average precision" in Path("hyphen.svg").read_text()
    assert main(["plot", "tails", "--function", "sigmoid-derivative", "-o", "tails.svg"]) == 0
    assert "sigmoid_derivative(z)" in Path("tails.svg").read_text()
