"""Models as expressions of Polars: the bits of `predict_proba`, nulls, engines, wrong frames."""

from __future__ import annotations

import importlib
import pickle
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import fastlogit as fl
from fastlogit.models.model import OffsetWarning
from fastlogit.polars import decision, predict, probability
from tests.engine_data import (
    HOSTILE,
    KINDS,
    MODELS,
    OFFSET,
    ROWS,
    N,
    columns,
    must_be,
    null,
    probabilities,
    with_offset,
)

FRAME = pl.from_arrow(ROWS)
PAIR = fl.LogisticModel([2.0, -1.0], 0.5, ("a", "b"))
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
each_engine = pytest.mark.parametrize("engine", ["in-memory", "streaming"])


def collected(expression, engine="in-memory", frame=FRAME):
    """The only column of a lazy query."""
    lazy = frame.lazy().select(expression)
    found = lazy.collect(engine=engine)
    assert lazy.collect_schema() == found.schema
    return found.to_series()


def must_have(series, expected, is_null):
    must_be(series.to_arrow(), expected, is_null)


# Scores -----------------------------------------------------------------------------------


@each_engine
@each_model
def test_the_bits_of_predict_proba_and_nulls(model, engine):
    p, is_null = probabilities(model), null(model)
    found = collected(probability(model), engine)
    assert found.name == "probability"
    if len(model.classes) == 2:
        must_have(found, p[:, 1], is_null)
        return
    np.testing.assert_array_equal(found.is_null(), is_null)
    fields = found.struct.unnest()
    assert fields.columns == [f"probability_{label}" for label in model.classes]
    for k, column in enumerate(fields):
        must_have(column, p[:, k], is_null)


@each_engine
@each_model
def test_labels_and_logits(model, engine):
    p = probabilities(model)
    labels = np.array(model.classes)[np.argmax(p, axis=1)].tolist()
    expected = [
        None if np.isnan(row).any() else label for row, label in zip(p, labels, strict=True)
    ]
    found = collected(predict(model), engine)
    assert (found.name, found.to_list()) == ("label", expected)
    logits = collected(decision(model), engine)
    assert logits.name == "logit"
    z = model.decision(ROWS.select(columns(model)), missing="nan")
    if z.ndim == 1:
        must_have(logits, z, null(model))
    else:
        must_have(logits.struct.unnest()["logit_elm"], z[:, 1], null(model))


def test_a_threshold():
    y = probabilities(MODELS["numbers"])[:, 1]
    found = collected(predict(MODELS["numbers"], threshold=0.9)).to_list()
    expected = [None if np.isnan(one) else "yes" if one > 0.9 else "no" for one in y]
    assert found == expected


def test_labels_of_the_default_are_integers():
    assert collected(predict(PAIR)).dtype == pl.Int64


def test_tails_keep_their_digits():
    z = np.array([-745.1, -700.0, -40.0, 0.0, 37.0, 745.0])
    found = collected(
        probability(fl.LogisticModel([1.0], 0.0, ("z",))), frame=pl.DataFrame({"z": z})
    )
    np.testing.assert_array_equal(found.to_numpy(), fl.sigmoid(z))


def test_nulls_as_nan_or_errors():
    found = collected(probability(MODELS["text"], missing="nan"))
    must_have(found, probabilities(MODELS["text"])[:, 1], np.zeros(N, bool))
    with pytest.raises(ValueError, match="Polars: column 'a' must have no nulls"):
        collected(probability(MODELS["text"], missing="error"))
    whole = FRAME.drop_nulls()
    found = collected(probability(MODELS["text"], missing="error"), frame=whole)
    assert (len(found), found.null_count()) == (len(whole), 0)


def test_an_offset():
    with pytest.warns(OffsetWarning):
        probability(OFFSET)
    must_have(collected(probability(OFFSET, offset="exposure")), *with_offset())


def test_offsets_of_three_classes():
    model = fl.LogisticModel(np.eye(3, 1), 0.0, ("x",))
    frame = pl.DataFrame({"t": 3.0, "x": 0.5, "s": 2.0, "r": 1.0})
    found = collected(probability(model, offset=("r", "s", "t")), frame=frame)
    p = fl.softmax([1.5, 2.0, 3.0])
    assert found.to_list() == [dict(zip([f"probability_{k}" for k in range(3)], p, strict=True))]


