"""Import `bench` of this checkout, without its `fastlogit` going before the installed one."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).parents[1]

if "bench" not in sys.modules:
    _spec = spec_from_file_location("bench", ROOT / "bench" / "__init__.py")
    sys.modules["bench"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["bench"])
