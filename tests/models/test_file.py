"""The file of a model: an exact round trip, or a clear error; a loaded model is usable."""

from __future__ import annotations

import io
import json
import math
import pickle
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import fastlogit as fl
from fastlogit import plot
from fastlogit.models.file import FORMAT, VERSION
from fastlogit.models.model import OffsetWarning
from tests import processes
from tests.models.test_model import HISTORY, MODEL, fields


def content(**changes):
    return {
        "format": FORMAT,
        "version": 4,
        "coef": [2.0, -1.0],
        "intercept": 0.5,
        "feature_names": ["a", "b"],
        "l2": 1.0,
        "mean_log_loss": 0.25,
        "gradient_norm": 1e-9,
        "converged": True,
        "passes": 7,
        "classes": ["no", "yes"],
        "with_intercept": True,
        "mean_null_log_loss": 0.75,
        "total_weight": 100.0,
        "solver": "newton",
        "seconds": 0.02,
        "history": {
            "passes": [1, 2],
            "objective": [0.5, 0.25],
            "gradient_norm": [0.1, 1e-9],
            "step": [0.0, 1.0],
            "seconds": [0.01, 0.02],
        },
        "variances": [0.1, None, 4.0],
        "categories": {},
        "with_offset": False,
    } | changes


# Fields that each version added, under the names that they have now.
ADDED = {
    2: [
        *("classes", "with_intercept", "mean_null_log_loss", "total_weight"),
        *("solver", "seconds", "history", "variances"),
    ],
    3: ["categories", "with_offset"],
}
RENAMED = {"mean_log_loss": "log_loss", "mean_null_log_loss": "null_log_loss"}


def former_content(version):
    """The content of a file as version 1, 2 or 3 wrote it."""
    later = {name for since, names in ADDED.items() if since > version for name in names}
    return {
        RENAMED.get(name, name): value
        for name, value in content(version=version).items()
        if name not in later
    }


finite = st.floats(allow_nan=False, allow_infinity=False)  # subnormals and -0.0 too
not_negative = finite.map(abs)


@given(
    coef=st.lists(finite, min_size=1, max_size=20),
    intercept=finite,
    named=st.booleans(),
    l2=not_negative | st.just("each"),
    loss=not_negative | st.just(math.nan),
    converged=st.booleans(),
    passes=st.integers(0, 10**6),
    data=st.data(),
)
def test_a_saved_model_is_the_same_to_the_bit(
    tmp_path_factory, coef, intercept, named, l2, loss, converged, passes, data
):
    text = st.text(st.characters(codec="utf-8"), max_size=5)
    size = {"min_size": len(coef), "max_size": len(coef)}
    names = tuple(data.draw(st.lists(text, unique=True, **size))) if named else None
    l2 = np.abs(coef) if l2 == "each" else l2
    model = fl.LogisticModel(coef, intercept, names, l2, loss, loss, converged, passes)
    path = tmp_path_factory.getbasetemp() / "model.json"
    model.save(path)
    assert fields(fl.load(path)) == fields(model)


def test_numbers_of_numpy_are_saved_like_those_of_python(tmp_path):
    model = fl.LogisticModel(
        np.float32([0.5, 1]),
        np.float32(0.1),
        l2=np.int64(2),
        mean_log_loss=np.float32(0.3),
        converged=np.True_,
        passes=np.int32(7),
    )
    model.save(tmp_path / "model.json")
    assert fields(fl.load(tmp_path / "model.json")) == fields(model)


@pytest.mark.parametrize("value", [5e-324, -0.0, 2.0**-1022, 1.7976931348623157e308, 0.1, 1 / 3])
def test_the_ends_of_the_range_are_saved_to_the_bit(tmp_path, value):
    model = fl.LogisticModel([value, -value], value)
    model.save(tmp_path / "model.json")
    assert fields(fl.load(tmp_path / "model.json")) == fields(model)


