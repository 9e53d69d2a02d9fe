"""tarm: Tiny Autoregressive Recursive Models (arXiv 2603.08082), one change at a time."""

import sys

from .architecture import Architecture, build
from .ladder import LADDER
from .plugins import load_plugins, register_rung, register_study, register_task
from .tasks import TASKS

__version__ = "0.1.0"
__all__ = ["LADDER", "TASKS", "Architecture", "build", "register_rung", "register_study", "register_task"]

try:
    load_plugins()
except ValueError as error:
    if sys.argv[:1] != ["-m"]:  # as it is while `python -m tarm` looks for its module: there an error is one line
        raise
    raise SystemExit(f"tarm: {error}") from error
