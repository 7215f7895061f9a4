"""Functions of floats in the CPU backend: float32 over every exponent against float64, float64 against references."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compiled_functions import FASTMATH, Array, compiled, dispatcher, last_places, walk, walk64
from graphc import ops, special
from graphc.backends.cpu import functions
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.op import REGISTRY

assert ops

X, X64 = walk(), walk64()


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, e, np.where(x >= 0, 1.0, x)) / (1 + e)
    return y


# The function in float64, and how many units in the last place the float32 one may be off.
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "exp": (np.exp, 1), "exp2": (np.exp2, 1), "expm1": (np.expm1, 1.5), "sigmoid": (_sigmoid, 1.5),
    "log": (np.log, 1), "log2": (np.log2, 1.5), "log10": (np.log10, 2), "log1p": (np.log1p, 1.5),
    "sin": (np.sin, 1.6), "cos": (np.cos, 1.6), "tan": (np.tan, 2), "asin": (np.arcsin, 1), "acos": (np.arccos, 1),
    "atan": (np.arctan, 1.2), "sinh": (np.sinh, 1.6), "cosh": (np.cosh, 1.2), "tanh": (np.tanh, 1.5),
    "asinh": (np.arcsinh, 1), "acosh": (np.arccosh, 1), "atanh": (np.arctanh, 1), "erf": (special.erf, 1),
    "erfc": (special.erfc, 1.5), "erfinv": (special.erfinv, 2.5), "lgamma": (special.lgamma, 1),
    "digamma": (special.digamma, 1), "sqrt": (np.sqrt, 0.5), "floor": (np.floor, 0), "ceil": (np.ceil, 0),
    "trunc": (np.trunc, 0), "round": (np.rint, 0), "abs": (np.abs, 0), "sign": (np.sign, 0),
}  # fmt: skip
# Those that networks spend their time in must be loops over vectors.
HOT = [
    "exp", "exp2", "expm1", "log", "log1p", "log2", "sigmoid", "tanh", "erf", "sin",
    "cos", "sqrt", "abs", "floor", "round", "to_i32", "to_u8", "to_i64", "to_u64", "to_i8",
    "to_f16", "to_bf16", "to_bool", "sign", "isinf", "tan", "atan", "sinh", "cosh", "log10", "erfinv", "erfc",
    "asin", "acos", "asinh", "acosh", "atanh", "lgamma", "digamma",
]  # fmt: skip
TWO = ("floordiv", "rem", "fmod", "hypot", "pow", "atan2", "logaddexp", "copysign", "nextafter", "maximum", "minimum")
TESTS = ("isinf", "isfinite", "signbit")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_over_every_exponent(name: str) -> None:
    reference, most = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        exact = reference(X.astype(np.float64))
    (native,) = compiled((name,), np.float32)(X)
    twin = TWINS[name](X)
    assert last_places(twin, native).max() <= 1
    for y in (native, twin):
        assert y.dtype == np.float32
        error = last_places(y, exact)
        at = int(error.argmax())
        assert error[at] <= most, f"{name}({X[at]!r}) is {y[at]!r}, not {exact[at]!r}: {error[at]:.3f} last places off"


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_multiples_of_half_pi(name: str) -> None:
    """7.729179e28 is the nearest of all float32, found by trying them: 1.6e-9 off; those after it are near too."""
    x = np.array([7.729179e28, 1.5458358e29, 4.399877e10], np.float32)
    x = np.concatenate([x, (np.arange(1, 4000) * (np.pi / 2)).astype(np.float32)])
    (y,) = compiled((name,), np.float32)(x)
    assert last_places(y, getattr(np, name)(x.astype(np.float64))).max() <= FUNCTIONS[name][1]


@pytest.mark.parametrize(
    ("name", "zeros"),
    [
        ("lgamma", (1.0, 2.0, -2.4570247382208006, -2.7476826467274127, -3.143580888349980, -4.039361839740537)),
        ("digamma", (1.4616321449683622, -0.5040830082644554, -1.5734984731623904, -2.6107208684441447)),
    ],
)
def test_gamma_functions_next_to_their_zeros(name: str, zeros: tuple[float, ...]) -> None:
    """Where reflection cancels, below 0, what is left is exact to 1e-12; above, to the last place."""
    steps = np.arange(-200, 201, dtype=np.int32)
    for zero in zeros:
        x = (np.float32(zero).view(np.int32) + steps).view(np.float32)
        exact = FUNCTIONS[name][0](x.astype(np.float64))
        for y in (*compiled((name,), np.float32)(x), TWINS[name](x)):
            if zero > 0:
                assert last_places(y, exact).max() <= 1
            np.testing.assert_allclose(y, exact, rtol=2.0**-23, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64(name: str) -> None:
    reference: Any = REGISTRY[name].reference
    for run in (compiled((name,), np.float64), lambda x: [TWINS[name](x)]):
        (y,) = run(X64)
        np.testing.assert_allclose(y, reference(X64), rtol=1e-12, atol=_least(name), strict=True)


def _least(name: str) -> float:
    """One subnormal; near the zeros of lgamma and digamma below 0, the rounding of what cancels there."""
    return 1e-13 if name in ("lgamma", "digamma") else 5e-324


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_polygamma(n: int, dtype: Any) -> None:
    import numba

    x = np.concatenate([np.linspace(-6.3, 30, 500), [0.0, -0.0, -1.0, -2.0, np.inf, -np.inf, np.nan, 1e30, 1e-3]])
    x = x.astype(dtype)
    polygamma = functions.polygamma
    kind = numba.from_dtype(np.dtype(dtype))[::1]

    @numba.njit([numba.void(kind, kind)], fastmath=FASTMATH)
    def loop(x: Any, y: Any) -> None:
        for i in range(x.size):
            y[i] = polygamma(n, x[i])

    y = np.empty_like(x)
    loop(x, y)
    rtol = 1e-12 if dtype is np.float64 else 2.0**-23
    expected = special.polygamma(x, n)
    np.testing.assert_allclose(y, expected, rtol=rtol, strict=True)
    np.testing.assert_allclose(TWINS["polygamma"](n, x), expected, rtol=rtol, strict=True)


def pairs(dtype: Any) -> tuple[Array, Array]:
    """Special values and others, each with each."""
    special_values = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 2.0, -3.0, 7.5, np.inf, -np.inf, np.nan, 1e30, -1e30]
    info = np.finfo(dtype)
    ends = [info.max, info.tiny, info.smallest_subnormal, -info.smallest_subnormal]
    some = np.random.default_rng(3).uniform(-20, 20, 30)
    values = np.concatenate([special_values, [float(end) for end in ends], some]).astype(dtype)
    a, b = np.meshgrid(values, values)
    return a.ravel(), b.ravel()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_two_floats(dtype: Any) -> None:
    a, b = pairs(dtype)
    rtol = 2.0**-22 if dtype is np.float32 else 1e-12
    exact = ("floordiv", "rem", "fmod", "copysign", "nextafter", "maximum", "minimum")
    for name, y in zip(TWO, compiled(TWO, dtype, dtype)(a, b), strict=True):
        reference: Any = REGISTRY[name].reference
        with np.errstate(all="ignore"):
            wide = reference(a.astype(np.float64), b.astype(np.float64))
            expected = reference(a, b) if name in exact else wide.astype(dtype)
        # The sign of a zero from maximum and minimum is open where the operands are zeros of both signs.
        signs = name not in ("maximum", "minimum", "logaddexp")
        for given in (y, TWINS[name](a, b)):
            assert given.dtype == dtype
            np.testing.assert_allclose(given, expected, rtol=0 if name in exact else rtol, err_msg=name)
            if signs:
                number = ~np.isnan(expected)
                np.testing.assert_array_equal(np.signbit(given[number]), np.signbit(expected[number]), err_msg=name)


def test_powers_of_float32() -> None:
    """Over all that float32 holds, and its exponents against each other's: correctly rounded but for near ties."""
    random = np.random.default_rng(5)
    a = np.exp(random.uniform(-85, 85, 50_000))
    b = random.uniform(-1.1, 1.1, a.size) * 88 / np.log(a)
    bases, exponents = [a, random.uniform(0, 10, 50_000)], [b, random.uniform(-5, 5, 50_000)]
    base = np.concatenate([*(each.astype(np.float32) for each in bases), X])
    exponent = np.concatenate([*(each.astype(np.float32) for each in exponents), np.roll(X, 12345)])
    with np.errstate(all="ignore"):
        exact = np.power(base.astype(np.float64), exponent.astype(np.float64))
    for y in (*compiled(("pow",), np.float32, np.float32)(base, exponent), TWINS["pow"](base, exponent)):
        assert last_places(y, exact).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_sums_and_products_of_floats(dtype: Any) -> None:
    a, b = pairs(dtype)
    c = np.roll(b, 5)
    reference: Any = REGISTRY["clip"].reference
    for run in (compiled(("clip",), dtype, dtype, dtype), lambda *xs: [TWINS["clip"](*xs)]):
        np.testing.assert_array_equal(run(a, b, c)[0], reference(a, b, c))
    total, product = compiled(("add_reassociated", "mul_reassociated"), dtype, dtype)(a, b)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(total, a + b)
        np.testing.assert_array_equal(product, a * b)
    np.testing.assert_array_equal(TWINS["add_reassociated"](a, b), total)
    np.testing.assert_array_equal(TWINS["mul_reassociated"](a, b), product)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tests_of_floats(dtype: Any) -> None:
    x = np.concatenate([pairs(dtype)[0], -pairs(dtype)[0]])
    for name, y in zip(TESTS, compiled(TESTS, dtype)(x), strict=True):
        reference: Any = REGISTRY[name].reference
        np.testing.assert_array_equal(y, reference(x), err_msg=name, strict=True)
        np.testing.assert_array_equal(TWINS[name](x), y, err_msg=name, strict=True)


