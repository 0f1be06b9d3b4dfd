"""The same bits on every instruction set: AVX2 and AVX-512 agree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import llvmlite.binding
import numba
import numpy as np
import pytest
from scipy.sparse import csr_array

import fastlogit as fl
from fastlogit.kernels import sigmoid
from fastlogit.kernels.elementwise import FUNCTIONS
from tests.references.multiprecision import adversarial, digest, same_bits

N = 100_001  # several parts of a sum


def results() -> dict[str, str]:
    """Digests of the results of the public functions, and the width of the vectors they use."""
    rng = np.random.default_rng(11)
    found = {}
    for dtype in (np.float64, np.float32):
        z = rng.normal(scale=20.0, size=N).astype(dtype)
        ys, soft, hard = (
            rng.random(N).astype(dtype),
            rng.random(N).astype(dtype),
            rng.random(N) < 0.5,
        )
        for name, function in FUNCTIONS.items():
            kind, *targets = function.arguments
            points = adversarial(FUNCTIONS[name].arguments, dtype, special=True)
            found[f"{name} {dtype.__name__} special"] = digest(getattr(fl, name)(*points))
            args = [z if kind == "z" else ys, *([soft] if targets else [])]
            found[f"{name} {dtype.__name__}"] = digest(getattr(fl, name)(*args))
        logits, targets = adversarial(("z", "t"), dtype, special=True)
        inside = (targets >= 0) & (targets <= 1)
        logits, targets = logits[inside], targets[inside]
        # Without weights, which are added up in another way, and with soft targets.
        found[f"sums {dtype.__name__} special"] = digest(*fl.log_loss_gradient(logits, targets))
        # With the arguments of the call below, for which a kernel is compiled anyway.
        given = {"weight": np.ones_like(logits), "offset": np.zeros_like(logits)}
        found[f"linear {dtype.__name__} special"] = digest(
            *fl.linear.log_loss_gradient_hessian(logits[:, None], targets, [-1.0], **given)
        )
        for K in (3, 60) if dtype == np.float64 else (3,):
            Z = z[: N // K * K].reshape(-1, K)
            labels, p = np.arange(len(Z)) % K, fl.softmax(Z)
            found[f"softmax {K} {dtype.__name__}"] = digest(p, fl.log_softmax(Z), fl.log_sum_exp(Z))
            for name, t in ("labels", labels), ("soft", p[::-1]):
                loss, gradient = fl.softmax_log_loss_gradient(Z, t)
                found[f"softmax {K} {dtype.__name__} {name}"] = digest(loss, gradient)
        X = rng.normal(size=(N // 100, 19)).astype(dtype)
        coef, rows = rng.normal(size=19), slice(N // 100)
        # With weights and labels; targets of the other kind are above.
        found[f"sums {dtype.__name__}"] = digest(*fl.log_loss_gradient(z, hard, soft))
        given = {"weight": soft[rows], "offset": z[rows]}
        loss, gradient, hessian = fl.linear.log_loss_gradient_hessian(X, soft[rows], coef, **given)
        found[f"linear {dtype.__name__}"] = digest(loss, gradient, hessian)
        found[f"score {dtype.__name__}"] = digest(fl.linear.probability(X, coef, 0.5))
        labels, of_classes = np.arange(len(X)) % 3, rng.normal(size=(3, 19)).astype(dtype)
        found[f"linear classes {dtype.__name__}"] = digest(
            *fl.linear.log_loss_gradient_hessian(X, labels, of_classes)
        )
        found[f"columns {dtype.__name__}"] = digest(
            fl.linear.probability(dict(enumerate(X.T)), coef)
        )
        entries = csr_array(np.where(np.abs(X) < 1, X, 0))
        found[f"CSR {dtype.__name__}"] = digest(fl.linear.probability(entries, coef))

    @numba.njit
    def loop(z, out):
        for i in range(z.size):
            out[i] = sigmoid(z[i])

    loop(z, z.copy())
    (assembly,) = loop.inspect_asm().values()
    # For Intel's processors LLVM prefers short vectors, and has registers and masks of AVX-512.
    has_avx512 = re.search(r"%zmm|%ymm(1[6-9]|[23]\d)|%k[0-7]", assembly)
    found["instructions"] = "AVX-512" if has_avx512 else "AVX2"
    return found


IN_ANOTHER_PROCESS = """
import json, sys
sys.path.append(sys.argv[1])
from tests.test_bits import results
print(json.dumps(results()))
"""


@pytest.mark.skipif(
    not llvmlite.binding.get_host_cpu_features().get("avx512f", False),
    reason="needs a processor with AVX-512",
)
def test_avx2_and_avx512_agree(tmp_path, request):
    haswell = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2,-avx512f"}
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(request.path.parents[1])],
        env=os.environ | haswell | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here, there = results(), json.loads(done.stdout)
    assert (here.pop("instructions"), there.pop("instructions")) == ("AVX-512", "AVX2")
    assert here == there


def test_a_digest_depends_on_sign_dtype_and_shape_but_not_on_the_bits_of_nan():
    nans = np.array([0x7FF8000000000000, -0x8000000000000, 0x7FF8000000000001]).view(np.float64)
    assert len({nan.tobytes() for nan in nans}) == 3
    assert len({digest(nan) for nan in nans}) == 1
    assert same_bits([np.nan, 1.0], [-np.nan, 1.0])
    assert not same_bits(0.0, -0.0)
    assert not same_bits(np.nan, np.inf)
    assert not same_bits(1.0, np.float32(1.0))
    assert not same_bits([1.0], 1.0)
