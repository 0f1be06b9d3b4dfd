"""Odd tables, as people have them: train, score and evaluate, compared with scikit-learn.

    python -m tests.odd_tables 500 [FIRST SEED]

A seed makes a table with known values, written in an odd way, and the options that describe it.
The command must find the probabilities, losses and numbers of rows that scikit-learn finds for the
true values, or end with an error in one line.  An option may be left out at first: the same must
hold, and with the option the table must be read.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import gzip
import io
import json
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.datasets import dump_svmlight_file
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

import fastlogit as fl
from fastlogit.cli import main

NUMBERS, NAMES = ("float", "int", "few", "thousand", "bool"), ("text", "code")
# Two labels, in their order; and three or four.
TWO = [(0, 1), (-1, 1), (1, 2), (0.0, 1.0), (False, True), ("no", "yes"), ("alive", "dead")]
MORE = [
    *((0, 1, 2, 3), (-7, 0, 1, 20), (0.0, 1.0, 2.0, 3.0), ("Fichte", "elm", "größe", "oak")),
    *(("a,b", "c;d", 'say "hi"', "two\nlines"), ("2024-01-01", "2024-02-29", "later", "never")),
]
# Spellings of numbers, and delimiters that go with them.
DIALECTS = [
    {},
    {"delimiter": ";", "decimal": ","},
    {"delimiter": "\t"},
    {"delimiter": "|", "thousands": ","},
    {"thousands": ","},
    {"delimiter": ";", "decimal": ",", "thousands": "."},
    {"thousands": " "},
]


@dataclass
class Case:
    """A table in a file, and its true values."""

    # Features by their names, and their kinds; None is a missing value.
    frame: pd.DataFrame
    kinds: dict[str, str]
    # Class numbers or NaN.
    t: np.ndarray
    classes: int
    weight: np.ndarray | None
    offset: np.ndarray | None
    path: Path
    # The file to score, if it is another one.
    features: Path | None = None
    # Options of the three commands: how the table is written.
    reading: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    training: list[str] = field(default_factory=list)
    # Its oddities, for the report; a hopeless table must be an error.
    oddities: list[str] = field(default_factory=list)
    is_hopeless: bool = False
    # The suffix of the file of scores.
    sink: str = ".parquet"


class Violation(Exception):  # noqa: N818
    """A traceback, a wrong result, a silent loss of rows or a refused table."""


# True values ------------------------------------------------------------------------------


def draw(rng, path, classes):
    """Make a table with this number of labels and write it; the fourth has one row."""
    rows = int(rng.integers(100, 250))  # of fewer than 50, identifiers may be categories
    form = str(rng.choice(["csv", "csv", "csv", "parquet", "parquet", "arrow", "npy", "libsvm"]))
    is_numeric = form in ("npy", "libsvm")
    names = ["x", "y z", "größe", 'qu"ote', "com,ma", "1st", " padded ", "UPPER", "x.1"]
    rng.shuffle(names)
    kinds = {"first": "float"}
    for name in names[: rng.integers(6)]:
        kinds[name] = str(rng.choice(NUMBERS if is_numeric else NUMBERS + NAMES))
    frame = pd.DataFrame(
        {name: values(rng, kind, rows) for name, kind in kinds.items()}, dtype=object
    )
    z = rng.normal(size=rows)
    for name, kind in kinds.items():
        z += numbers(frame[name]) / {"thousand": 2000, "int": 20, "float": 5}.get(kind, 1)
    often = min(classes, 3)
    t = np.digitize(z, np.quantile(z, np.arange(1, often) / often), right=True).astype(float)
    # Four rows of both labels stay whole, so that there is something to train on.
    if form != "libsvm" and rng.random() < 0.6:
        for name in kinds:
            frame.loc[4 + np.flatnonzero(rng.random(rows - 4) < 0.04), name] = None
        t[4 + np.flatnonzero(rng.random(rows - 4) < 0.02)] = np.nan
    t[:4] = np.arange(4) % classes
    weight, offset = (
        np.round(rng.uniform(0.5, 3, rows), 2) if not is_numeric and rng.random() < 0.2 else None
        for _ in range(2)
    )
    offset = offset if classes == 2 else None  # scikit-learn has none, and neither have we
    case = Case(frame, kinds, t, classes, weight, offset, path)
    case.sink = str(rng.choice([".parquet", ".csv", ".tsv.gz", ".arrow", ".npy"]))
    {"csv": write_csv, "npy": write_npy, "libsvm": write_libsvm}.get(form, write_typed)(
        case, rng, form
    )
    return case


def values(rng, kind, rows):
    if kind == "float":
        return np.round(rng.normal(size=rows) * 5, 3).tolist()
    if kind == "int":
        return rng.integers(-40, 40, rows).tolist()
    if kind == "few":
        return rng.integers(-2, 4, rows).tolist()
    if kind == "thousand":
        return rng.integers(-3000, 5000, rows).tolist()
    if kind == "bool":
        return (rng.random(rows) < 0.5).tolist()
    if kind == "text":
        return rng.choice(["red", "light blue", "Zoë", "a,b", 'say "hi"', "NA2"], rows).tolist()
    return rng.integers(1, 5, rows).tolist()  # a code, which is a category


def numbers(column):
    """Numbers from which labels are made."""
    if isinstance(column[0], str):
        return column.str.len().to_numpy(float) - 5
    return column.to_numpy(float)


def read_labels(case, rng):
    """Choose labels; return the label of each row, None if it is missing."""
    choices = TWO if case.classes == 2 else MORE
    classes = choices[rng.integers(len(choices))]
    labels = [None if np.isnan(t) else classes[int(t)] for t in case.t]
    case.label = ["--label", "the label"]
    case.oddities.append(str(classes[: case.classes]))
    if case.classes == 2 and rng.random() < 0.2:
        case.oddities.append("positive")
        case.training += ["--positive", str(classes[0])]
        case.t = 1 - case.t
    return labels


def all_columns(case, rng):
    """Columns of features, label, weight and offset, and columns to ignore."""
    columns = {name: case.frame[name].tolist() for name in case.frame}
    for name, kind in case.kinds.items():
        if kind == "code":
            case.training += ["--categorical", name]
    columns["the label"] = read_labels(case, rng)
    if case.weight is not None:
        columns["weight"] = case.weight.tolist()
        case.training += ["--weight", "weight"]
    if case.offset is not None:
        columns["offset"] = case.offset.tolist()
        case.reading += ["--offset", "offset"]
    rows = range(len(case.frame))
    odd = {
        "day": [datetime.date(2024, row % 12 + 1, row % 28 + 1) for row in rows],
        "key": [f"k{row:05}" for row in rows],
    }
    for name in odd:
        if rng.random() < 0.15:
            case.oddities.append(name)
            case.training += ["--ignore", name]
            columns[name] = odd[name]
    return columns


# Text -------------------------------------------------------------------------------------


@dataclass
class Style:
    """How a CSV is written."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    null: str = ""
    end: str = "\n"
    words: tuple[str, str] = ("False", "True")
    is_quoted: bool = False
    is_padded: bool = False
    # Integers as 3.0, and other numbers as +1.5E+00.
    is_float: bool = False
    is_scientific: bool = False
    blank_lines: int = 0
    is_compressed: bool = False

    def header(self, names):
        return replace(self, is_padded=False).line(names)

    def line(self, row):
        return self.delimiter.join(map(self.cell, row))

    def cell(self, value):
        if isinstance(value, Raw):
            return value
        text = self.text(value)
        text = f" {text} " if self.is_padded and value is not None else text
        if any(mark in text for mark in (self.delimiter, '"', "\n")) or (self.is_quoted and text):
            text = '"' + text.replace('"', '""') + '"'
        return text

    def text(self, value):
        if value is None or value != value:
            return self.null
        if isinstance(value, str | datetime.date):
            return str(value)
        if isinstance(value, bool | np.bool_):
            return self.words[int(value)]
        text = f"{value:,}" if self.thousands else str(float(value) if self.is_float else value)
        if self.is_scientific and isinstance(value, float):
            text = f"{value:+.6E}"
        return text.translate({ord(","): self.thousands, ord("."): self.decimal})

    @property
    def options(self):
        found = {
            "--delimiter": self.delimiter if self.delimiter not in ",\t" else None,
            "--decimal": self.decimal if self.decimal != "." else None,
            "--thousands": self.thousands,
            "--encoding": self.encoding if not self.encoding.startswith("utf-8") else None,
            "--null-values": self.null if self.null.strip() not in ("", "NA") else None,
        }
        return [part for pair in found.items() if pair[1] is not None for part in pair]