@pytest.mark.parametrize("name", HOT)
def test_loops_over_float32_are_vectorised(name: str) -> None:
    (text,) = dispatcher((name,), np.float32).inspect_llvm().values()
    assert re.search(r"<(4|8|16) x (float|i32)>", text), f"no vectors in the loop over {name}"


@pytest.mark.parametrize("name", HOT)
def test_no_fastmath_flag_reaches_exact_steps(name: str) -> None:
    """Numba flags whatever has no flag; contraction or reassociation would undo what a compensated step keeps."""
    (text,) = dispatcher((name,), np.float32).inspect_llvm().values()
    steps = re.findall(r"= (?:fadd|fsub|fmul|fdiv|fneg|fcmp) (.*)", text)
    assert not [step for step in steps if re.search(r"\b(contract|reassoc|arcp|nnan|ninf|fast)\b", step)]


def _reduction(combine: Any) -> tuple[Any, str]:
    import numba

    @numba.njit([numba.float32(numba.float32[::1])], fastmath=FASTMATH)
    def reduce(x: Any) -> Any:
        total = x[0]
        for i in range(1, x.size):
            total = combine(total, x[i])
        return total

    (text,) = reduce.inspect_llvm().values()
    return reduce, text


@pytest.mark.parametrize("name", ["add_reassociated", "mul_reassociated", "maximum", "minimum"])
def test_reductions_are_vectorised(name: str) -> None:
    reduce, text = _reduction(getattr(functions, name))
    assert re.search(r"phi (afn |nsz |contract |arcp |reassoc )*<(4|8|16) x float>", text)
    x = np.arange(1, 1001, dtype=np.float32) / 1000
    if name in ("maximum", "minimum"):
        assert reduce(x) == (x.max() if name == "maximum" else x.min())
        x[500] = np.nan
        assert np.isnan(reduce(x))
    else:
        exact = x.sum(dtype=np.float64) if name == "add_reassociated" else 0.0
        np.testing.assert_allclose(reduce(x), exact, rtol=1e-6)


def test_twin_without_numba_compilation() -> None:
    code = (
        "import numpy as np\n"
        "from graphc.backends.cpu.functions import exp, floordiv, polygamma, random_bits, to_u8\n"
        "print(repr(exp(np.float32(1))), repr(floordiv(np.int8(-128), np.int8(-1))), repr(to_u8(np.float64(-3.5))),\n"
        "      type(polygamma(1, np.float32(2))).__name__, type(random_bits(1, 0, 0, 5)).__name__)"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["np.float32(2.7182817)", "np.int8(-128)", "np.uint8(0)", "float32", "uint32"]
