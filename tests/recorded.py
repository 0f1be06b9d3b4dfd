"""Results of the public interface and the commands for fixed inputs, compared with recorded.json.

* `BITS`: one digest for each result of our own kernels, whose bits are equal on every processor.
* `NUMBERS`: results that depend on LAPACK, and the output of the commands.  Floats are compared
  within a tolerance, everything else exactly.

``python -m tests.recorded`` writes recorded.json again.  Do that only after a deliberate change
of results, and read the diff.  ``python -m tests.recorded --bits`` compares the digests and names
those that differ; set NUMBA_CPU_NAME to compare another instruction set.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import json
import math
import re
import shlex
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import joblib
import numba
import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as pads
import pyarrow.feather
import pyarrow.parquet as pq
from scipy import sparse
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression

import fastlogit as fl
import fastlogit.dask
import fastlogit.sklearn
from fastlogit import cli, kernels
from fastlogit import elementwise as elementwise_functions
from tests.references.multiprecision import adversarial, digest

FILE = Path(__file__).with_suffix(".json")
# Keys of JSON that were renamed after the recording: {"old": "new"}.
RENAMED: dict[str, str] = {}
# LAPACK rounds differently on other processors; solvers end 1e-5 standard errors off the optimum.
RELATIVE, ABSOLUTE = 1e-9, 1e-11
# Parts of text, and keys of JSON, that change from run to run; they are recorded as "#".
VOLATILE = [
    (r" *[\d.,]+ (s\b|rows/s|MB)", r" # \1"),
    (r"[\d.]+ times as fast", "# times as fast"),
    (r"(seconds|gradient norm):? +[\d.e+-]+", r"\1 #"),
    (r"# s  (compiled|ready) +", "# s  "),
    (r"\d+ compiled, kept in .*", "# compiled, kept in #"),
    (r"/\S+/", "/"),
    (r'(?<=fastlogit" version=)"[^"]+"', "#"),
    (r"usage: [^:]*\n(?=fastlogit)", ""),
]
VOLATILE_KEYS = {"seconds"}

FUNCTIONS = {
    name: tuple(key for key in inspect.signature(getattr(fl, name)).parameters if key in "zyt")
    for name in elementwise_functions.__all__
}


def random(seed: int, *shape: int) -> np.ndarray:
    """Numbers in [0, 1) with the same bits on every processor."""
    return np.random.Generator(np.random.PCG64(seed)).random(shape)


# Bits -------------------------------------------------------------------------------------


def points(arguments: tuple[str, ...], dtype: Any) -> list[np.ndarray]:
    """Adversarial arguments, random bits, and numbers of common size."""
    u, v = random(1, 2, 2000).astype(dtype)
    raw = np.random.Generator(np.random.PCG64(2)).bytes(u.nbytes)
    usual = [u, 1 - v / 2**20] if arguments[0] == "y" else [(u - v) * 16, (u - v) * 1000]
    first = np.concatenate([*usual, np.frombuffer(raw, u.dtype.newbyteorder("<")).astype(dtype)])
    args = [first, np.concatenate([v, np.round(v), v])]
    special = adversarial(arguments, dtype, special=True)
    return [np.concatenate(pair) for pair in zip(special, args, strict=False)]


def elementwise() -> Any:
    for name, arguments in FUNCTIONS.items():
        function = getattr(fl, name)
        for dtype in (np.float64, np.float32):
            args = points(arguments, dtype)
            n = args[0].size
            case = f"{name} {dtype.__name__}"
            yield case, [function(*args)]
            yield f"{case} strided", [function(*(arg[: n - n % 20 : 2] for arg in args))]
            grids = [arg[: n - n % 20].reshape(20, -1).T[::-1, ::3] for arg in args]
            yield f"{case} in two axes", [function(*grids)]
            few = list(zip(*(arg[:: n // 50] for arg in args), strict=True))
            yield f"{case} numbers", [function(*one) for one in few]
            yield f"{case} Python numbers", [function(*map(float, one)) for one in few]
            out = np.full(n, 2.0)
            assert function(*args, out=out) is out
            yield f"{case} out", [out]
            out = np.full(n, 2.0, dtype)
            yield f"{case} where", [function(*args, out=out, where=args[0] > 0)]
            with np.errstate(over="ignore"):  # of what float32 cannot hold
                yield f"{case} as float32", [function(*args, dtype=np.float32)]
            yield f"{case} many", [function(*(np.resize(arg, 70_001) for arg in args), threads=2)]
        for dtype in ("bool", "int8", "uint64", "float16"):
            yield f"{name} {dtype}", [function(*[np.array([0, 1, 1, 0], dtype)] * len(arguments))]


def scalars() -> Any:
    """The functions of `fastlogit.kernels`, called by compiled code."""
    for name, given in FUNCTIONS.items():
        loop = _user_loop(getattr(kernels, name), len(given))
        for dtype, first in itertools.product((np.float64, np.float32), "zy"):
            args = points((first, *given[1:]), dtype)
            out = np.empty(args[0].size, dtype)
            loop(*args, out)
            yield f"kernels.{name} of {first} {dtype.__name__}", [out]


def _user_loop(function: Any, inputs: int) -> Any:
    def unary(z, out):
        for i in range(z.size):
            out[i] = function(z[i])

    def binary(z, t, out):
        for i in range(z.size):
            out[i] = function(z[i], t[i])

    return numba.njit(error_model="numpy")(unary if inputs == 1 else binary)


def sums() -> Any:
    for n, dtype in itertools.product((1, 2999, 70_001), (np.float64, np.float32)):
        u, v, weight = random(3, 3, n)
        z = ((u - v) * 60).astype(dtype)
        z[n // 2 : n // 2 + 4] = [-np.inf, np.inf, 800.0, -0.0][: n - n // 2]
        weight[weight < 0.1] = 0.0
        for kind, t in ("labels", np.round(v)), ("probabilities", np.where(np.isinf(z), 1, v)):
            for reduction in ("sum", "mean"):
                case = f"{n} {dtype.__name__} {kind} {reduction}"
                yield f"log_loss {case}", [fl.log_loss(z, t, reduction=reduction)]
                weighted = fl.log_loss_gradient(z, t, weight, reduction=reduction)
                plain = fl.log_loss_gradient(z, t, reduction=reduction, out=np.empty(n))
                yield f"log_loss_gradient {case}", [*plain, *weighted]


def classes() -> Any:
    """Functions of K logits, class by class and row by row."""
    for (n, K), dtype in itertools.product([(2003, 3), (57, 1030)], (np.float64, np.float32)):
        u, v, w = random(7, 3, n * K).reshape(3, n, K)
        Z = ((u - v) * 60).astype(dtype)
        Z[5, :2], Z[6, 0], Z[7] = (-np.inf, 800.0), np.nan, 1.5
        soft = w / w.sum(axis=1, keepdims=True)
        weight = u[:, 0]
        case = f"{n} x {K} {dtype.__name__}"
        for name in ("softmax", "log_softmax", "log_sum_exp"):
            yield f"{name} {case}", [getattr(fl, name)(Z)]
        for kind, t in ("labels", np.arange(n) % K), ("probabilities", soft):
            for name in ("softmax_loss", "softmax_residual"):
                yield f"{name} {case} {kind}", [getattr(fl, name)(Z, t)]
            summed = fl.softmax_log_loss_gradient(Z[8:], t[8:], weight[8:], reduction="mean")
            yield f"softmax_log_loss_gradient {case} {kind}", [*summed]


def entries(X: np.ndarray) -> np.ndarray:
    return np.where(X > 0.5, X, 0.0)


LAYOUTS = {
    "rows": lambda X: X,
    "columns": np.asfortranarray,
    "float32 rows": np.float32,
    "float32 columns": lambda X: np.asfortranarray(X, np.float32),
    "CSR": lambda X: sparse.csr_array(entries(X)),
    "pandas": lambda X: pd.DataFrame({str(j): column for j, column in enumerate(X.T)}),
    "dict": lambda X: {j: x.astype(("f8", "f4", "?")[j % 3]) for j, x in enumerate(entries(X).T)},
    "Arrow": lambda X: pa.concat_tables(
        pa.table({str(j): x for j, x in enumerate(rows.T)}) for rows in np.array_split(X, 2)
    ),
}
SIZES = [(997, 19), (513, 1), (70_001, 3)]


def problem(n: int, d: int) -> dict[str, Any]:
    u, v = random(10_000 + d, 2, n * d).reshape(2, n, d)
    t, weight, offset = random(n, 3, n)
    direction = 4 * random(d, d + 1) - 2
    data = {"X": (u - v) * 4, "t": t, "weight": weight, "offset": offset, "direction": direction}
    return data | {"coef": direction[:d] / 4, "intercept": 0.375, "with_intercept": True}


def call(function: Any, given: dict[str, Any]) -> Any:
    """Call a function with the arguments that its signature names."""
    takes = inspect.signature(function).parameters
    return function(**{name: value for name, value in given.items() if name in takes})


def linear() -> Any:
    for (n, d), (layout, convert) in itertools.product(SIZES, LAYOUTS.items()):
        given = problem(n, d)
        yield from linear_of(f"{layout} {n} x {d}", given | {"X": convert(given["X"])})
        if (n, d) == SIZES[0] and layout in ("rows", "columns", "CSR"):
            given["X"][[7, 300, 301], [0, 5, 6]] = np.nan, np.inf, -np.inf
            yield from linear_of(f"{layout} not finite", given | {"X": convert(given["X"])})


def linear_of(case: str, given: dict[str, Any]) -> Any:
    plain = {name: given[name] for name in ("X", "t", "coef")}
    plain["direction"] = given["direction"][:-1]
    both = [plain, given]
    for name in fl.linear.__all__:
        results = [call(getattr(fl.linear, name), data) for data in both]
        if case.startswith("float32 rows") and name in ("probability", "log_loss_gradient"):
            less_exact = {"coef": given["coef"].astype(np.float32)}
            results.append(call(getattr(fl.linear, name), given | less_exact))
        flat = [value for one in results for value in (one if isinstance(one, tuple) else [one])]
        yield f"linear.{name} {case}", flat


def batches() -> Any:
    """A model with categories and one without, over tables of many kinds."""
    names, categories = ("a", "b", "c=blue", "c=red"), {"c": ("blue", "red")}
    text = fl.LogisticModel([0.5, -1.0, 0.25, -0.125], 0.5, names, categories=categories)
    model = fl.LogisticModel([0.5, -1.0], 0.25, ("a", "b"))
    several = fl.LogisticModel(
        [[0.5, -1.0, 0.25, 0.0], [0.0, 0.125, -0.5, 1.0], [-0.25, 0.0, 0.75, 0.5]],
        [0.5, 0.0, -1.0],
        names,
        classes=(1, 2, 4),
        categories=categories,
    )
    table = {name: values for name, values in flights().items() if name in "abc"}
    array = np.column_stack([table["a"], table["b"]])
    sources = {"pandas": pd.DataFrame(table), "polars": pl.DataFrame(table)}
    sources |= {"Arrow": pa.table(table), "array": array}
    options = {"output": ["logit", "probability", "label", "log-probability"], "batch_rows": 17}
    for name, source in sources.items():
        yield f"score {name}", columns(fl.score(model, source, **options))
        if name != "array":
            yield (
                f"score {name} with text",
                columns(fl.score(text, source, unknown="ignore", **options)),
            )
            yield f"predict_proba {name} with text", [text.predict_proba(source, unknown="ignore")]
            yield (
                f"score {name} of three classes",
                columns(fl.score(several, source, unknown="ignore", **options)),
            )
    for name in ("decision", "probability"):
        lazy = getattr(fastlogit.dask, name)(da.from_array(array, chunks=(16, 2)), model)
        yield f"dask.{name}", [lazy.compute()]
    for name in ("decision", "predict_proba", "predict"):
        yield f"model.{name}", [getattr(model, name)(array)]


def columns(found: Any) -> list[np.ndarray]:
    table = pa.Table.from_batches(list(found))
    return [np.array(table.column_names), *(column.to_numpy() for column in table.columns)]


# Numbers and text -------------------------------------------------------------------------


def flights(n: int = 60) -> dict[str, Any]:
    """Columns of a table: numbers, text, a weight, an offset and labels."""
    a, b, w, o, u = random(5, 5, n)
    a, b, w, o = np.round(a * 64 - 32) / 8, np.round(b * 64) / 16, np.round(w * 8), np.round(o * 8)
    late = u < fl.sigmoid(a - b + 2.0)
    text = np.array(["blue", "red", "green"])[np.arange(n) * 7 // 5 % 3]
    return {"a": a, "b": b, "c": text, "w": w + 1, "o": o / 8, "late": late.astype(np.int64)}


FITS: dict[str, dict[str, Any]] = {
    "default": {},
    "newton": {"solver": "newton", "l2": 2.0},
    "sampled-newton": {"solver": "sampled-newton", "l2": 2.0},
    "lbfgs": {"solver": "lbfgs", "l2": 2.0},
    "gradient-descent": {"solver": "gradient-descent", "l2": 2.0},
    "a sample": {"rows": 70_001, "solver": "sampled-newton"},
    "no penalty": {"l2": 0.0},
    "a penalty for each": {"l2": [0.5, 0.0, 2.0]},
    "weight": {"weight": True, "l2": 0.0},
    "offset": {"offset": True, "l2": 0.0},
    "no intercept": {"intercept": False, "l2": 0.0},
    "labels": {"labels": ["no", "yes"], "class_weight": "balanced"},
    "names, few passes": {"feature_names": ["x", "y", "z"], "max_passes": 2, "solver": "lbfgs"},
    "centred": {"shift": 1e4, "l2": 0.0},
    "float32": {"layout": "float32 rows"},
    "columns": {"layout": "columns", "l2": 0.0},
    "CSR": {"layout": "CSR", "l2": 0.0},
    "CSR, sampled-newton": {"layout": "CSR", "solver": "sampled-newton"},
    "pandas": {"layout": "pandas", "l2": 0.0},
}


def fit_data(n: int = 600) -> tuple[np.ndarray, dict[str, Any]]:
    given = problem(n, 3)
    y = fl.linear.probability(given["X"], given["coef"], given["intercept"])
    return given["X"], given | {"t": (given["t"] < y).astype(np.float64)}


def fits() -> Any:
    for name, options in FITS.items():
        options = options.copy()
        X, given = fit_data(options.pop("rows", 600))
        X = LAYOUTS[options.pop("layout", "rows")](X + options.pop("shift", 0.0))
        t = np.array(options.pop("labels", [0.0, 1.0]))[given["t"].astype(int)]
        rows = {key: given[key] for key in ("weight", "offset") if options.get(key)}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = fl.fit(X, t, **options | rows)
        found = {
            "model": saved(model),
            "warnings": [type(warning.message).__name__ for warning in caught],
            "probabilities": model.predict_proba(X, offset=rows.get("offset"))[:600:150].tolist(),
            "summary": lines(model.summary()),
        }
        if not np.any(model.l2):
            found["standard errors"] = model.standard_errors(X, **rows).tolist()
            found["p-values"] = model.p_values().tolist()
            found["intervals"] = model.confidence_intervals(level=0.9).tolist()
        yield f"fit: {name}", found


def saved(model: fl.LogisticModel) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        model.save(path := Path(folder, "model.json"))
        text = path.read_text()
        assert fl.load(path).content() == model.content()
    return json.loads(text)


def estimators() -> Any:
    X, given = fit_data()
    three = np.where(np.arange(len(X)) % 3 == 0, 2.0, given["t"])
    balanced = {"class_weight": "balanced"}
    for dtype, t, options in (
        ("float64", given["t"], {}),
        ("float32", given["t"], {}),
        ("float64", given["t"], {"solver": "newton"}),
        ("float64", three, balanced),
    ):
        matrix = X.astype(dtype)
        made = fastlogit.sklearn.LogisticRegression(**options)
        made.fit(matrix, t, given["weight"])
        found = {key: getattr(made, key) for key in ("coef_", "intercept_", "classes_", "n_iter_")}
        for name in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
            found[name] = getattr(made, name)(matrix)[::150]
        found = {key: [str(value.dtype), value.tolist()] for key, value in found.items()}
        yield f"scikit-learn: {dtype} {options}", found | {"parameters": made.get_params()}
    theirs = LogisticRegression(C=0.25)
    theirs.coef_, theirs.intercept_ = np.array([[0.5, -1.0]]), np.array([0.25])
    theirs.classes_, theirs.n_iter_ = np.array(["no", "yes"]), np.array([3])
    yield "from scikit-learn", saved(fl.from_sklearn(theirs))
    theirs.coef_, theirs.intercept_ = np.array([[0.5, -1.0], [0.0, 2.0], [0.25, 0.0]]), np.arange(3)
    theirs.classes_ = np.array(["high", "low", "middle"])
    yield "from scikit-learn: three classes", saved(fl.from_sklearn(theirs))
    import statsmodels.api as sm

    fitted = sm.Logit(given["t"], sm.add_constant(X)).fit(disp=0, tol=1e-14)
    yield "from statsmodels", saved(fl.from_statsmodels(fitted))
    fitted = sm.MNLogit(three, sm.add_constant(X)).fit(disp=0, tol=1e-14)
    yield "from statsmodels: three classes", saved(fl.from_statsmodels(fitted))


def write_tables(folder: Path) -> None:
    table = flights()
    pq.write_table(pa.table(table), folder / "flights.parquet")
    pa.feather.write_feather(pa.table(table), folder / "flights.arrow")
    pa.csv.write_csv(pa.table(table), folder / "flights.csv")
    holes = pa.table(table | {"b": pa.array(table["b"], mask=np.arange(60) % 13 == 5)})
    pa.csv.write_csv(holes, folder / "holes.csv")
    pd.DataFrame(table).to_csv(folder / "german.csv", sep=";", decimal=",", index=False)
    matrix = np.column_stack([table["a"], table["b"], table["late"]])
    np.save(folder / "flights.npy", matrix)
    np.savez(folder / "flights.npz", matrix[:, :2])
    dump_svmlight_file(matrix[:, :2], table["late"], str(folder / "x.libsvm"), zero_based=False)
    fl.LogisticModel(
        [[0.125, -0.25], [0.0, 0.125], [-0.125, 0.0]],
        [0.25, 0.0, -0.25],
        ("a", "b"),
        classes=("blue", "green", "red"),
    ).save(folder / "colours.json")
    names, categories = ("a", "c=blue", "c (all others)"), {"c": ("blue", None)}
    words = fl.LogisticModel([0.5, -1.0, 0.125], 0.25, names, categories=categories)
    words.save(folder / "words.json")


COMMANDS = """
train holes.csv --label late -o csv.json --missing skip
train flights.parquet --label late --weight w --offset o --l2 0 --ignore c -o parquet.json
train flights.arrow --label late --categorical c --no-intercept --positive 0 -o arrow.json
train german.csv --label late --delimiter ; --decimal , --ignore c w o -o german.json
train x.libsvm -o libsvm.json --columns 3 --l2 0.5
train flights.npy --label -1 -o npy.json --max-passes 3 --tol 0
score csv.json holes.csv -o all.csv --missing skip --skipped left.csv --keep late c \
    --output probability --output label --output logit --output log-probability --threshold 0.3
