"""Parts: functions that are compiled only into the functions that call them.

Numba makes each compiled function a library of its own: optimised code in LLVM's language, machine
code, and two wrappers for calls from Python and from C.  Then it copies that code into the library
of every caller, optimises it again and makes machine code again.  Most of our functions are called
by kernels alone.  With :class:`Compiler` Numba types and translates them, and leaves the rest to
the callers.  That saves 40 % of the time to compile a pass over X.

The decorators of :mod:`fastlogit.kernels.jit` return a :class:`Dispatcher` for such a function.  A
call from Python, as the tests make it, compiles the function once more as an ordinary one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import uuid4

from numba.core import codegen, compiler, registry
from numba.core.caching import CompileResultCacheImpl

# How the names of functions begin that Numba compiled.  Those of its runtime, which is the same in
# all processes, begin with NRT.
MADE_BY_NUMBA = "_ZN"


class Library(codegen.JITCodeLibrary):  # type: ignore[misc]
    """The code of a part, with the functions that it calls; it has no machine code.

    The linker takes functions of one name for the same function.  Numba's names end with a count
    within the process, so a cache that several processes fill may hold two functions of one name.
    Ordinary functions are inlined before they are kept, and parts are not.  So all that is in a
    part has a name of its own: see `finalize` and `Compiler`.
    """

    def finalize(self) -> None:
        """Link what this part calls, as Numba does, without optimising it as a whole."""
        self._raise_if_finalized()
        ordinary: set[str] = set()
        for library in dict.fromkeys(self._linking_libraries):
            module = library._get_module_for_linking()
            self._final_module.link_in(module, preserve=True)
            if not isinstance(library, Library):
                ordinary.update(one.name for one in module.functions if not one.is_declaration)
        for function in list(self._final_module.functions):
            if function.name in ordinary and function.name.startswith(MADE_BY_NUMBA):
                function.name = f"{function.name}.{uuid4().hex}"
        self._final_module.verify()
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, *_: Any) -> int:
        """Return 0, as there is no machine code."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Library:
        """Where Numba would set the address of the function's environment."""
        return self

    def set_env(self, *_: Any) -> None:
        """Set nothing.

        The environment is for `print` and for errors with values of run time, which a part must not
        have: the machine code of its callers finds no environment.
        """

    def bitcode(self) -> bytes:
        """The code, from which `restored` makes this library again."""
        code: bytes = self._get_module_for_linking().as_bitcode()
        return code

    @classmethod
    def restored(cls, its_codegen: Any, name: str, bitcode: bytes) -> Library:
        """Make the library whose `bitcode` this is."""
        library = cls(its_codegen, name)
        library._final_module = library._shared_module = codegen.ll.parse_bitcode(bitcode)
        library._finalize_dynamic_globals()
        library._finalized = True
        return library


class Compiler(compiler.Compiler):  # type: ignore[misc]
    """Numba's compiler of one function, for parts."""

    def __init__(self, *args: Any) -> None:
        *_, flags, _ = args
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        super().__init__(*args)

    def compile_extra(self, function: Any) -> Any:
        """Compile a Python function."""
        self.state.library = Library(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)

    def _compile_bytecode(self) -> Any:
        """Compile, under a name that no function of another process has; see `Library`."""
        self.state.func_id.unique_id = uuid4().hex
        return super()._compile_bytecode()


class CacheImpl(CompileResultCacheImpl):  # type: ignore[misc]
    """The files of compiled parts.  Ordinary functions have files of other names."""

    @property
    def filename_base(self) -> str:
        """The beginning of the files' names."""
        return f"{super().filename_base}.part"

    def reduce(self, result: Any) -> tuple[Any, ...]:
        """Make a tuple that can be pickled of a compiled part."""
        description = result.fndesc
        description.typemap = description.calltypes = None  # not needed, and not always picklable
        library = result.library.name, result.library.bitcode()
        return *library, description, result.environment, result.signature

    def rebuild(self, target: Any, reduced: tuple[Any, ...]) -> Any:
        """Make a compiled part of the tuple."""
        name, bitcode, description, environment, signature = reduced
        library = Library.restored(target.codegen(), name, bitcode)
        return compiler.compile_result(
            target_context=target,
            typing_context=target.typing_context,
            library=library,
            fndesc=description,
            environment=environment,
            entry_point=target.get_executable(library, description, environment),
            signature=signature,
            objectmode=False,
            reload_init=(),
            lifted=(),
        )


class Dispatcher(registry.CPUDispatcher):  # type: ignore[misc]
    """A part: compiled code calls it, and Python may."""

    def __init__(self, py_func: Any, types: Any = None, options: Any = None) -> None:
        super().__init__(py_func, types or {}, options, Compiler)

    def make_ordinary(self) -> Any:
        """The same function, compiled as Numba does."""
        return registry.CPUDispatcher(self.py_func, {}, self.targetoptions)

    @cached_property
    def ordinary(self) -> Any:
        """What `make_ordinary` returned at the first call."""
        return self.make_ordinary()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function from Python."""
        return self.ordinary(*args, **kwargs)
