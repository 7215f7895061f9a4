"""The scalar functions that generated CPU kernels call, named like the ops whose `scalar` expressions they stand in.

    from graphc.backends.cpu.functions import exp, to_u8

    y = exp(x)          # in a kernel: instructions of x's dtype, within 2 units in the last place for f32

Each is a Numba intrinsic; with NUMBA_DISABLE_JIT=1, a Python function on NumPy scalars. Semantics are those of the
ops' references. In f32, where networks spend their time, nothing branches and nothing is called, so that loops
vectorise; only `polygamma` goes through the C library.
"""

from __future__ import annotations

import operator

import numpy as np

from graphc.backends.cpu.functions import (
    angle,
    arithmetic,
    conversion,
    error_function,
    exponential,
    gamma,
    gamma_f32,
    hyperbolic,
    logarithm,
    neighbour,
    power,
    trigonometric,
    vocabulary,
)
from graphc.backends.cpu.functions import random_bits as philox
from graphc.backends.cpu.functions.intrinsic import declare
from graphc.backends.cpu.functions.vocabulary import by_libm, fast

# -- exponentials and logarithms --------------------------------------------------------------------------------------

exp = declare("exp", fast(exponential.exp, by_libm("exp")))
exp2 = declare("exp2", fast(exponential.exp2, by_libm("exp2")))
expm1 = declare("expm1", fast(exponential.expm1, by_libm("expm1")))
sigmoid = declare("sigmoid", fast(exponential.sigmoid, exponential.sigmoid_f64))
log = declare("log", fast(logarithm.log, by_libm("log")))
log2 = declare("log2", fast(logarithm.log2, by_libm("log2")))
log10 = declare("log10", fast(logarithm.log10, by_libm("log10")))
log1p = declare("log1p", fast(logarithm.log1p, by_libm("log1p")))
logaddexp = declare("logaddexp", fast(logarithm.logaddexp, logarithm.logaddexp_f64), 2)

# -- angles and hyperbolic functions ----------------------------------------------------------------------------------

sin = declare("sin", fast(trigonometric.sin, by_libm("sin")))
cos = declare("cos", fast(trigonometric.cos, by_libm("cos")))
tan = declare("tan", fast(trigonometric.tan, by_libm("tan")))
asin = declare("asin", fast(angle.asin, by_libm("asin")))
acos = declare("acos", fast(angle.acos, by_libm("acos")))
atan = declare("atan", fast(angle.atan, by_libm("atan")))
atan2 = declare("atan2", fast(angle.atan2, by_libm("atan2")), 2)
sinh = declare("sinh", fast(hyperbolic.sinh, by_libm("sinh")))
cosh = declare("cosh", fast(hyperbolic.cosh, by_libm("cosh")))
tanh = declare("tanh", fast(hyperbolic.tanh, by_libm("tanh")))
asinh = declare("asinh", fast(hyperbolic.asinh, by_libm("asinh")))
acosh = declare("acosh", fast(hyperbolic.acosh, by_libm("acosh")))
atanh = declare("atanh", fast(hyperbolic.atanh, by_libm("atanh")))

# -- the error and gamma functions ------------------------------------------------------------------------------------

erf = declare("erf", fast(error_function.erf, by_libm("erf")))
erfc = declare("erfc", fast(error_function.erfc, by_libm("erfc")))
erfinv = declare("erfinv", fast(error_function.erfinv, error_function.erfinv_f64))
lgamma = declare("lgamma", fast(gamma_f32.lgamma_f32, by_libm("lgamma")))
digamma = declare("digamma", fast(gamma_f32.digamma_f32, gamma.digamma))
polygamma = declare("polygamma", gamma.polygamma, 2, literal=True)

# -- arithmetic -------------------------------------------------------------------------------------------------------

floordiv = declare("floordiv", arithmetic.floordiv, 2)
rem = declare("rem", arithmetic.rem, 2)
fmod = declare("fmod", arithmetic.fmod_of, 2)
pow = declare("pow", power.power, 2)
hypot = declare("hypot", arithmetic.hypot, 2)
sqrt = declare("sqrt", vocabulary.square_root)
sign = declare("sign", arithmetic.sign)
abs = declare("abs", arithmetic.absolute)
copysign = declare("copysign", arithmetic.copysign, 2)
clip = declare("clip", arithmetic.clip, 3)
maximum = declare("maximum", vocabulary.greater_of, 2)
minimum = declare("minimum", vocabulary.lesser_of, 2)
add_wrapping = declare("add_wrapping", operator.add, 2)
sub_wrapping = declare("sub_wrapping", operator.sub, 2)
mul_wrapping = declare("mul_wrapping", operator.mul, 2)
add_reassociated = declare("add_reassociated", vocabulary.reassociated_sum, 2)
mul_reassociated = declare("mul_reassociated", vocabulary.reassociated_product, 2)

# -- rounding and bits ------------------------------------------------------------------------------------------------

floor = declare("floor", vocabulary.floor)
ceil = declare("ceil", vocabulary.ceil)
trunc = declare("trunc", vocabulary.trunc)
round = declare("round", vocabulary.nearest)
nextafter = declare("nextafter", neighbour.next_after, 2)
nextafter_f16 = declare("nextafter_f16", neighbour.next_after_f16, 2)
nextafter_bf16 = declare("nextafter_bf16", neighbour.next_after_bf16, 2)
isinf = declare("isinf", arithmetic.is_infinite, result=np.bool_)
isfinite = declare("isfinite", arithmetic.is_finite, result=np.bool_)
signbit = declare("signbit", arithmetic.has_sign, result=np.bool_)
shift_left = declare("shift_left", arithmetic.shift_left, 2)
shift_right = declare("shift_right", arithmetic.shift_right, 2)
random_bits = declare("random_bits", philox.random_bits, 4, result=np.uint32, mixed=True)

# -- conversions ------------------------------------------------------------------------------------------------------

to_bool = declare("to_bool", conversion.converter(np.bool_), result=np.bool_)
to_u8 = declare("to_u8", conversion.converter(np.uint8), result=np.uint8)
to_u16 = declare("to_u16", conversion.converter(np.uint16), result=np.uint16)
to_u32 = declare("to_u32", conversion.converter(np.uint32), result=np.uint32)
to_u64 = declare("to_u64", conversion.converter(np.uint64), result=np.uint64)
to_i8 = declare("to_i8", conversion.converter(np.int8), result=np.int8)
to_i16 = declare("to_i16", conversion.converter(np.int16), result=np.int16)
to_i32 = declare("to_i32", conversion.converter(np.int32), result=np.int32)
to_i64 = declare("to_i64", conversion.converter(np.int64), result=np.int64)
to_f32 = declare("to_f32", conversion.converter(np.float32), result=np.float32)
to_f64 = declare("to_f64", conversion.converter(np.float64), result=np.float64)
to_f16 = declare("to_f16", conversion.to_f16, result=np.float32)
to_bf16 = declare("to_bf16", conversion.to_bf16, result=np.float32)
load_f16_bits = declare("load_f16_bits", conversion.load_f16_bits, result=np.float32)
load_bf16_bits = declare("load_bf16_bits", conversion.load_bf16_bits, result=np.float32)
store_f16_bits = declare("store_f16_bits", conversion.store_f16_bits, result=np.uint16)
store_bf16_bits = declare("store_bf16_bits", conversion.store_bf16_bits, result=np.uint16)