def test_the_file_is_plain_json(tmp_path):
    MODEL.save(tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8")) == content()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_passed_through_another_editor_is_read(tmp_path, encoding):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content()), encoding=encoding)
    assert fields(fl.load(str(path))) == fields(MODEL)


@pytest.mark.parametrize(("last", "version"), [("y", 4), (None, 5)])
def test_former_releases_can_read_a_file_without_groups(tmp_path, last, version):
    path = tmp_path / "model.json"
    model = fl.LogisticModel([1.0], 0.0, ("k=x",), categories={"k": ("x", last)})
    model.save(path)
    assert json.loads(path.read_text())["version"] == version
    assert fields(fl.load(path)) == fields(model)


def test_a_file_of_version_1_is_read(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(former_content(1)))
    model = fl.load(path)
    assert model.coef.tolist() == [2.0, -1.0]
    assert (model.classes, model.with_intercept, model.history) == ((0, 1), True, None)
    assert model.mean_log_loss == 0.25
    assert np.isnan([model.mean_null_log_loss, model.total_weight]).all()
    model.save(path)
    assert fields(fl.load(path)) == fields(model)


@pytest.mark.parametrize("version", [2, 3])
def test_a_file_of_a_former_version_is_read(tmp_path, version):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(former_content(version)))
    assert fields(fl.load(path)) == fields(MODEL)
    fl.load(path).save(path)
    assert json.loads(path.read_text(encoding="utf-8")) == content()


@pytest.mark.parametrize("name", ["log_loss", "null_log_loss"])
def test_a_file_of_a_former_version_needs_the_fields_of_its_version(tmp_path, name):
    path = tmp_path / "model.json"
    old = former_content(3) | {"mean_log_loss": 1.0, "mean_null_log_loss": 1.0}
    del old[name]
    path.write_text(json.dumps(old))
    with pytest.raises(ValueError, match=f"not a valid model: '{name}' is missing"):
        fl.load(path)


def test_unknown_keys_are_ignored(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content(note="trained on Sunday")))
    assert fields(fl.load(path)) == fields(MODEL)


