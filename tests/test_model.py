"""`LogisticModel`: what it predicts, and that its file gives the same model or a clear error."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import tracemalloc
from copy import deepcopy

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlogit as fl
from fastlogit.model_fields import History
from fastlogit.model_file import FORMAT, VERSION

HISTORY = History((1, 2), (0.5, 0.25), (0.1, 1e-9), (0.0, 1.0), (0.01, 0.02))
MODEL = fl.LogisticModel(
    [2.0, -1.0],
    0.5,
    ("a", "b"),
    1.0,
    0.25,
    1e-9,
    True,
    7,
    ("no", "yes"),
    True,
    0.75,
    100.0,
    "newton",
    0.02,
    HISTORY,
    [0.1, math.nan, 4.0],
)


# Predictions ------------------------------------------------------------------------------


def test_decision_and_probabilities_are_those_of_linear():
    X = np.random.default_rng(0).normal(size=(50, 2))
    z = fl.linear.decision(X, MODEL.coef, MODEL.intercept)
    assert (MODEL.decision(X) == z).all()
    out = np.empty(50)
    assert MODEL.decision(X, out=out, threads=2) is out
    np.testing.assert_array_equal(
        MODEL.predict_proba(X), np.column_stack([fl.sigmoid(-z), fl.sigmoid(z)])
    )


def test_both_tails_of_the_probabilities_are_kept():
    model = fl.LogisticModel([1.0])
    both = model.predict_proba([[745.1], [-745.1], [40.0], [-40.0], [0.0]])
    assert both[0].tolist() == [5e-324, 1.0]
    assert both[1].tolist() == [1.0, 5e-324]
    assert both[2].tolist() == [fl.sigmoid(-40.0), 1.0]
    assert both[3].tolist() == [1.0, fl.sigmoid(-40.0)]
    assert both[4].tolist() == [0.5, 0.5]


def test_labels_are_one_where_the_probability_is_above_the_threshold():
    model = fl.LogisticModel([1.0])
    X = np.array([[-1.0], [0.0], [1.0], [40.0], [800.0]])
    y = fl.sigmoid(X[:, 0])
    assert model.predict(X).tolist() == [0, 0, 1, 1, 1]
    assert model.predict(X).dtype == np.int64
    assert model.predict(X, threshold=float(y[0])).tolist() == [0, 1, 1, 1, 1]
    assert model.predict(X, threshold=0.0).tolist() == [1, 1, 1, 1, 1]
    assert model.predict(X, threshold=1.0).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("threshold", ["a", None, [0.5], 0.5j])
def test_a_threshold_that_is_no_number_is_an_error(threshold):
    with pytest.raises(TypeError, match=r"^threshold must be a real number; got "):
        MODEL.predict([[0.0, 0.0]], threshold=threshold)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, math.inf])
def test_a_threshold_that_is_no_probability_is_an_error(threshold):
    with pytest.raises(ValueError, match=f"^threshold must .*{threshold}"):
        MODEL.predict([[0.0, 0.0]], threshold=threshold)


def test_a_row_with_nan_has_no_label_but_a_nan_for_a_probability():
    X = [[0.0, 0.0], [1.0, math.nan], [math.nan, 1.0]]
    assert np.isnan(MODEL.predict_proba(X)).tolist() == [[False] * 2, [True] * 2, [True] * 2]
    with pytest.raises(ValueError, match=r"^X .*row 1.*NaN"):
        MODEL.predict(X)


@pytest.mark.parametrize("method", ["decision", "predict", "predict_proba"])
def test_rows_of_another_width_are_an_error(method):
    with pytest.raises(ValueError, match=r"X must have 2 columns, as the model has coef.*; got 3"):
        getattr(MODEL, method)([[1.0, 2.0, 3.0]])


# Making one -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"coef": []}, "coef .*empty"),
        ({"coef": [[1.0]]}, "coef .*one axis"),
        ({"coef": 1.0}, "coef .*one axis"),
        ({"coef": ["a"]}, "coef must hold real numbers; got dtype <U1"),
        ({"coef": [1j]}, "coef must hold real numbers; got dtype complex128"),
        ({"coef": np.ones(2, complex)}, "coef must hold real numbers; got dtype complex128"),
        ({"coef": None}, "coef must be an array of real numbers; got NoneType"),
        ({"coef": [[1.0], [1.0, 2.0]]}, "coef must have one axis, of rows of the same length"),
        ({"coef": np.ma.masked_array([1.0, 2.0], [0, 1])}, "coef must have no masked elements"),
        ({"coef": [1.0], "intercept": "x"}, "intercept must be a real number; got 'x'"),
        ({"coef": [1.0], "intercept": None}, "intercept must be a real number; got None"),
        ({"coef": [1.0], "intercept": 1j}, "intercept must be a real number; got 1j"),
        ({"coef": [1.0], "intercept": [0.5]}, "intercept must be a real number; got"),
        ({"coef": [1.0], "intercept": np.ma.masked}, "intercept must be a real number; got mask"),
        ({"coef": [1.0, math.nan]}, "coef must be finite; got nan"),
        ({"coef": [1.0, -math.inf]}, "coef must be finite; got -inf"),
        ({"coef": [1.0], "intercept": math.nan}, "intercept must be finite; got nan"),
        ({"coef": [1.0], "intercept": math.inf}, "intercept must be finite; got inf"),
        ({"coef": [1.0], "l2": "x"}, "l2 must be a real number; got 'x'"),
        ({"coef": [1.0], "l2": math.nan}, "l2 must be finite and not negative; got nan"),
        ({"coef": [1.0], "log_loss": math.inf}, "log_loss must be finite and not negative"),
        ({"coef": [1.0], "gradient_norm": -1.0}, "gradient_norm must be finite and not negative"),
        ({"coef": [1.0], "converged": "yes"}, "converged must be True or False; got 'yes'"),
        ({"coef": [1.0], "passes": -1}, "passes must be a whole number of at least 0; got -1"),
        ({"coef": [1.0], "passes": 0.5}, "passes must be a whole number of at least 0; got 0.5"),
        ({"coef": [1.0], "feature_names": ("a", "b")}, "feature_names .* 1; got 2"),
        ({"coef": [1.0], "feature_names": ()}, "feature_names .* 1; got 0"),
        ({"coef": [1.0, 2.0], "feature_names": ("a", "a")}, "feature_names .*'a' more than once"),
        ({"coef": [1.0], "feature_names": (1,)}, "feature_names must be strings; got 1"),
    ],
)
def test_a_model_that_could_not_predict_is_an_error(arguments, message):
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        fl.LogisticModel(**arguments)


def test_a_model_is_its_own_and_does_not_change():
    coef = np.array([1.0, 2.0])
    model = fl.LogisticModel(coef)
    coef[0] = 9.0
    assert model.coef.tolist() == [1.0, 2.0]
    assert coef.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        model.coef[0] = 9.0
    with pytest.raises(AttributeError):
        model.intercept = 9.0


def test_copies_do_not_change_either():
    for copy in (pickle.loads(pickle.dumps(MODEL)), deepcopy(MODEL)):
        assert fields(copy) == fields(MODEL)
        with pytest.raises(ValueError, match="read-only"):
            copy.coef[0] = 9.0


# Files ------------------------------------------------------------------------------------


def content(**changes):
    return {
        "format": FORMAT,
        "version": VERSION,
        "coef": [2.0, -1.0],
        "intercept": 0.5,
        "feature_names": ["a", "b"],
        "l2": 1.0,
        "log_loss": 0.25,
        "gradient_norm": 1e-9,
        "converged": True,
        "passes": 7,
        "classes": ["no", "yes"],
        "with_intercept": True,
        "null_log_loss": 0.75,
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
    } | changes


FIELDS_OF_1 = {
    *("format", "version", "coef", "intercept", "feature_names", "l2"),
    *("log_loss", "gradient_norm", "converged", "passes"),
}


def fields(model):
    """All fields, floats as their bits, so that NaN and -0.0 compare."""
    values = dict(vars(model))
    for name, value in values.items():
        if isinstance(value, float | np.ndarray):
            values[name] = np.float64(value).tobytes()
    return values


finite = st.floats(allow_nan=False, allow_infinity=False)  # subnormals and -0.0 too
not_negative = finite.map(abs)


@given(
    coef=st.lists(finite, min_size=1, max_size=20),
    intercept=finite,
    named=st.booleans(),
    l2=not_negative | st.just("each"),
    log_loss=not_negative | st.just(math.nan),
    converged=st.booleans(),
    passes=st.integers(0, 10**6),
    data=st.data(),
)
def test_a_saved_model_is_the_same_to_the_bit(
    tmp_path_factory, coef, intercept, named, l2, log_loss, converged, passes, data
):
    text = st.text(st.characters(codec="utf-8"), max_size=5)
    size = {"min_size": len(coef), "max_size": len(coef)}
    names = tuple(data.draw(st.lists(text, unique=True, **size))) if named else None
    l2 = np.abs(coef) if l2 == "each" else l2
    model = fl.LogisticModel(coef, intercept, names, l2, log_loss, log_loss, converged, passes)
    path = tmp_path_factory.getbasetemp() / "model.json"
    model.save(path)
    assert fields(fl.load(path)) == fields(model)


def test_numbers_of_numpy_are_saved_like_those_of_python(tmp_path):
    model = fl.LogisticModel(
        np.float32([0.5, 1]),
        np.float32(0.1),
        l2=np.int64(2),
        log_loss=np.float32(0.3),
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


def test_a_file_of_version_1_is_read(tmp_path):
    path = tmp_path / "model.json"
    old = {name: value for name, value in content(version=1).items() if name in FIELDS_OF_1}
    path.write_text(json.dumps(old))
    model = fl.load(path)
    assert model.coef.tolist() == [2.0, -1.0]
    assert (model.classes, model.with_intercept, model.history) == ((0, 1), True, None)
    assert np.isnan(model.total_weight)
    model.save(path)
    assert fields(fl.load(path)) == fields(model)


def test_what_a_later_minor_version_might_add_does_not_disturb(tmp_path):
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
def test_what_is_not_json_is_an_error_that_begins_with_the_path(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="not a model file") as caught:
        fl.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_a_truncated_file_is_an_error_that_begins_with_the_path(tmp_path, length):
    path = tmp_path / "model.json"
    path.write_text(WHOLE[:length])
    with pytest.raises(ValueError, match="not a model file") as caught:
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
    (content(version=VERSION + 1), f"version {VERSION + 1}"),
    (content(version="1"), "version '1'"),
    (content(version=None), "version None"),
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
    (content(log_loss="0.25"), "log_loss"),
    (content(log_loss=math.nan), "log_loss"),
    (content(log_loss=math.inf), "log_loss"),
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
    (content(version=True), "version True"),
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
    (content(classes=[0, 2**63]), "classes must be of 64 bits; got 9223372036854775808"),
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
    *[({k: v for k, v in content().items() if k != key}, key) for key in content()],
]


@pytest.mark.parametrize(("bad", "words"), BAD_CONTENTS)
def test_json_that_is_no_model_is_an_error_that_begins_with_the_path(tmp_path, bad, words):
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
        assert message.startswith(f"{path}: not a ")
        assert len(message) - len(str(path)) < 300
        assert "\n" not in message
        return None
    assert isinstance(model, fl.LogisticModel)
    assert np.isfinite([*model.coef, model.intercept]).all()
    assert model.coef.size == len(model.feature_names) == 2
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
def test_messages_are_short_whatever_the_file_says(tmp_path, key, value):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content(**{key: value})).replace("long", "z\\n" * 100_000))
    assert loads_or_refuses(path) is None or key == "solver"


@pytest.mark.parametrize("key", ["coef", "version", "history", "note"])
def test_a_key_that_is_there_twice_is_an_error(tmp_path, key):
    path = tmp_path / "model.json"
    path.write_text(f'{{"{key}": 0, {json.dumps(content(note=1))[1:]}')
    with pytest.raises(ValueError, match=f"not a model file: the key '{key}' is there twice$"):
        fl.load(path)


def test_a_key_that_is_there_twice_in_the_history_is_an_error(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(WHOLE.replace('"step":', '"passes": [1, 2], "step":'))
    with pytest.raises(ValueError, match=r"the key 'passes' is there twice$"):
        fl.load(path)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "Infinity", "-Infinity", "NaN", "null"])
@pytest.mark.parametrize("key", ["coef", "intercept"])
def test_numbers_that_are_none_are_an_error(tmp_path, text, key):
    path = tmp_path / "model.json"
    path.write_text(WHOLE.replace({"coef": "-1.0", "intercept": "0.5"}[key], text, 1))
    with pytest.raises(ValueError, match=f"not a valid model: '{key}' must be a finite number; "):
        fl.load(path)


# As large as can be for their size; what is slower than in proportion would not end.
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
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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
    assert message.startswith(f"{path}: not a model file: ")
    assert message.count("\n") == 1
    assert len(message) < 500


# Whatever runs, imports, or reads or writes a file, tells the interpreter's auditors.
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


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        fl.load(tmp_path / "nowhere.json")
    with pytest.raises(OSError, match=tmp_path.name):
        fl.load(tmp_path)


# Saving that fails ------------------------------------------------------------------------


def test_saving_into_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        MODEL.save(tmp_path / "nowhere" / "model.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", [None, "old"])
@pytest.mark.parametrize("step", ["pathlib.Path.write_text", "os.fsync", "pathlib.Path.replace"])
def test_saving_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path, monkeypatch, existing, step
):
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
    "field", [{"log_loss": math.inf}, {"l2": math.nan}, {"feature_names": ("\ud800",)}]
)
def test_what_json_cannot_hold_is_an_error_and_the_old_file_stays(tmp_path, field):
    path = tmp_path / "model.json"
    MODEL.save(path)
    with pytest.raises(ValueError, match=r"JSON|surrogate|must be"):
        fl.LogisticModel([1.0], **field).save(path)
    assert fields(fl.load(path)) == fields(MODEL)
    assert list(tmp_path.iterdir()) == [path]


def test_nulls_are_an_error_unless_they_shall_be_nan():
    table = pa.table({"x": [1.0, None]})
    model = fl.LogisticModel([2.0], 0.0, feature_names=("x",))
    for function in (model.decision, model.predict_proba, model.predict):
        with pytest.raises(ValueError, match=r"^X must have no nulls; column 'x'"):
            function(table)
    np.testing.assert_array_equal(model.decision(table, missing="nan"), [2.0, np.nan])
    y = model.predict_proba(table, missing="nan")
    np.testing.assert_array_equal(y[:, 1], [fl.sigmoid(2.0), np.nan])
