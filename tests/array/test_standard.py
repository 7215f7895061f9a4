"""The Python array API standard 2024.12, name by name: present with its signature, or left out with a reason."""

import inspect
import math

import pytest

import graphc
from graphc import array, linalg
from graphc.array.coverage import LEFT_OUT, STANDARD

# Parameters before `*` may be given by position; the standard's types are left out.
SIGNATURES = """
all(x, *, axis=None, keepdims=False)
any(x, *, axis=None, keepdims=False)
arange(start, stop=None, step=1, *, dtype=None, device=None)
argmax(x, *, axis=None, keepdims=False)
argmin(x, *, axis=None, keepdims=False)
argsort(x, *, axis=-1, descending=False, stable=True)
asarray(obj, *, dtype=None, device=None, copy=None)
astype(x, dtype, *, copy=True, device=None)
broadcast_arrays(*arrays)
broadcast_to(x, shape)
can_cast(from_, to)
clip(x, min=None, max=None)
concat(arrays, *, axis=0)
count_nonzero(x, *, axis=None, keepdims=False)
cumulative_prod(x, *, axis=None, dtype=None, include_initial=False)
cumulative_sum(x, *, axis=None, dtype=None, include_initial=False)
diff(x, *, axis=-1, n=1, prepend=None, append=None)
empty(shape, *, dtype=None, device=None)
empty_like(x, *, dtype=None, device=None)
expand_dims(x, *, axis=0)
eye(n_rows, n_cols=None, *, k=0, dtype=None, device=None)
finfo(type)
flip(x, *, axis=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, fill_value, *, dtype=None, device=None)
iinfo(type)
isdtype(dtype, kind)
linspace(start, stop, num, *, dtype=None, device=None, endpoint=True)
matmul(x1, x2)
matrix_transpose(x)
max(x, *, axis=None, keepdims=False)
mean(x, *, axis=None, keepdims=False)
meshgrid(*arrays, indexing="xy")
min(x, *, axis=None, keepdims=False)
moveaxis(x, source, destination)
ones(shape, *, dtype=None, device=None)
ones_like(x, *, dtype=None, device=None)
permute_dims(x, axes)
prod(x, *, axis=None, dtype=None, keepdims=False)
repeat(x, repeats, *, axis=None)
reshape(x, shape, *, copy=None)
result_type(*arrays_and_dtypes)
roll(x, shift, *, axis=None)
searchsorted(x1, x2, *, side="left", sorter=None)
sort(x, *, axis=-1, descending=False, stable=True)
squeeze(x, axis)
stack(arrays, *, axis=0)
std(x, *, axis=None, correction=0.0, keepdims=False)
sum(x, *, axis=None, dtype=None, keepdims=False)
take(x, indices, *, axis=None)
take_along_axis(x, indices, *, axis=-1)
tensordot(x1, x2, *, axes=2)
tile(x, repetitions)
tril(x, *, k=0)
triu(x, *, k=0)
unstack(x, *, axis=0)
var(x, *, axis=None, correction=0.0, keepdims=False)
vecdot(x1, x2, *, axis=-1)
where(condition, x1, x2)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, *, dtype=None, device=None)
linalg.cross(x1, x2, *, axis=-1)
linalg.diagonal(x, *, offset=0)
linalg.matmul(x1, x2)
linalg.matrix_norm(x, *, keepdims=False, ord="fro")
linalg.matrix_power(x, n)
linalg.matrix_transpose(x)
linalg.outer(x1, x2)
linalg.tensordot(x1, x2, *, axes=2)
linalg.trace(x, *, offset=0, dtype=None)
linalg.vecdot(x1, x2, *, axis=-1)
linalg.vector_norm(x, *, axis=None, keepdims=False, ord=2)
"""
BINARY = [
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "copysign", "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal",
    "logaddexp", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "nextafter",
    "not_equal", "pow", "remainder", "subtract",
]  # fmt: skip

NAMES = [name for names in STANDARD.values() for name in names]
SECTIONS_OF_FUNCTIONS = set(STANDARD) - {"constants", "data types", "elementwise"}


def find(name):
    """The graphc object of a name of the standard."""
    home, _, rest = name.rpartition(".")
    return getattr(getattr(graphc, home) if home else graphc, rest)


def signatures():
    """The signature of each function of the standard that graphc has, as a function of the same parameters."""
    lines = [*SIGNATURES.split("\n")]
    lines += [f"{name}(x1, x2)" for name in BINARY]
    unary = set(STANDARD["elementwise"]) - set(BINARY) - {"clip"} - LEFT_OUT.keys()
    lines += [f"{name}(x)" for name in sorted(unary)]
    return dict(line.split("(", 1) for line in lines if line)


def test_the_table_names_each_name_once():
    assert len(NAMES) == len(set(NAMES))
    assert set(LEFT_OUT) <= set(NAMES)
    assert all(reason for reason in LEFT_OUT.values())


@pytest.mark.parametrize("name", [n for n in NAMES if n not in LEFT_OUT])
def test_present(name):
    assert find(name) is not None or name == "newaxis"


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_left_out_names_raise_when_looked_up(name):
    with pytest.raises(AttributeError):
        find(name)


def test_every_function_of_the_standard_has_a_signature_here():
    functions = [n for section in SECTIONS_OF_FUNCTIONS | {"elementwise"} for n in STANDARD[section]]
    assert set(signatures()) == set(functions) - LEFT_OUT.keys()


@pytest.mark.parametrize("name", sorted(signatures()))
def test_signature(name):
    """Every call that the standard allows binds, to parameters of the standard's names and defaults."""
    standard = inspect.signature(eval(f"lambda {signatures()[name].rstrip(')')}: None"))
    own = inspect.signature(find(name) if name.startswith("linalg.") else getattr(array, name))
    for parameter in standard.parameters.values():
        assert own.parameters[parameter.name].default == parameter.default or parameter.default is parameter.empty
    positional = [p for p in standard.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = {p.name: None for p in standard.parameters.values() if p.kind is p.KEYWORD_ONLY}
    bound = own.bind(*range(len(positional)), **keywords)
    if not any(p.kind is p.VAR_POSITIONAL for p in own.parameters.values()):
        assert [bound.arguments[p.name] for p in positional] == list(range(len(positional)))
        own.bind(**{p.name: None for p in positional}, **keywords)
    required = {p.name for p in own.parameters.values() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL}
    assert required <= {p.name for p in positional}


def test_constants():
    assert (graphc.pi, graphc.e, graphc.inf, graphc.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(graphc.nan)


def test_data_types():
    for name in STANDARD["data types"]:
        if name not in LEFT_OUT:
            assert find(name).numpy.name == name


def test_all_lists_what_there_is():
    for module in (array, linalg):
        assert len(set(module.__all__)) == len(module.__all__)
        for name in module.__all__:
            assert hasattr(module, name)
            assert getattr(module, name) is None or not inspect.ismodule(getattr(module, name))


def test_every_public_function_says_what_it_does():
    for module in (array, linalg):
        for name in module.__all__:
            function = getattr(module, name)
            if callable(function):
                assert function.__doc__, name


def test_the_count_in_the_table():
    from graphc.array import coverage

    assert f"\n    {len(NAMES) - len(LEFT_OUT)}\n" in coverage.__doc__