WHOLE = json.dumps(content())
BAD_TEXTS = {
    "empty": "",
    "not JSON": "coef: [1, 2]",
    "text after the end": WHOLE + WHOLE,
    "binary": b"PAR1\x00\x01\xff\xfe\xfa",
    "not UTF-8": WHOLE.encode().replace(b'"a"', b'"\xff"'),
    "NUL": "\x00",
    "deep lists": "[" * 3_000_000,
    "deep objects": '{"a":' * 1_000_000 + "1" + "}" * 1_000_000,
    "deep coef": json.dumps(content(coef=0)).replace("0", "[" * 50_000 + "]" * 50_000, 1),
    "an endless number": json.dumps(content(coef=["x"])).replace('"x"', "1" * 5000),
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_text_that_is_not_json_is_an_error_that_begins_with_the_path(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="must be a model file") as caught:
        fl.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_a_truncated_file_is_an_error_that_begins_with_the_path(tmp_path, length):
    path = tmp_path / "model.json"
    path.write_text(WHOLE[:length])
    with pytest.raises(ValueError, match="must be a model file") as caught:
        fl.load(path)
    assert str(caught.value).startswith(f"{path}: ")


HUGE = 10**400
BAD_CONTENTS = [
    ([], "format"),
    (None, "format"),
    ("text", "format"),
    ({}, "format"),
    (content(format="sklearn.LogisticRegression"), "format"),
    (content(format=None), "format"),
    (content(version=VERSION + 1), f"version must be 1 to {VERSION}, .*; got {VERSION + 1}"),
    (content(version="1"), "version must be .*; got '1'"),
    (content(version=None), "version must be .*; got None"),
    (content(coef=None), "coef"),
    (content(coef={}), "coef"),
    (content(coef=1.0), "coef"),
    (content(coef=[]), "coef"),
    (content(coef="ab"), "coef"),
    (content(coef=["1.0", "2.0"]), "coef"),
    (content(coef=[1.0, None]), "coef"),
    (content(coef=[True, False]), "coef"),
    (content(coef=[[1.0, 2.0]]), "coef"),
    (content(coef=[1.0, math.nan]), "coef"),
    (content(coef=[1.0, -math.inf]), "coef"),
    (content(coef=[1.0, HUGE]), "coef"),
    (content(coef=[1.0]), "feature_names"),
    (content(coef=[1.0, 2.0, 3.0]), "feature_names"),
    (content(intercept=None), "intercept"),
    (content(intercept="0.5"), "intercept"),
    (content(intercept=[0.5]), "intercept"),
    (content(intercept=False), "intercept"),
    (content(intercept=math.nan), "intercept"),
    (content(intercept=math.inf), "intercept"),
    (content(intercept=HUGE), "intercept"),
    (content(feature_names="ab"), "feature_names"),
    (content(feature_names={"a": 1, "b": 2}), "feature_names"),
    (content(feature_names=["a", "a"]), "'a' more than once"),
    (content(feature_names=["a"]), "feature_names .* 2; got 1"),
    (content(feature_names=[]), "feature_names .* 2; got 0"),
    (content(feature_names=["a", 2]), "feature_names"),
    (content(feature_names=["a", None]), "feature_names"),
    (content(feature_names=["a", ["b"]]), "feature_names"),
    (content(l2="1"), "l2"),
    (content(l2=None), "l2"),
    (content(l2=math.nan), "l2"),
    (content(l2=math.inf), "l2"),
    (content(l2=-1.0), "l2"),
    (content(l2=HUGE), "l2"),
    (content(mean_log_loss="0.25"), "mean_log_loss"),
    (content(mean_log_loss=math.nan), "mean_log_loss"),
    (content(mean_log_loss=math.inf), "mean_log_loss"),
    (content(gradient_norm=[]), "gradient_norm"),
    (content(gradient_norm=True), "gradient_norm"),
    (content(gradient_norm=HUGE), "gradient_norm"),
    (content(converged=None), "converged"),
    (content(converged="false"), "converged"),
    (content(converged=1), "converged"),
    (content(passes=None), "passes"),
    (content(passes="7"), "passes"),
    (content(passes=7.5), "passes"),
    (content(passes=math.inf), "passes"),
    (content(passes=-1), "passes"),
    (content(version=True), "version must be .*; got True"),
    (content(l2=[1.0]), "l2 .* 2; got 1"),
    (content(l2=[1.0, -1.0]), "l2"),
    (content(l2=[1.0, "2"]), "l2"),
    (content(classes=None), "classes"),
    (content(classes="ny"), "classes"),
    (content(classes=["no"]), "classes"),
    (content(classes=["no", "no"]), "classes"),
    (content(classes=["no", 1]), "classes"),
    (content(classes=[0, None]), "classes"),
    (content(classes=[0, math.nan]), "classes"),
    (
        content(classes=[0, 2**63]),
        "classes must lie between .*; got 9223372036854775808",
    ),
    (content(classes=[[0], [1]]), "classes"),
    (content(with_intercept=1), "with_intercept"),
    (content(total_weight=-1.0), "total_weight"),
    (content(solver=3), "solver"),
    (content(history=[]), "history"),
    (content(history={}), "history"),
    (content(history=HISTORY._asdict() | {"passes": [1]}), "history"),
    (content(history=HISTORY._asdict() | {"passes": 1}), "history"),
    (content(history=HISTORY._asdict() | {"step": [0.0, "1"]}), "history.step"),
    (content(history=HISTORY._asdict() | {"passes": [1, 1.5]}), "history.passes"),
    (content(variances=[1.0]), "variances .* 3; got 1"),
    (content(variances=[1.0, -1.0, 2.0]), "variances"),
    (content(variances=1.0), "variances"),
    *[
        ({k: v for k, v in content().items() if k != key}, key)
        for key in sorted(set(content()) - {"with_offset"})
    ],
]


@pytest.mark.parametrize(("bad", "words"), BAD_CONTENTS)
def test_json_without_a_valid_model_is_an_error_that_begins_with_the_path(tmp_path, bad, words):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(ValueError, match=f"not a valid model: .*{words}") as caught:
        fl.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def loads_or_refuses(path):
    """Load a file, which gives a valid model or one kind of error, in one short line."""
    try:
        model = fl.load(path)
    except ValueError as error:
        message = str(error)
        assert message.startswith(
            (f"{path}: not a valid model: ", f"{path}: must be a model file ")
        )
        assert len(message) - len(str(path)) < 300
        assert "\n" not in message
        return None
    assert isinstance(model, fl.LogisticModel)
    assert np.isfinite([*model.coef, model.intercept]).all()
    assert model.coef.size == len(model.feature_names or (0, 1)) == 2
    return model


def test_a_file_with_any_byte_replaced_is_a_model_or_an_error_that_begins_with_the_path(tmp_path):
    path = tmp_path / "model.json"
    whole = WHOLE.encode()
    found = []
    for place, byte in enumerate(whole):
        for other in {byte ^ 1, byte ^ 32, byte ^ 128, *b'\x00\n" -.09,:[]{}eE', 255} - {byte}:
            path.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
            found.append(loads_or_refuses(path))
    assert None in found
    assert any(found)  # another digit, or letter of a name


@pytest.mark.parametrize("key", content())
@pytest.mark.parametrize("value", ["long", ["long"], {"long": 1}, ["long"] * 2, [["long"]]])
def test_messages_are_short_for_long_values(tmp_path, key, value):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content(**{key: value})).replace("long", "z\\n" * 100_000))
    assert loads_or_refuses(path) is None or key == "solver"