score csv.json holes.csv -o nan.parquet --missing nan --batch-rows 7
score arrow.json flights.csv -o named.arrow --name y
score parquet.json flights.parquet --offset o -o - --quiet
score npy.json flights.npz -o npz.npy
score libsvm.json x.libsvm -o x.tsv --output label
score libsvm.json x.libsvm -o x.tsv --output label --resume
score csv.json holes.csv -o never.csv
score npy.json nothing.csv -o never.csv
evaluate csv.json holes.csv --label late
evaluate csv.json holes.csv --label late --json --threshold 0.4
evaluate parquet.json flights.arrow --label late --offset o --json
evaluate libsvm.json x.libsvm --json
score colours.json flights.csv -o colours.csv --output label --output label-probability
score colours.json flights.parquet -o colours.parquet
evaluate colours.json flights.parquet --label c
evaluate colours.json flights.csv --label c --json --top 1
evaluate colours.json flights.csv --label c --threshold 0.4
export words.json --to sql -o -
export colours.json --to sql --dialect postgres --output label -o label.sql
export words.json --to sql --dialect sqlite --table flights -o sqlite.sql
export words.json --to onnx -o words.onnx
export colours.json --to onnx --dtype float32 --names a b -o colours.onnx
export words.json --to sklearn -o words.joblib
export words.json --to pmml -o words.pmml
plot roc csv.json flights.csv --label late -o roc.svg
plot reliability npy.json -o never.svg
plot logistic -o logistic.png
"""


def commands() -> Any:
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        write_tables(folder)
        for command in COMMANDS.strip().replace("\\\n", "").split("\n"):
            before = set(folder.iterdir())
            out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status: Any = cli.main(shlex.split(command))
                except SystemExit as end:
                    status = end.code
            out.flush()
            text = out.buffer.getvalue().decode()
            files = sorted(set(folder.iterdir()) - before)
            found = {
                "status": status,
                "output": json.loads(text) if "--json" in command else lines(text),
                "messages": lines(err.getvalue()),
                "files": {path.name: content(path) for path in files},
            }
            yield f"$ fastlogit {' '.join(command.split())}", found
        yield "a run that is resumed", resumed(folder)


def resumed(folder: Path) -> Any:
    def stop(done: Any) -> None:
        if done.rows >= 30:
            raise KeyboardInterrupt

    given = (folder / "csv.json", folder / "flights.csv", folder / "again.csv")
    with contextlib.suppress(KeyboardInterrupt):
        fl.score(*given, batch_rows=10, threads=1, progress=stop)
    (journal,) = folder.glob("*again*")
    head = json.loads(journal.read_bytes().split(b"\n")[0])
    done = fl.score(*given, batch_rows=10, threads=1, resume=True)
    (output,) = folder.glob("*again*")
    return {
        "journal": [journal.name, *sorted(head)],
        "done": done._asdict(),
        output.name: content(output),
    }


def content(path: Path) -> Any:
    """Content of a file; every ninth row of a table."""
    if path.suffix == ".json":
        return json.loads(path.read_text())
    if path.suffix in (".csv", ".tsv"):
        found = path.read_text().splitlines()
        return found if len(found) < 10 else found[::9]
    if path.suffix == ".npy":
        return [str(np.load(path).dtype), *np.load(path)[::9].tolist()]
    if path.suffix in (".parquet", ".arrow"):
        table = pads.dataset(path, format=path.suffix[1:]).to_table()
        return {"schema": str(table.schema), "rows": table.to_pylist()[::9]}
    if path.suffix in (".sql", ".pmml"):
        return lines(path.read_text())
    if path.suffix == ".onnx":
        graph = onnx.load(path).graph
        nodes = [f"{one.op_type}({', '.join(one.input)})" for one in graph.node]
        return nodes + [str(onnx.numpy_helper.to_array(one).tolist()) for one in graph.initializer]
    if path.suffix == ".joblib":
        return saved(fl.from_sklearn(joblib.load(path)))
    return path.read_bytes()[:5].decode("latin-1")


def lines(text: str) -> list[str]:
    for pattern, replacement in VOLATILE:
        text = re.sub(pattern, replacement, text)
    return text.splitlines()


def pictures() -> Any:
    from matplotlib import pyplot as plt

    from fastlogit import plot

    plt.switch_backend("agg")
    X, t = fit_data()[0][:, :2].copy(), fit_data()[1]["t"]
    several = np.where(np.arange(t.size) % 3 == 0, 2, t)
    for classes, labels in (("", t), (" of three classes", several)):
        model = fl.fit(X, labels, l2=0.0, feature_names=["a", "b"])
        for name in plot.__all__:
            function = getattr(plot, name)
            if classes and "model" not in inspect.signature(function).parameters:
                continue
            axes = call(function, {"model": model, "X": X, "t": labels})
            yield f"plot.{name}{classes}", [drawn(one) for one in np.ravel(axes)]
            plt.close("all")


def drawn(ax: Any) -> Any:
    """Titles, matrices, and some points of each line; beside other libraries only our own line."""
    ours = [line for line in ax.get_lines() if line.get_label() == "fastlogit"] or ax.get_lines()
    found = {"text": [ax.get_title(), ax.get_xlabel(), ax.get_ylabel()]}
    for i, line in enumerate(ours):
        points = line.get_xydata()
        some = points[:: len(points) // 4 + 1].tolist()
        found[f"line {i}"] = [line.get_label(), len(points), *some]
    for i, image in enumerate(ax.get_images()):
        found[f"matrix {i}"] = image.get_array().tolist()
    return found | {"collections": [len(one.get_paths()) for one in ax.collections]}


BITS = (elementwise, scalars, sums, classes, linear, batches)
NUMBERS = (fits, estimators, commands, pictures)


def run(cases: Any) -> dict[str, Any]:
    """Results of one of the functions above, in the form of recorded.json."""
    if cases in BITS:
        return {name: digest(*values) for name, values in cases()}
    text = json.dumps(dict(cases()))
    return json.loads(
        text, object_hook=lambda made: made | dict.fromkeys(VOLATILE_KEYS & made.keys(), "#")
    )


# Comparison -------------------------------------------------------------------------------

NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)")


def differences(recorded: Any, found: Any, where: str = "") -> list[str]:
    """A line for each difference, which begins with its place."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        recorded = {RENAMED.get(key, key): value for key, value in recorded.items()}
        places = [key for key in recorded if key in found]
        several = [differences(recorded[key], found[key], f"{where} / {key}") for key in places]
        several += [[f"{where} / {key}: only once"] for key in recorded.keys() ^ found.keys()]
        return [one for some in several for one in some]
    if isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        pairs = enumerate(zip(recorded, found, strict=True))
        return [one for i, pair in pairs for one in differences(*pair, f"{where} / {i}")]
    return [] if same(recorded, found) else [f"{where}: {recorded!r} became {found!r}"]


def same(recorded: Any, found: Any) -> bool:
    if isinstance(recorded, str) and isinstance(found, str):
        before, now = NUMBER.split(recorded), NUMBER.split(found)
        numbers = zip(map(float, before[1::2]), map(float, now[1::2]), strict=True)
        return before[::2] == now[::2] and all(same(*pair) for pair in numbers)
    if isinstance(recorded, float) and isinstance(found, float) and not math.isnan(recorded):
        return math.isclose(recorded, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(recorded) is type(found) and repr(recorded) == repr(found)


def write() -> None:
    everything = {cases.__name__: run(cases) for cases in (*BITS, *NUMBERS)}
    text = json.dumps(everything, indent=1, ensure_ascii=False)
    short = re.sub(r"\[\n[^\[\]{}\"]*\]", lambda found: " ".join(found[0].split()), text)
    FILE.write_text(short + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--bits" in sys.argv:
        before = json.loads(FILE.read_text(encoding="utf-8"))
        found = [one for cases in BITS for one in differences(before[cases.__name__], run(cases))]
        sys.exit("\n".join(found) or 0)
    write()
