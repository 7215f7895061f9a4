"""The names of the Python array API standard, 2024.12, and which of them graphc leaves out, with the reason.

    >>> present = [name for names in STANDARD.values() for name in names if name not in LEFT_OUT]
    >>> len(present)
    151

The names of `linalg` and `fft` stand under their extension, `linalg.inv`. A test holds the table against the functions.
"""

from __future__ import annotations

STANDARD: dict[str, tuple[str, ...]] = {
    "constants": ("e", "inf", "nan", "newaxis", "pi"),
    "creation": (
        "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
        "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
    ),
    "data types": (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
        "complex64", "complex128",
    ),
    "data type functions": ("astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"),
    "elementwise": (
        "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift",
        "bitwise_invert", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos",
        "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag",
        "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and",
        "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter",
        "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh",
        "square", "sqrt", "subtract", "tan", "tanh", "trunc",
    ),
    "indexing": ("take", "take_along_axis"),
    "inspection": ("__array_namespace_info__",),
    "linear algebra": ("matmul", "matrix_transpose", "tensordot", "vecdot"),
    "manipulation": (
        "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat",
        "reshape", "roll", "squeeze", "stack", "tile", "unstack",
    ),
    "searching": ("argmax", "argmin", "count_nonzero", "nonzero", "searchsorted", "where"),
    "sets": ("unique_all", "unique_counts", "unique_inverse", "unique_values"),
    "sorting": ("argsort", "sort"),
    "statistics": ("cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var"),
    "utilities": ("all", "any", "diff"),
    "linalg": (
        "linalg.cholesky", "linalg.cross", "linalg.det", "linalg.diagonal", "linalg.eigh", "linalg.eigvalsh",
        "linalg.inv", "linalg.matmul", "linalg.matrix_norm", "linalg.matrix_power", "linalg.matrix_rank",
        "linalg.matrix_transpose", "linalg.outer", "linalg.pinv", "linalg.qr", "linalg.slogdet", "linalg.solve",
        "linalg.svd", "linalg.svdvals", "linalg.tensordot", "linalg.trace", "linalg.vecdot", "linalg.vector_norm",
    ),
    "fft": (
        "fft.fft", "fft.ifft", "fft.fftn", "fft.ifftn", "fft.rfft", "fft.irfft", "fft.rfftn", "fft.irfftn", "fft.hfft",
        "fft.ihfft", "fft.fftfreq", "fft.rfftfreq", "fft.fftshift", "fft.ifftshift",
    ),
}  # fmt: skip

_DATA = "the shape of the result depends on the values, and a graph's shapes do not"
_COMPLEX = "there are no complex dtypes"
_FACTORIZATION = "needs a matrix factorization, which there is no primitive for"

LEFT_OUT: dict[str, str] = {
    "nonzero": f"{_DATA}; use where, or count_nonzero",
    **dict.fromkeys(STANDARD["sets"], f"{_DATA}; use sort and diff"),
    **dict.fromkeys(("complex64", "complex128", "conj", "imag", "real"), _COMPLEX),
    **dict.fromkeys(STANDARD["fft"], _COMPLEX),
    **{
        f"linalg.{name}": _FACTORIZATION
        for name in (
            "cholesky", "det", "eigh", "eigvalsh", "inv", "matrix_rank", "pinv", "qr", "slogdet", "solve", "svd",
            "svdvals",
        )
    },
    "from_dlpack": "traced tensors hold no memory to exchange; arrays enter a graph as arguments, or through asarray",
    "__array_namespace_info__": "a graph has no device; backends are chosen when it is compiled",
}  # fmt: skip