class Raw(str):
    """A cell that lacks the quotes it needs."""


def draw_style(rng):
    style = Style(**DIALECTS[rng.integers(len(DIALECTS))]) if rng.random() < 0.5 else Style()
    codecs = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"]
    style.encoding = str(rng.choice(codecs))
    style.null = str(rng.choice(["", "", "NA", "?", "-", " ", "#N/A"]))
    style.end = str(rng.choice(["\n", "\r\n"]))
    style.words = [("False", "True"), ("false", "true"), ("FALSE", "TRUE")][rng.integers(3)]
    for name in "is_quoted", "is_padded", "is_float", "is_scientific", "is_compressed":
        setattr(style, name, bool(rng.random() < 0.15))
    style.blank_lines = 3 if rng.random() < 0.2 else 0
    return style


def write_csv(case, rng, _form):
    style = draw_style(rng)
    columns = all_columns(case, rng)
    case.reading += style.options
    if "--null-values" in case.reading and rng.random() < 0.5:
        case.oddities.append("NA is a value")  # Namibia
        columns |= {
            name: ["NA" if one == "NA2" else one for one in columns[name]] for name in columns
        }
    case.oddities.append(str(style))
    rows = len(case.frame)
    if rng.random() < 0.3 and case.offset is None:
        case.oddities.append("features alone")
        case.features = case.path / "features"
        of_features = [one for one in columns.items() if one[0] in case.kinds]
        write_lines(case.features, of_features, [np.arange(rows)], style, rng)
    named = list(columns.items())
    if rng.random() < 0.1:
        spoil(case, rng, columns)
    if rng.random() < 0.05:
        case.oddities.append("duplicate name")
        case.is_hopeless = True
        named[0] = ("the label", named[0][1])
    if rng.random() < 0.2:
        case.oddities.append("index")
        named.insert(0, ("", list(map(str, range(rows)))))
    parts = [np.arange(rows)]
    if rng.random() < 0.2:
        case.oddities.append("folder")
        parts = np.split(parts[0], [rows // 3, rows // 2])
    case.path = case.path / "t"
    write_lines(case.path, named, parts, style, rng)


def write_lines(folder, named, parts, style, rng):
    """Write columns with their names, a file for each part of the rows."""
    folder.mkdir()
    suffix = ".tsv" if style.delimiter == "\t" else ".csv"
    for number, part in enumerate(parts):
        lines = [style.header([name for name, _ in named])]
        lines += [style.line([column[row] for _, column in named]) for row in part]
        blank_lines = style.blank_lines * (len(named) > 1)  # else they are rows
        for place in rng.integers(0, len(lines), blank_lines):
            lines.insert(place, "")
        ends = int(rng.integers(3)) if len(named) > 1 else 1
        content = (style.end.join(lines) + style.end * ends).encode(style.encoding, "replace")
        path = folder / f"{number}{suffix}"
        if style.is_compressed:
            path, content = path.with_name(path.name + ".gz"), gzip.compress(content)
        path.write_bytes(content)


def spoil(case, rng, columns):
    """Put a cell into a table that no reader can understand."""
    kinds = ["word", "infinity", "third label", "more cells"]
    what = str(rng.choice(kinds if case.classes == 2 else ["word", "infinity", "more cells"]))
    case.oddities.append(what)
    case.is_hopeless = True
    row = int(rng.integers(4, len(case.frame)))
    cell = {"word": "about 3", "infinity": "-inf", "third label": "perhaps"}
    cell["more cells"] = Raw("1;,\t|;,\t|")
    columns["the label" if what == "third label" else "first"][row] = cell[what]


# Formats with types -----------------------------------------------------------------------


def write_typed(case, rng, form):
    """Parquet or Arrow: one file, or a folder whose files have different types."""
    columns, rows = all_columns(case, rng), len(case.frame)
    parts = [np.arange(rows)]
    key = None
    keys = [name for name, kind in case.kinds.items() if kind in ("text", "code", "few")]
    keys = [name for name in keys if name.isalnum()]
    if keys and rng.random() < 0.5:
        key = keys[0]
        case.oddities.append("hive")
        in_order = sorted(set(columns[key]), key=hive)
        parts = [
            np.array([row for row in range(rows) if columns[key][row] == one], int)
            for one in in_order
        ]
        folders = [f"{key}={hive(value)}" for value in in_order]
    elif rng.random() < 0.5:
        case.oddities.append("folder")
        parts = np.array_split(parts[0], rng.integers(2, 5))
        folders = ["."] * len(parts)
    else:
        folders = ["."]
    kept = [(part, folder) for part, folder in zip(parts, folders, strict=True) if len(part)]
    for number, (part, folder) in enumerate(kept):
        data, names = [], []
        for name in rng.permutation(list(columns)) if rng.random() < 0.3 else columns:
            column = columns[name]
            if name != key:
                kind = case.kinds.get(name, "label" if name == "the label" else "other")
                data.append(typed([column[row] for row in part], kind, rng))
                names.append(name)
        target = case.path / "t" / folder / f"{number}.{form}"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_one(case, rng, pa.table(data, names=names), target)
    order = np.concatenate([part for part, _ in kept])
    case.frame, case.t = case.frame.iloc[order].reset_index(drop=True), case.t[order]
    case.weight = None if case.weight is None else case.weight[order]
    case.offset = None if case.offset is None else case.offset[order]
    case.path = case.path / "t" if len(kept) > 1 or key else target
    case.oddities += [form]


def hive(value):
    if value is None:
        return "__HIVE_DEFAULT_PARTITION__"
    return str(value).replace(",", "%2C").replace('"', "%22").replace(" ", "%20")


def typed(values, kind, rng):
    """An Arrow column with one of the types that hold these values."""
    if all(value is None for value in values):
        return pa.nulls(len(values))
    if kind == "code":
        kinds = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
    elif kind in ("int", "few", "thousand"):
        kinds = [pa.int16(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(9, 2)]
        kinds += [pa.int8(), "dictionary"] * (kind != "thousand")
    elif kind == "float":
        kinds = [pa.float64(), pa.float64(), pa.decimal128(12, 3)]
    elif isinstance(next(value for value in values if value is not None), str):
        kinds = [pa.string(), pa.large_string(), "dictionary", pa.string_view()]
    else:
        return pa.array(values)
    chosen = kinds[rng.integers(len(kinds))]
    if chosen == "dictionary":
        return pa.array(values).dictionary_encode()
    if pa.types.is_decimal(chosen):
        values = [None if value is None else decimal.Decimal(str(value)) for value in values]
    return pa.array(values, chosen)


def write_one(case, rng, table, path):
    if path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif rng.random() < 0.3 and "code" not in case.kinds.values():  # whose nulls make it float64
        case.oddities.append("pandas index")
        frame = table.to_pandas()
        frame.index = rng.permutation(len(frame)) + 7
        frame.index.name = [None, "row"][rng.integers(2)]
        frame.to_parquet(path)
    else:
        pq.write_table(table, path, row_group_size=50)


def write_npy(case, rng, _form):
    is_whole = not case.frame.isna().any(axis=None)
    dtype = np.dtype(str(rng.choice(["<f8", ">f8", "<f4"] + ["<i2", ">i4", "|i1"] * is_whole)))
    X = np.clip(np.round(case.frame.astype(float).to_numpy()), -100, 100)
    case.frame, t = pd.DataFrame(X, columns=case.frame.columns), case.t
    if dtype.kind == "i":
        case.t = t = np.nan_to_num(t)
    X, t = X.astype(dtype), t.astype(dtype)
    order = str(rng.choice(["C", "F"]))
    case.oddities += [str(dtype), order]
    X = np.asarray(X, order=order)
    np.save(case.path / "t.npy", np.asarray(np.column_stack([X, t]), order=order))
    np.save(case.path / "X.npy", X)
    case.features, case.path = case.path / "X.npy", case.path / "t.npy"
    case.label = ["--label", "-1"]


def write_libsvm(case, rng, _form):
    case.path = case.path / "t.libsvm"
    X = case.frame.astype(float).to_numpy().copy()
    X[rng.random(X.shape) < 0.3] = 0.0
    X[0] = 1.0  # the last column must not be empty
    case.frame = pd.DataFrame(X, columns=case.frame.columns)
    case.kinds = dict.fromkeys(case.kinds, "float")
    t = 2 * case.t - 1 if rng.random() < 0.5 else case.t
    dump_svmlight_file(X, t, str(case.path), zero_based=False)


# Reference ------------------------------------------------------------------------------


def reference(case):
    """Probabilities (rows, classes), NaN if a feature is missing; and the complete rows."""
    texts = [name for name, kind in case.kinds.items() if kind in NAMES]
    others = [name for name in case.frame if name not in texts]
    X = case.frame[others].astype(float).to_numpy()
    has_features = case.frame.notna().all(axis=1).to_numpy()
    is_whole = has_features & ~np.isnan(case.t)
    if texts:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        names = case.frame[texts].astype(str)
        encoder.fit(names[is_whole])
        X = np.column_stack([X, encoder.transform(names)])
    weight = np.ones(len(X)) if case.weight is None else case.weight
    offset = np.zeros(len(X)) if case.offset is None else case.offset
    fitting = fit if case.offset is None else fit_with_offset
    arrays = (one[is_whole] for one in (X, case.t, weight, offset))
    coef, intercept = fitting(*arrays)
    z = X @ coef + intercept
    if case.classes == 2:
        z = (z + offset[:, np.newaxis]) @ [[0.0, 1.0]]
    z[~has_features] = np.nan
    return softmax(z, axis=1), is_whole


def fit(X, t, weight, _offset):
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, t, sample_weight=weight)
    return model.coef_.T, model.intercept_


def fit_with_offset(X, t, weight, offset):
    """The same by SciPy, as scikit-learn has no offsets."""
    A = np.column_stack([X, np.ones(len(X))])
    penalty = np.append(np.ones(X.shape[1]), 0.0)

    def loss_gradient(theta):
        z = A @ theta + offset
        loss = weight @ (np.logaddexp(0, z) - t * z) + theta @ (penalty * theta) / 2
        return loss, A.T @ (weight * (expit(z) - t)) + penalty * theta

    def hessian(theta):
        y = expit(A @ theta + offset)
        return (A.T * (weight * y * (1 - y))) @ A + np.diag(penalty)

    start = np.zeros(A.shape[1])
    theta = minimize(loss_gradient, start, jac=True, hess=hessian, method="trust-exact").x
    for _ in range(3):
        theta -= (step := np.linalg.solve(hessian(theta), loss_gradient(theta)[1]))
    assert np.abs(step).max() < 1e-9
    return theta[:-1, np.newaxis], theta[-1:]


# The command ------------------------------------------------------------------------------


def run(argv):
    """Run the command; return its output, and its error or None."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(argument) for argument in argv])
    except BaseException as error:
        raise Violation("".join(traceback.format_exception(error)[-3:])) from error
    lines = err.getvalue().splitlines()
    errors = [line for line in lines if line.startswith("fastlogit: error: ")]
    if len(errors) != (status == 1) or len(errors[0] if errors else "") > 1000:
        raise Violation(f"status {status}: {lines}")
    if not all(line.startswith("fastlogit: ") for line in lines):
        raise Violation(f"strange lines: {lines}")
    return out.getvalue(), errors[0] if errors else None


def check(case, folder):
    """Train, score and evaluate; return the line of an error, or "" if there was none."""
    model, sink = folder / "model.json", folder / f"y{case.sink}"
    options = [*case.reading, "--threads", "1"]
    train = ["train", case.path, "-o", model, "--force", *case.label, *case.training]
    _, error = run([*train, "--missing", "skip", *options])
    check_streamed(train, model, error, options)
    if error:
        return error
    y, is_whole = reference(case)
    source = case.features or case.path
    score = ["score", model, source, "-o", sink, "--force", "-q", "--missing", "nan"]
    _, error = run([*score, "--unknown", "ignore", *options])
    if error:
        return error
    found = read_scores(sink)
    if len(found) != len(y):
        raise Violation(f"scored {len(found)} rows of {len(y)}")
    worst = np.max(np.abs(found - y), initial=0.0, where=~np.isnan(y) & ~np.isnan(found))
    if worst > 1e-6 or (np.isnan(found) != np.isnan(y)).any():
        raise Violation(
            f"probabilities differ by {worst}, NaN {np.isnan(found).sum()}, {np.isnan(y).sum()}"
        )
    evaluate = ["evaluate", model, case.path, "--json", "-q", *case.label]
    out, error = run([*evaluate, "--unknown", "ignore", *options])
    if error:
        return error
    result = json.loads(out)
    p = y[is_whole, case.t[is_whole].astype(int)]
    expected = {"rows": is_whole.sum(), "mean_log_loss": -np.mean(np.log(p))}
    expected["skipped"] = len(y) - is_whole.sum()
    for name, value in expected.items():
        if abs(result[name] - value) > 1e-6:
            raise Violation(f"evaluate: {name} is {result[name]}; it should be {value}")
    return ""


def check_streamed(train, model, error, options):
    """Training that reads the rows again in every pass must end as it does in memory."""
    streamed = model.with_name("streamed.json")
    places = {"-o": streamed}
    train = [places.get(before, one) for before, one in zip([None, *train], train, strict=False)]
    _, other_error = run([*train, "--missing", "skip", "--out-of-core", *options])
    if other_error != error:
        raise Violation(f"out of core: {other_error}, in memory: {error}")
    if error:
        return
    whole, found = fl.load(model), fl.load(streamed)
    for name in ("classes", "categories", "feature_names", "converged"):
        if getattr(found, name) != getattr(whole, name):
            raise Violation(f"out of core: {name} is {getattr(found, name)}")
    for name in ("coef", "intercept"):
        one, other = getattr(whole, name), getattr(found, name)
        if np.abs(one - other).max() > 1e-6 * np.abs(whole.coef).max():
            raise Violation(f"out of core: {name} is {other}, and should be {one}")


def read_scores(path):
    """Probabilities (rows, classes), read by NumPy or pandas."""
    if path.suffix == ".npy":
        found = np.load(path)
    else:
        readers = {".parquet": pd.read_parquet, ".arrow": pd.read_feather, ".csv": pd.read_csv}
        found = readers.get(path.suffix, pd.read_table)(path).filter(like="probability").to_numpy()
    return (
        np.column_stack([1.0 - found, found]) if found.ndim == 1 or found.shape[1] == 1 else found
    )


def trial(seed):
    """The outcomes of one seed: "agrees" or the line of an error."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        case = draw(rng, folder / "data", (2, 2, 3, 2, 2, 4)[seed % 6])
        case_note = f"seed {seed} ({', '.join(case.oddities)}): "
        try:
            outcomes = [withheld(case, rng, folder), check(case, folder)]
            check_missing_values(case, folder, outcomes[-1])
        except Violation as violation:
            raise Violation(case_note + str(violation)) from violation
        if outcomes[-1] and not case.is_hopeless:
            raise Violation(f"{case_note}refused: {outcomes[-1]}")
        if case.is_hopeless and not outcomes[-1]:
            raise Violation(f"{case_note}not refused")
        return [one.replace(name, "") or "agrees" for one in outcomes if one is not None]


def check_missing_values(case, folder, outcome):
    """Without --missing, a missing value must be an error."""
    train = ["train", case.path, "-o", folder / "other.json", *case.label, *case.training]
    _, error = run([*train, *case.reading])
    is_missing = case.frame.isna().any(axis=None) or np.isnan(case.t).any()
    if not outcome and bool(error) != is_missing:
        raise Violation(f"missing values: {error}")


def withheld(case, rng, folder):
    """The outcome without one of the options; None if there are no options."""
    forgettable = {"--delimiter", "--decimal", "--thousands", "--encoding", "--ignore"}
    if "NA is a value" not in case.oddities:
        forgettable.add("--null-values")
    options = [
        (where, place)
        for where in (case.reading, case.training)
        for place, option in enumerate(where)
        if option in forgettable
    ]
    if not options or rng.random() < 0.5:
        return None
    where, place = options[rng.integers(len(options))]
    before = list(where)
    del where[place : place + 2]
    try:
        outcome = check(case, folder)
    finally:
        where[:] = before
    is_silent = not case.is_hopeless and before[place].removeprefix("--") not in outcome
    return outcome + f" [does not name {before[place]}]" * bool(outcome and is_silent)


def report(seeds):
    """Try seeds, print the outcomes, and return the number of violations."""
    counts, violations = Counter(), []
    for seed in seeds:
        try:
            outcomes = trial(seed)
        except Violation as violation:
            violations.append(str(violation))
            continue
        for outcome in outcomes:
            is_error = outcome != "agrees"
            counts[is_error] += 1
            if is_error:
                print(f"seed {seed}: {outcome}")
    print(
        f"\n{len(seeds)} tables, some of them also without an option: {counts[False]} runs agree, "
        f"{counts[True]} end with one line, {len(violations)} violations"
    )
    for violation in violations:
        print(f"  {violation}")
    return len(violations)


if __name__ == "__main__":
    count, first = [*map(int, sys.argv[1:]), *[500, 0][len(sys.argv) - 1 :]]
    sys.exit(report(range(first, first + count)) > 0)
