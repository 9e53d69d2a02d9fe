"""What the options of the commands may be, and what their texts mean."""

import argparse
import math
from dataclasses import MISSING, fields

import torch

from ..architecture import CHOICES, choose
from ..budget import PUBLISHED_BUDGET
from ..ladder import LADDER, WINDOWS
from ..runs import DECAYS, Run
from ..store import name_unknown
from ..tasks import TASKS
from ..variants import NAMED


def choose_device(name):
    """"auto" -> "cuda" or "mps" where there is one, else "cpu". Raises ValueError for one that is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() and works("mps") else "cpu"
    if not works(name):
        raise ValueError(f"device={name!r} is not here: use cpu, or auto to take what there is")
    return name


def works(device):
    """Is it of a kind used here, with memory to be had? Virtual machines may name a device that has none."""
    try:
        torch.empty(1, device=device)
        return torch.device(device).type in ("cpu", "cuda", "mps")
    except (RuntimeError, AssertionError):
        return False


def seed_list(text):
    """"3" -> (0, 1, 2), a count; "0,4" or "4," -> a list."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts) or "," not in text and int(text) == 0:
        raise ValueError(f"seeds={text!r} are none: give a count such as 3, or a list such as 0,4")
    return tuple(dict.fromkeys(map(int, parts))) if "," in text else tuple(range(int(text)))


def complain(refused):
    """Raise ValueError where files of a store could not be used, with a line on them; those of tasks and rungs that are
    not registered here aside, which are only named."""
    if damaged := name_unknown(refused):
        raise ValueError(f"left out: {'; '.join(map(str, damaged))}")


def whole_number(name, text):
    text = text.strip()
    if not text.isdecimal():
        raise ValueError(f"{name}={text!r} is not a whole number")
    return int(text)


def positive(text):
    """A finite number above 0, for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number: give one, or leave it out")
    return number


def field_value(field, text):
    """A field of Run from text, in the field's type; ValueError names what it may not be."""
    text = text.strip()
    if field.type is bool:
        choose(field.name, text, ("true", "false"))
        return text == "true"
    try:
        return (field.type if field.type in (str, float) else int)(text)  # int | None is int
    except ValueError as error:
        raise ValueError(f"{field.name}={text!r} is not a "
                         f"{'number' if field.type is float else 'whole number'}") from error


def values(field):
    """The values that a field of Run may have, as written on the command line; none where it is a number."""
    if field.type is bool:
        return "true", "false"
    named = {"window": (*WINDOWS, "a number of passes"), "decay": DECAYS, "rung": (*LADDER, *NAMED), "task": TASKS}
    return (CHOICES | named).get(field.name, ())


def option(field):
    return f"--{field.name.replace('_', '-')}"


def add_filters(parser):
    """One option per field of Run that a sweep can be narrowed by."""
    for field in fields(Run):
        if field.name != "seed":
            listed = f" ({', '.join(values(field))})" if values(field) else ""
            parser.add_argument(option(field), metavar="A,B", help=f"only runs with this {field.name}{listed}")


def add_run_options(parser):
    """One option per field of Run, with the published value where there is one."""
    group = parser.add_argument_group("fields of the run",
                                      "One that is left out has the value that the profile gives it, "
                                      "and the published one where the profile gives none (tarm/profiles.py).")
    own = {"budget": f"published: {PUBLISHED_BUDGET}", "steps": "in place of the budget", "seed": "default: 0"}
    for field in fields(Run):
        required = field.default is MISSING
        default = str(field.default).lower() if field.type is bool else field.default
        text = "required" if required else own.get(field.name, f"published: {default}")
        listed = f"; one of {', '.join(values(field))}" if values(field) else ""
        group.add_argument(option(field), required=required, metavar="VALUE", help=text + listed)
