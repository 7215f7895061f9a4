"""From a Python source file to the bytes of a native object file; the only module that imports Numba's compiler.

    data, metadata = compile_source(Job(…))
    metadata["symbol"]                  # the C function in it: void affine_relu_3f2a(uintptr_t, int64_t, int64_t)

The object holds one C function and nothing of Numba's: no interpreter lock, no reference counts, no exceptions. What
could raise is refused when it is compiled. `python -m graphc.backends.cpu.compile JOBS` compiles the jobs of a list,
beside other processes that do so.
"""

# Numba is typed in part only.
# mypy: allow-untyped-calls, allow-untyped-decorators, allow-subclassing-any

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import codegen, compiler, sigutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from graphc.backends.cpu.jobs import FLAGS, Job, import_source, work_on
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.translation.scalars import Unknown
from graphc.backends.cpu.translation.translate import translate
from graphc.collector import collection_held_back
from graphc.errors import BackendError

_RAISED = "graphc_raised"  # declared, never defined: a call that survives optimisation shows that a function can raise
_RUNTIME = ("numba_", "NRT_", "Py", "_Py")  # names that only a process with Numba or the interpreter's C API has


def compile_source(job: Job) -> tuple[bytes, dict[str, Any]]:
    """The native object of a job, and the metadata to keep with it: translated, or compiled by Numba's front end.

    Raises BackendError with the file and Numba's words where the function does not compile.
    """
    beyond = ""  # what the translation does not know, where Numba's front end has read the function
    try:
        module = import_source(job.path, job.text)
        unrolls = getattr(module, "UNROLL", False)  # True, False, or AS_VECTORS, of which translations take care
        try:
            translated = translate(module, job.text, job.function, job.signature, job.symbol)
        except Unknown as unknown:
            beyond = str(unknown)
            data, externals = _compile(getattr(module, job.function), job.signature, job.symbol, unrolls is True)
        else:
            data, externals = _emit(translated, bool(unrolls))
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(f"{job.path}: {job.function} does not compile\n{type(error).__name__}: {error}") from error
    if foreign := sorted(name for name in externals if name.startswith(_RUNTIME)):
        raise BackendError(f"{job.path}: {job.function} needs the run time of Numba or Python: {', '.join(foreign)}")
    if _RAISED in externals:
        raise BackendError(
            f"{job.path}: {job.function} can raise an exception, and nobody could catch it; assert, raise, and range "
            f"with a step that may be zero have no place in a kernel"
        )
    versions = {"python": sys.version.split()[0], "numba": numba.__version__, "cpu": machine().cpu}
    metadata = {"key": job.key, "symbol": job.symbol, "function": job.function, "versions": versions}
    return data, metadata | ({"beyond_translation": beyond} if beyond else {})


class _Library(codegen.AOTCodeLibrary):
    """A module with one function that others can see, the one with the module's name.

    What nobody else can see is inlined, or known to raise nothing, and is not kept once it is inlined everywhere.
    """

    def _optimize_final_module(self) -> None:
        module = self._final_module
        for each in (*module.functions, *module.global_variables):
            if not each.is_declaration and each.name != self.name:
                each.linkage = "internal"
        super()._optimize_final_module()
        passes = llvm.create_new_module_pass_manager()
        passes.add_global_dead_code_eliminate_pass()
        passes.run(module, llvm.create_pass_builder(self._codegen._tm, llvm.create_pipeline_tuning_options()))


class _Codegen(codegen.AOTCPUCodegen):
    """Numba's generator of position-independent objects, for exactly this machine's CPU.

    Numba itself would take the features that go with the CPU's name; in a virtual machine some are switched off.

    LLVM unrolls loops only where a source asks for it with `UNROLL = True`: one that is unrolled before it could be
    vectorised is a chain of scalars, each waiting for the one before. It takes longer to compile, too.
    """

    unrolls = False

    def _get_host_cpu_name(self) -> str:
        return machine().cpu

    def _customize_tm_features(self) -> str:
        return machine().features

    def _pass_builder(self, **wishes: Any) -> Any:
        options = llvm.create_pipeline_tuning_options()
        options.speed_level = int(wishes.get("opt", 3))
        options.loop_vectorization = wishes.get("loop_vectorize", True)
        options.slp_vectorization = wishes.get("slp_vectorize", False)
        options.loop_unrolling = self.unrolls
        return llvm.create_pass_builder(self._tm, options)


