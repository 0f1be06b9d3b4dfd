"""Sides that behave as the names of their cases say, and log their requests."""

import json
import sys

from bench.regression.sides import Side

# In the place of bench.regression.worker.
_WORKER = """
import json, os, sys, time
side = os.path.basename(os.getcwd())
listed = json.load(open("cases.json"))
for line in sys.stdin:
    request = json.loads(line)
    with open("../log", "a") as log:
        log.write(json.dumps({"side": side, **request}) + chr(10))
    do, case = request["do"], request.get("case", request.get("function", ""))
    slow = 2.0 if f"is slow in the {side}" in case else 1.0
    if f"dies in the {side}" in case or (do == "time" and f"dies late in the {side}" in case):
        os._exit(3)
    if f"hangs in the {side}" in case:
        time.sleep(60)
    if f"fails in the {side}" in case or (case == "softplus" and side == "head"):
        answer = {"error": "AttributeError: gone"}
    elif do == "list":
        answer = {"result": listed}
    elif do == "cpu_seconds":
        answer = {"result": 10.0}
    elif do == "values":
        import numpy as np
        z = np.load(request["arguments"])
        value = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)),
                 "logistic_loss": lambda z, t: np.logaddexp(0, z) - t * z}
        with np.errstate(all="ignore"):
            np.save(request["to"], value.get(case, lambda *args: args[0])(*z))
        answer = {"result": request["to"]}
    elif do == "results":
        import numpy as np
        parts = {"log_loss_gradient": 2, "linear.log_loss_gradient": 3}
        parts["linear.log_loss_gradient_hessian"] = 3
        np.savez(request["to"], *[1.0] * parts.get(case, 1))
        answer = {"result": request["to"]}
    else:
        seconds = 0.003 if "is long" in case else 0.0002 if "is short" in case else 0.001
        answer = {"result": seconds * slow}
    print(json.dumps(answer), flush=True)
if os.path.exists("stays"):
    time.sleep(300)
"""
_CASES = """
def nothing(*_):
    return lambda: None

fit = score_file = nothing
"""


def fake(folder, name, cases=()):
    """Make a side in a folder that holds the log; it lists cases of one thread."""
    own = folder / name
    package = own / "bench" / "regression"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py", own / "fastlogit.py"):
        path.touch()
    (package / "worker.py").write_text(_WORKER)
    (package / "cases.py").write_text(_CASES)
    (own / "cases.json").write_text(json.dumps(dict.fromkeys(cases, 1)))
    wheel = own / "x.whl"
    wheel.write_bytes(bytes(1000))
    return Side(name, wheel, sys.executable, own)


def logged(folder, do):
    """Requests of one kind to the sides in a folder, in order."""
    lines = map(json.loads, (folder / "log").read_text().splitlines())
    return [line for line in lines if line["do"] == do]
