"""What `python -m tarm` can do, a function per command; each takes the parsed arguments.

A module of them is imported with the first of its commands: what they need (pandas, SciPy, matplotlib) takes nearly as
long to import as all the rest, and the worker processes of a sweep, which import the command line again, need
none of it.
"""

from importlib import import_module

MODULES = {"chapters": ("figures", "notebooks", "site", "test"), "keeping": ("list", "merge", "rm"),
           "measuring": ("bench",), "models": ("check-records", "evaluate", "generate", "ladder"),
           "published": ("export", "verdict"), "training": ("sweep", "train")}


def call(arguments):
    """Run the command that the arguments name."""
    module, = (module for module, names in MODULES.items() if arguments.command in names)
    getattr(import_module(f".{module}", __name__), "command_" + arguments.command.replace("-", "_"))(arguments)