class _UnrollingCodegen(_Codegen):
    unrolls = True


@cache
def _generator(unrolls: bool) -> _Codegen:
    return (_UnrollingCodegen if unrolls else _Codegen)("graphc", "host")


def _contexts(unrolls: bool = False) -> tuple[Any, Any]:
    """Numba's typing context, and its target context with our generator."""
    typing, target = cpu_target.typing_context, cpu_target.target_context
    context = target.subtarget(_internal_codegen=_generator(unrolls), aot_mode=True)
    typing.refresh()  # intrinsics declared since
    context.refresh()
    return typing, context


@global_compiler_lock
def _emit(module: ir.Module, unrolls: bool) -> tuple[bytes, set[str]]:
    """The object of a translated module, and the names of the functions that it needs from outside."""
    native = _optimized(module, unrolls)
    data = _generator(unrolls)._tm.emit_object(native)
    declared = {each.name for each in native.functions if each.is_declaration}
    return data, {name for name in declared if not name.startswith("llvm.")}


def _optimized(module: ir.Module, unrolls: bool) -> Any:
    """A translated module after LLVM's passes."""
    generator = _generator(unrolls)
    module.triple, module.data_layout = llvm.get_process_triple(), generator._data_layout
    native = llvm.parse_assembly(str(module))
    native.verify()
    builder = generator._pass_builder()
    first, all_others = llvm.create_new_module_pass_manager(), builder.getModulePassManager()
    first.add_instruction_combine_pass()  # tiles of products keep the loops that they are written with
    first.run(native, builder)
    all_others.run(native, builder)
    return native


@global_compiler_lock
def _compile(
    function: Callable[..., Any], signature: str, symbol: str, unrolls: bool = False
) -> tuple[bytes, set[str]]:
    """The object with `function` as a C function, and the names of the functions that it needs from outside."""
    typing, context = _contexts(unrolls)
    library = _Library(context.codegen(), symbol)
    arguments, result = sigutils.normalize_signature(signature)
    compiled = compiler.compile_extra(typing, context, function, arguments, result, _flags(), {}, library=library)
    library.add_ir_module(_c_function(context, library.create_ir_module(symbol), compiled.fndesc, symbol))
    data = library.emit_native_object()
    declared = {each.name for each in library._final_module.functions if each.is_declaration}
    return data, {name for name in declared if not name.startswith("llvm.")}


def _c_function(context: Any, module: Any, native: Any, symbol: str) -> Any:
    """Put a C function into `module` that calls what Numba has compiled.

    That returns a status, and its result through a pointer. Where the status can be an error after all that the
    optimiser knows, the call of `graphc_raised` is left.
    """
    inner_type = context.call_conv.get_function_type(native.restype, native.argtypes)
    inner = ir.Function(module, inner_type, native.llvm_func_name)
    is_void = native.restype == numba.types.none
    result_type = ir.VoidType() if is_void else context.get_value_type(native.restype)
    arguments = [context.get_value_type(each) for each in native.argtypes]
    outer = ir.Function(module, ir.FunctionType(result_type, arguments), symbol)
    raised = ir.Function(module, ir.FunctionType(ir.VoidType(), []), _RAISED)

    builder = ir.IRBuilder(outer.append_basic_block("entry"))
    status, result = context.call_conv.call_function(
        builder, inner, native.restype, native.argtypes, outer.args, attrs=("alwaysinline",)
    )
    with builder.if_then(status.is_error, likely=False):
        builder.call(raised, [])
    if is_void:
        builder.ret_void()
    else:
        builder.ret(result)
    return module


def _flags() -> Any:
    flags: Any = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.nrt = True  # carray asks for it; what does allocate is refused afterwards
    flags.fastmath = set(FLAGS["fastmath"])
    flags.error_model = FLAGS["error_model"]
    flags.boundscheck = FLAGS["boundscheck"]
    return flags


if __name__ == "__main__":
    with collection_held_back():
        work_on(Path(sys.argv[1]), compile_source)