def test_unknown_categories():
    frame = pl.DataFrame({"kind": ["oak", "ash"], "a": 1.0, "count": 2})
    message = r"Polars: column 'kind' has 'ash' in row 1.*does not know"
    with pytest.raises(ValueError, match=message):
        collected(probability(MODELS["text"]), frame=frame)
    found = collected(probability(MODELS["text"], unknown="ignore"), frame=frame)
    expected = MODELS["text"].predict_proba(frame, unknown="ignore")[:, 1]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(KINDS)], ids=str)
def test_categories_of_polars(dtype):
    model = MODELS["text alone"]
    found = collected(probability(model), frame=FRAME.cast({"kind": dtype}))
    must_have(found, probabilities(model)[:, 1], null(model))


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Float64,
        pl.Float32,
        pl.Int8,
        pl.UInt64,
        pl.Int128,
        pl.UInt128,
        pl.Boolean,
        pl.Decimal(9, 2),
    ],
    ids=str,
)
def test_types_of_numbers(dtype):
    frame = pl.DataFrame({"a": [0, 1, None], "b": [1, 0, 1]}).cast(dtype)
    found = collected(probability(PAIR), frame=frame)
    assert found.to_list() == [fl.sigmoid(-0.5), fl.sigmoid(2.5), None]
    nothing = pl.DataFrame({"a": [None], "b": [None]})
    assert collected(probability(PAIR), frame=nothing).to_list() == [None]


# Queries ----------------------------------------------------------------------------------


def test_names_that_polars_takes_for_patterns():
    model = fl.LogisticModel(np.linspace(-1.0, 1.0, len(HOSTILE)), 0.5, tuple(HOSTILE))
    X = pa.table(dict(zip(HOSTILE, np.random.default_rng(1).normal(size=(9, 7)), strict=True)))
    frame = pl.from_arrow(X).with_columns(a=1)  # which two of the names would match
    found = collected(probability(model), frame=frame)
    np.testing.assert_array_equal(found, model.predict_proba(X)[:, 1])


def test_columns_in_any_order_and_a_feature_stays():
    frame = FRAME.select("b", "other", "a").with_columns(probability(PAIR))
    assert frame.columns == ["b", "other", "a", "probability"]
    must_have(frame["probability"], probabilities(PAIR)[:, 1], null(PAIR))
    assert frame["a"].equals(FRAME["a"])


@each_engine
@pytest.mark.parametrize("group", ["other", "kind", "a"])
def test_groups_even_of_a_feature(group, engine):
    y, is_null = probabilities(MODELS["text"])[:, 1], null(MODELS["text"])
    must_have(collected(probability(MODELS["text"]).over(group), engine), y, is_null)
    groups = FRAME.lazy().group_by(group).agg(row="other", y=probability(MODELS["text"]))
    found = groups.explode("row", "y").sort("row").collect(engine=engine)
    must_have(found["y"], y, is_null)


def test_expressions_that_choose_rows():
    y, flag = probabilities(PAIR)[:, 1], FRAME["flag"].fill_null(value=False).to_numpy()
    found = collected(pl.when("flag").then(probability(PAIR)).otherwise(2.0))
    must_have(found, np.where(flag, y, 2.0), null(PAIR) & flag)
    must_have(collected(probability(PAIR).filter("flag")), y[flag], null(PAIR)[flag])
    must_have(collected(probability(PAIR).slice(7, 9)), y[7:16], null(PAIR)[7:16])


@each_engine
@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows(count, engine):
    found = collected(probability(MODELS["three classes"]), engine, FRAME.head(count))
    assert found.to_list() == collected(probability(MODELS["three classes"])).to_list()[:count]


def test_pieces_of_a_frame():
    pieces = [FRAME.slice(0, 7), FRAME.slice(7, 0), FRAME.slice(7, 1), FRAME.slice(8)]
    frame = pl.concat(pieces, rechunk=False)
    must_have(collected(probability(PAIR), frame=frame), probabilities(PAIR)[:, 1], null(PAIR))