@pytest.mark.parametrize("key", ["coef", "version", "history", "note"])
def test_a_repeated_key_is_an_error(tmp_path, key):
    path = tmp_path / "model.json"
    path.write_text(f'{{"{key}": 0, {json.dumps(content(note=1))[1:]}')
    with pytest.raises(
        ValueError, match=rf"must be a model file \(JSON\): the key '{key}' occurs twice$"
    ):
        fl.load(path)


def test_a_repeated_key_in_the_history_is_an_error(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(WHOLE.replace('"step":', '"passes": [1, 2], "step":'))
    with pytest.raises(ValueError, match=r"the key 'passes' occurs twice$"):
        fl.load(path)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "Infinity", "-Infinity", "NaN", "null"])
@pytest.mark.parametrize("key", ["coef", "intercept"])
def test_numbers_must_be_finite(tmp_path, text, key):
    path = tmp_path / "model.json"
    path.write_text(WHOLE.replace({"coef": "-1.0", "intercept": "0.5"}[key], text, 1))
    with pytest.raises(ValueError, match=f"not a valid model: '{key}' must be a finite number; "):
        fl.load(path)


# The largest content for the size of a file; work above linear would not finish.
LARGE = {
    "numbers": lambda: content(coef=[0] * 100_000),
    "digits": lambda: content(coef="digits"),
    "lists": lambda: content(coef=[[]] * 100_000),
    "objects": lambda: content(coef=[{}] * 100_000),
    "keys": lambda: content() | dict.fromkeys(map(str, range(100_000))),
    "names": lambda: content(coef=[0] * 100_000, feature_names=[*map(str, range(99_999)), "99998"]),
    "history": lambda: content(history=HISTORY._asdict() | {"step": [0] * 100_000}),
    "variances": lambda: content(variances=[None] * 100_000),
}


