"""The ladder: seven models from a Transformer to the Autoregressive TRM, a file for each change.

`LADDER` is the one table of names: key, printed name, family and colour.
"""

from typing import NamedTuple

from .ar_trm import ARTRM
from .dense import Dense
from .dual_nested_ut import WINDOWS, DualNestedUT
from .dual_ut import DualUT
from .iterative import Iterative
from .iterative_step import IterativeStep
from .universal import Universal


class Rung(NamedTuple):
    """One row of the table of names; `model` is the class, `change` what is new on this rung."""

    key: str
    name: str
    short: str
    family: str
    colour: str
    change: str
    model: type


FAMILIES = ("non-recursive", "single stream", "dual stream")

LADDER = {rung.key: rung for rung in (
    Rung("dense", "Dense Transformer", "Dense", FAMILIES[0], "#4d4d4d",
         "(start)", Dense),
    Rung("iterative", "Iterative Transformer", "Iterative", FAMILIES[1], "#6baed6",
         "one block, its weights tied", Iterative),
    Rung("iterative_step", "Iterative Step Transformer", "Iterative Step", FAMILIES[1], "#2878b8",
         "step embeddings", IterativeStep),
    Rung("universal", "Universal Transformer", "UT", FAMILIES[1], "#08306b",
         "ACT halting per position", Universal),
    Rung("dual_ut", "Dual UT", "Dual UT", FAMILIES[2], "#fd8d3c",
         "two streams, y and z", DualUT),
    Rung("dual_nested_ut", "Dual Nested UT", "Dual Nested UT", FAMILIES[2], "#d94801",
         "nesting H x L, truncated gradient", DualNestedUT),
    Rung("ar_trm", "Autoregressive TRM", "AR-TRM", FAMILIES[2], "#7f2704",
         "binary halting, terminal readout", ARTRM),
)}