@each_engine
@pytest.mark.parametrize("threads", [None, 1, 3])
def test_many_rows_and_threads(engine, threads):
    many = pl.concat([FRAME] * 80)
    found = collected(probability(MODELS["text"], threads=threads), engine, many)
    y, is_null = probabilities(MODELS["text"])[:, 1], null(MODELS["text"])
    must_have(found, np.tile(y, 80), np.tile(is_null, 80))


@each_engine
def test_nested_in_other_expressions(engine, tmp_path):
    FRAME.write_parquet(tmp_path / "rows.parquet")
    y = probabilities(PAIR)[:, 1]
    above = (
        pl.scan_parquet(tmp_path / "rows.parquet")
        .filter(probability(PAIR).fill_nan(None) > 0.5)
        .select(pl.len(), highest=probability(PAIR).max(), z=decision(PAIR).sum())
        .collect(engine=engine)
    )
    kept = y > 0.5
    z = PAIR.decision(ROWS.select(["a", "b"]), missing="nan")[kept]
    assert above.row(0)[:2] == (kept.sum(), y[kept].max())
    assert above["z"].item() == pytest.approx(z.sum(), rel=1e-12)
    by_flag = FRAME.lazy().group_by("flag").agg(probability(PAIR).count()).collect(engine=engine)
    assert by_flag["probability"].sum() == np.count_nonzero(~null(PAIR))
    again = fl.LogisticModel([1.0], 0.0, ("probability",))
    twice = FRAME.lazy().select(probability(PAIR)).select(probability(again))
    must_have(twice.collect(engine=engine).to_series(), fl.sigmoid(y), null(PAIR))


def test_a_query_only_reads_the_columns_of_the_model():
    plan = FRAME.lazy().select(probability(PAIR)).explain()
    assert f"2/{FRAME.width} COLUMNS" in plan


def test_a_query_that_was_pickled():
    lazy = pickle.loads(pickle.dumps(FRAME.lazy().select(probability(PAIR))))
    must_have(lazy.collect().to_series(), probabilities(PAIR)[:, 1], null(PAIR))


def test_a_model_in_a_file(tmp_path):
    PAIR.save(tmp_path / "model.json")
    frame = pl.DataFrame({"a": [0.0], "b": [0.5]})
    assert collected(probability(tmp_path / "model.json"), frame=frame).to_list() == [0.5]


# Errors -----------------------------------------------------------------------------------


@each_engine
def test_a_missing_column(engine):
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match=r"\bb\b"):
        collected(probability(PAIR), engine, FRAME.drop("b"))


@each_engine
def test_wrong_types(engine):
    text = FRAME.cast({"a": pl.String})
    with pytest.raises(ValueError, match="column 'a' must hold numbers; it holds"):
        text.lazy().select(probability(PAIR)).collect(engine=engine)
    number = FRAME.with_columns(kind=1.5)
    message = "column 'kind' must hold text, integers or booleans"
    with pytest.raises(ValueError, match=message):
        number.lazy().select(probability(MODELS["text"])).collect(engine=engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "skip"}, "missing must be 'null', 'nan' or 'error'; got 'skip'"),
        ({"unknown": "nan"}, "unknown must be 'error' or 'ignore'; got 'nan'"),
        ({"threshold": 2.0}, "threshold must lie between 0 and 1"),
        ({"threads": 0}, "threads must be between"),
        ({"offset": ["c", "d"]}, "offset must be 1 column"),
        ({"offset": "a"}, "column 'a' is a feature of the model, so it cannot be the offset"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        predict(PAIR, **options)


def test_wrong_models():
    with pytest.raises(ValueError, match="model must have feature_names, as columns are found"):
        probability(fl.LogisticModel([1.0]))
    with pytest.raises(TypeError, match="model must be a LogisticModel or the path"):
        probability(3)
    with pytest.raises(ValueError, match="threshold must go with two classes"):
        predict(MODELS["three classes"], threshold=0.9)


@pytest.mark.parametrize("absent", ["polars", "pyarrow"])
def test_without_the_package(monkeypatch, absent):
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, "fastlogit.polars")
    message = rf"fastlogit.polars needs {absent}: pip install 'fastlogit\[polars\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        importlib.import_module("fastlogit.polars")