@pytest.mark.parametrize("name", LARGE)
def test_memory_is_bounded_by_the_size_of_the_file(tmp_path, name):
    path = tmp_path / "model.json"
    text = json.dumps(LARGE[name](), separators=(",", ":"))
    path.write_text(text.replace('"digits"', f"[0.{'1' * 1_000_000},1.{'1' * 1_000_000}]"))
    tracemalloc.start()
    try:
        loads_or_refuses(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * path.stat().st_size  # two bytes of text, "0,", are two objects


def in_process(script, *arguments):
    done = processes.run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD_IN_400_MB = """
import resource, sys
import fastlogit as fl
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 400_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    fl.load(sys.argv[1])
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its address space like that")
@pytest.mark.parametrize(
    "parts", [(b"[", b""), (b"[", b"]"), (b'{"a":', b""), (b'{"coef":[', b"]}")]
)
def test_100_megabytes_of_brackets_are_an_error(tmp_path, parts):
    path = tmp_path / "model.json"
    path.write_bytes(b"".join(part * (100_000_000 // len(b"".join(parts))) for part in parts))
    message = in_process(LOAD_IN_400_MB, path)
    assert message.startswith(f"{path}: must be a model file (JSON): ")
    assert message.count("\n") == 1
    assert len(message) < 500


# Audit hooks see every file, import and process of the interpreter.
LOAD_AUDITED = """
import json, sys
import fastlogit as fl
good, *others = sys.argv[1:]
fl.load(good)
seen = []
recording = False
sys.addaudithook(lambda event, arguments: seen.append((event, str(arguments[:1]))))
for path in others:
    try:
        fl.load(path)
    except ValueError:
        pass
events = list(seen)
print(json.dumps(events))
"""


def test_loading_executes_nothing(tmp_path):
    run = "__import__('os').system('touch ran')"
    hostile = [
        pickle.dumps(pytest.importorskip),
        f"cos\nsystem\n(S'touch {tmp_path}/ran'\ntR.",
        run,
        json.dumps({"py/object": "os.system", "py/reduce": [{"py/function": "os.system"}, [run]]}),
        json.dumps(content(format=run)),
        *(json.dumps(content(**{key: run})) for key in content()),
        json.dumps(content(feature_names=[run, "{0.__class__}"])),
        json.dumps(content(__class__="os.system", __reduce__=run, __init__=run)),
        json.dumps(content(classes=[run, "%s" * 100])),
    ]
    paths = [tmp_path / f"{number}.json" for number in range(len(hostile))]
    for path, text in zip(paths, hostile, strict=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    good = tmp_path / "good.json"
    MODEL.save(good)
    events = json.loads(in_process(LOAD_AUDITED, good, *paths))
    assert {event for event, _ in events} == {"open"}
    assert [argument for _, argument in events] == [f"({str(path)!r},)" for path in paths]


def test_a_file_that_does_not_exist_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        fl.load(tmp_path / "nowhere.json")
    with pytest.raises(OSError, match=tmp_path.name):
        fl.load(tmp_path)


# Saving that fails ------------------------------------------------------------------------


def test_saving_into_a_missing_folder_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        MODEL.save(tmp_path / "nowhere" / "model.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", [None, "old"])
@pytest.mark.parametrize("step", ["pathlib.Path.write_text", "os.fsync", "pathlib.Path.replace"])
def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, existing, step):
    path = tmp_path / "model.json"
    if existing:
        path.write_text(existing)
    before = list(tmp_path.iterdir())

    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(step, disk_full)
        with pytest.raises(OSError, match="No space left"):
            MODEL.save(path)
    assert list(tmp_path.iterdir()) == before
    assert not existing or path.read_text() == existing


@pytest.mark.parametrize(
    "field", [{"mean_log_loss": math.inf}, {"l2": math.nan}, {"feature_names": ("\ud800",)}]
)
def test_values_that_json_cannot_hold_are_an_error_and_the_old_file_stays(tmp_path, field):
    path = tmp_path / "model.json"
    MODEL.save(path)
    with pytest.raises(ValueError, match=r"JSON|surrogate|must be"):
        fl.LogisticModel([1.0], **field).save(path)
    assert fields(fl.load(path)) == fields(MODEL)
    assert list(tmp_path.iterdir()) == [path]


# A loaded model is usable -----------------------------------------------------------------

# Fields and elements of them, by their keys.
PLACES = [
    *((key,) for key in content()),
    *((key, 1) for key in ("coef", "feature_names", "classes", "variances")),
    *(("history", key) for key in HISTORY._fields),
    *(("history", key, 1) for key in HISTORY._fields),
]
ODD = [
    None,
    True,
    0,
    -1,
    7,
    1.5,
    -0.0,
    5e-324,
    1.7e308,
    math.inf,
    -math.inf,
    math.nan,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    HUGE,
    "",
    "1",
    "NaN",
    "late",
    "\ud800",
    "a\x00",
    "\x00",
    "$x$\n",
    "é" * 70_000,
    "long" * 1000,
    [],
    {},
    [0],
    [1.0, 2.0],
    [None, None, None],
    ["a", "b"],
    [False, True],
    ["x", "x\x00"],
    [2**53, 2**53 + 0.5],
    [0.0, 1e999],
    {"a": ["b"]},
    {"late": []},
    {"late": ["x", "\udfff"]},
    [[1.0]],
    [{}],
]


def mutated(place, value):
    changed = content()
    at = changed
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return changed


def use(model, path):
    """Do all that can be done with a model."""
    model.save(path)
    for copy in (fl.load(path), pickle.loads(pickle.dumps(model))):
        assert fields(copy) == fields(model)
    assert model.with_offset in (False, True)
    X = np.eye(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OffsetWarning)
        assert np.isfinite(model.decision(X)).all()
        assert set(model.predict(X).tolist()) <= set(model.classes)
        assert next(fl.score(model, X, output="label"))["label"][0].as_py() in model.classes
    assert repr(model).startswith("LogisticModel(")
    assert max(map(len, model.summary().splitlines())) < 200
    if model.variances is not None and not np.any(model.l2):
        assert np.isfinite(model.p_values()[~np.isnan(model.variances)]).all()


def draw(models):
    figure = Figure()
    axes = figure.subplots(2, len(models), squeeze=False)
    for model, (above, below) in zip(models, axes.T, strict=True):
        plot.coefficients(model, above)
        if model.history is not None and model.history.passes:
            plot.convergence(model, below)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no font has all letters, no picture all decades
        figure.savefig(io.BytesIO(), format="png", dpi=20)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_file_with_an_odd_value_is_a_usable_model_or_an_error(tmp_path, place):
    path = tmp_path / "model.json"
    loaded = {}
    for value in ODD:
        path.write_text(json.dumps(mutated(place, value)))
        if (model := loads_or_refuses(path)) is not None:
            loaded[str(fields(model))] = model
    for model in loaded.values():
        use(model, path)
    if loaded and place[0] in ("coef", "feature_names", "history", "l2", "variances"):
        draw(list(loaded.values())[:6])


def test_files_with_several_odd_values_are_usable_models_or_errors(tmp_path):
    random, path = np.random.default_rng(24), tmp_path / "model.json"
    loaded = 0
    for _ in range(300):
        changed = content(l2=0.0)
        for place in random.choice(len(PLACES), 2, replace=False):
            key, *rest = PLACES[place]
            value = ODD[random.integers(len(ODD))]
            changed[key] = value if not rest else mutated(PLACES[place], value)[key]
        path.write_text(json.dumps(changed))
        if (model := loads_or_refuses(path)) is not None:
            use(model, path)
            loaded += 1
    assert 0 < loaded < 250


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (content(classes=[0, math.inf]), "classes must be finite; got inf"),
        (content(classes=[math.nan, 0]), "classes must be bool, .*; got nan"),
        (content(classes=["no", "\ud800"]), "classes must be valid Unicode"),
        (content(classes=["no", "no\x00"]), "classes must not end with NUL"),
        (content(classes=[0.5, 2**53 + 1]), "classes must be of one type"),
        (content(with_intercept=False), "intercept must be 0 for a model without one"),
        (content(feature_names=["a", "\udfff"]), "feature_names must be valid Unicode"),
        (content(feature_names=["a", "b" * 2**21]), "at most 1048576 characters each; got 2097152"),
        (content(passes=2**63), "passes must have at most 64 bits; got 9223372036854775808"),
        (content(solver="n" * 101), "solver must have at most 100 characters"),
        (content(solver="\ud800"), "solver must be valid Unicode"),
        (mutated(("history", "passes", 1), 2**63), "history.passes must be .*whole numbers"),
        (mutated(("history", "passes", 1), -1), "history.passes must be whole numbers"),
        (mutated(("history", "step", 1), HUGE), "history.step' must be a finite number"),
        (mutated(("history", "step", 1), True), "history.step' must be a finite number"),
        (content(with_offset=1), "'with_offset' must be true or false; got 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_loading_a_model_that_could_not_be_used_is_an_error(tmp_path, bad, words):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(ValueError, match=f"not a valid model: .*{words}"):
        fl.load(path)


@pytest.mark.parametrize("key", ["coef", "l2", "variances", "history"])
def test_a_large_file_takes_little_time(tmp_path, key):
    n = 300_000
    values = {
        "coef": {"coef": [0] * n},
        "l2": {"l2": [0] * n},
        "variances": {"variances": [None] * (n + 1)},
        "history": {"history": {name: [1] * n for name in HISTORY._fields}},
    }[key]
    large = content(coef=[0] * n, feature_names=None, variances=None) | values
    path = tmp_path / "model.json"
    path.write_text(json.dumps(large))
    start = time.process_time()
    assert fl.load(path).coef.size == n
    assert time.process_time() - start < 1.0  # a loop in Python takes 2 s


def test_a_file_without_the_field_has_no_offset(tmp_path):
    path = tmp_path / "model.json"
    old = content()
    del old["with_offset"]
    path.write_text(json.dumps(old))
    assert fl.load(path).with_offset is False
    path.write_text(json.dumps(content(with_offset=True)))
    model = fl.load(path)
    assert model.with_offset is True
    model.save(path)
    assert fl.load(path).with_offset is True
