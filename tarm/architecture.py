"""What determines a model: one frozen dataclass, checked before anything is built."""

import math
import numbers
import operator
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache

import torch
from torch.overrides import TorchFunctionMode

from .block import DROPOUT_STREAMS, NORMS
from .budget import PUBLISHED_BUDGET, passes_per_step, steps_for
from .ladder import LADDER, WINDOWS
from .language_model import SCALES
from .streams import stream_seed
from .tasks import VOCABULARY
from .variants import FIELDS, Variation, spelt_out

RESIDUALS = {"1": lambda passes: 1.0, "1/sqrt": lambda passes: passes**-0.5, "1/passes": lambda passes: 1 / passes}
CHOICES = {"norm": NORMS, "scale": tuple(SCALES), "residual": tuple(RESIDUALS),
           "precision": ("float32", "bf16"), "dropout_stream": DROPOUT_STREAMS} | FIELDS


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The fields of a model. Every default is the published value (arXiv 2603.08082).

    Depth is a budget of block passes (default 24) or a number of steps N; each determines the
    other, and both are filled in. Raises ValueError for a value that does not exist, does not
    fit, or has no meaning on this rung.
    """

    rung: str                      # a key of LADDER
    width: int = 384               # C
    heads: int = 6
    budget: int | None = None      # block passes; 24 if neither budget nor steps is given
    steps: int | None = None       # N
    outer: int = 2                 # H, rungs 6 and 7
    inner: int = 2                 # L, rungs 6 and 7
    step_embeddings: bool = True   # rungs 3 to 7
    dropout: float = 0.1
    context: int = 180             # rows of the position table
    vocabulary: int = len(VOCABULARY)
    norm: str = "pre"              # pre, post, reentry
    scale: str = "published"       # published, unit; input: unit for x alone; states: for y_init, z_init, rungs 5 to 7
    window: str = "cycle"          # cycle, step, all; rungs 6 and 7; or, rungs 1 to 3 and 7, a number of block passes
    residual: str = "1"            # 1, 1/sqrt, 1/passes: the factor on each branch of a block, of all passes
    start: str = "y_init"          # y_init, x: where y starts, rungs 5 to 7
    injection: str = "z"           # z, both, none: which updates read x, rungs 5 to 7
    sum: str = "sum"               # sum, mean of what a block reads, rungs 5 to 7
    readout: str = "published"     # published, mean of the logits of all steps; rungs 5 to 7
    supervision: str = "end"       # end, steps; rungs 5 to 7; steps-optimised, rung 7
    halting_head: str = "published"  # published, trained; rung 7
    halting_bias: float = 0.0      # initial bias of ACT's halting head, rungs 4 to 6
    ponder_weight: float = 0.0     # rungs 4 to 6; 0.01 by default in the paper, 0 in its runs
    precision: str = "float32"     # float32, bf16
    dropout_stream: str = "torch"  # torch, bits: how dropout's masks are drawn

    def __post_init__(self):
        choose("rung", self.rung, LADDER)
        for field in "window", "residual":  # 1 and "1" are the same
            object.__setattr__(self, field, str(getattr(self, field)))
        for field, allowed in CHOICES.items():
            choose(field, getattr(self, field), allowed)
        for field in ("width", "heads", "outer", "inner", "context", "vocabulary"):
            object.__setattr__(self, field, at_least(1, field, getattr(self, field)))
        if self.step_embeddings not in (True, False):
            raise ValueError(f"step_embeddings={self.step_embeddings!r} is neither True nor False")
        for field in ("dropout", "halting_bias", "ponder_weight"):
            finite(field, getattr(self, field))
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} does not divide width={self.width}: "
                             "choose a width that is a multiple of the number of heads")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not in [0, 1)")
        if self.budget is not None:
            object.__setattr__(self, "budget", whole("budget", self.budget))
        self._check_meaning()
        self._fill_in_depth()
        self._check_window()

    def _check_window(self):
        if self.window in WINDOWS:
            return
        model = LADDER[self.rung].model
        if not self.window.isdecimal() or not 1 <= int(self.window) <= self.budget:
            named = f"one of {', '.join(WINDOWS)}" if model.nested else "cycle"
            counted = model.halting_head != "act_halt" and not self.changes_what_is_read
            raise ValueError(f"window={self.window!r} is not known: choose {named}"
                             + f", or a number of block passes from 1 to the budget, {self.budget}" * counted)
        object.__setattr__(self, "window", str(int(self.window)))
        if model.halting_head == "act_halt" or self.changes_what_is_read:
            raise ValueError(f"window={self.window} block passes have a meaning only "
                             "where nothing but the last step is read, rungs 1 to 3 and 7: "
                             + (f"use one of {', '.join(WINDOWS)}" if model.nested else "leave it at cycle"))
        if "y" not in model.streams and int(self.window) == self.budget:
            raise ValueError(f"window={self.window} is all there is of {self.rung} with "
                             f"budget={self.budget}: leave it at cycle")

    @property
    def changes_what_is_read(self):
        """Is more read than the rung itself reads, in training or in decoding: the steps before the last?"""
        return self.supervision != "end" or self.readout == "mean" or self.halting_head == "trained"

    def untruncated(self):
        """The same with a gradient through every pass; a loss at every step in place of updates between steps."""
        supervision = "steps" if self.supervision == "steps-optimised" else self.supervision
        return replace(self, window="all" if LADDER[self.rung].model.nested else "cycle", supervision=supervision)

    @property
    def residual_factor(self):
        return RESIDUALS[self.residual](self.budget)

    def _check_meaning(self):
        """Refuse a field that has no meaning for the rung: two names for one model would be two runs. Values that
        make no difference at certain depths only are accepted: a window that is a whole cycle or step, a step of one
        cycle, and with one step or one pass what tells several apart. Refuses as well what would replace a plugin
        rung's own core or reading."""
        model = LADDER[self.rung].model
        dual, binary = "y" in model.streams, model.halting_head == "q_halt"
        act = model.halting_head == "act_halt" and self.readout == "published"
        meaningless = {
            "outer": not model.nested, "inner": not model.nested, "window": not model.nested and self.window in WINDOWS,
            "step_embeddings": not model.with_step_embeddings,
            "halting_bias": not act, "ponder_weight": not act,
            "dropout_stream": not self.dropout,
            "start": not dual, "injection": not dual, "sum": not dual, "readout": not dual, "supervision": not dual,
            "halting_head": not binary or self.readout == "mean",
        }
        for field in fields(Architecture):
            if meaningless.get(field.name) and getattr(self, field.name) != field.default:
                averages = self.readout == "mean" and field.name in ("halting_bias", "ponder_weight", "halting_head")
                holder = "dropout=0" if field.name == "dropout_stream" else "readout=mean" if averages else self.rung
                raise ValueError(f"{field.name}={getattr(self, field.name)} has no meaning for {holder}: "
                                 f"leave it at {field.default}")
        if self.scale in ("input", "states") and not dual:
            raise ValueError(f"scale={self.scale} has no meaning for {self.rung}, "
                             "which has no states besides its input: use unit")
        if self.norm == "reentry" and not model.tied:
            raise ValueError(f"norm=reentry has no meaning for {self.rung}, "
                             "which carries no state round a loop: use pre or post")
        if self.injection == "none" and self.start != "x":
            raise ValueError("injection=none leaves the model without its input: use it with start=x")
        if self.supervision == "steps-optimised" and (not binary or self.window == "all" or self.readout == "mean"):
            raise ValueError("supervision=steps-optimised is for rung 7 with window=cycle or step "
                             "and its published readout: no gradient crosses from one step to the next")
        own = (model.core, getattr(model, "reading", model.core))
        if self.changes_what_is_read and any(not each.__module__.startswith(f"{__package__}.ladder.") for each in own):
            raise ValueError(f"{self.rung} has a core or a reading of its own, "
                             "in whose place supervision, readout=mean and halting_head=trained would put another: "
                             "leave them as published, or let the rung inherit both")

    def _fill_in_depth(self):
        budget = self.budget
        if self.steps is not None:
            implied = at_least(1, "steps", self.steps) * passes_per_step(self.rung, self.outer, self.inner)
            if budget not in (None, implied):
                raise ValueError(f"steps={self.steps} are {implied} block passes for {self.rung}, "
                                 f"not budget={budget}: give one of the two "
                                 "(in dataclasses.replace set the other to None)")
            budget = implied
        budget = PUBLISHED_BUDGET if budget is None else budget
        object.__setattr__(self, "steps", steps_for(self.rung, budget, self.outer, self.inner))
        object.__setattr__(self, "budget", budget)

    @property
    def changes(self):
        """The fields that differ from their default; the budget stands for the steps too."""
        defaults = defaults_of(type(self))
        return {name: value for name, value in vars(self).items()
                if name != "steps" and (name not in defaults or value != defaults[name])}

    def __str__(self):
        return " ".join(f"{k}={v}" for k, v in self.changes.items())

    def count_parameters(self):
        """How many parameters the model has, counted on one that takes no memory."""
        with torch.device("meta"), Uninitialised():
            return sum(p.numel() for p in self.model(self).parameters())

    def build(self, seed=0):
        """A LanguageModel on the CPU in float32, initialised from `seed`; the caller's random stream stays as it is."""
        with torch.random.fork_rng(devices=[]):
            # for what `initialise` leaves as it was made
            torch.default_generator.manual_seed(stream_seed(seed, "initialisation"))
            return self.model(self).initialise(seed)

    @property
    def model(self):
        """The model's class: the rung's own, or a variation where a field of `tarm.variants` is not as published."""
        model = LADDER[self.rung].model
        published = all(getattr(self, field) == values[0] for field, values in FIELDS.items())
        return model if published else varied(model)


@cache
def varied(model):
    """A rung's model with the fields of `tarm.variants` heeded."""
    return type(model.__name__, (Variation, model), {})


class Uninitialised(TorchFunctionMode):
    """Parameters are not initialised: on the meta device nothing is filled, and PyTorch would import its compiler."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


@cache
def defaults_of(kind):
    """{field: default} of Architecture or a class made from it, with the published budget."""
    given = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    return given | {"budget": PUBLISHED_BUDGET}


def choose(field, value, allowed):
    if value not in allowed:
        own = "; one of your own comes with --plugin FILE.py, or by importing it" if field in ("rung", "task") else ""
        raise ValueError(f"{field}={value!r} is not known: choose one of {', '.join(map(str, allowed))}{own}")


def whole(field, value):
    """The value as an int, NumPy's included. Raises ValueError for any other."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise ValueError(f"{field}={value!r} is not a whole number") from error


def at_least(least, field, value):
    """The same, not below `least`."""
    value = whole(field, value)
    if value < least:
        raise ValueError(f"{field}={value} is too small: it must be {least} or more")
    return value


def finite(field, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"{field}={value!r} is not a finite number")


def build(rung, seed=0, **fields):
    """Build one rung of the ladder: `build("dual_ut", budget=24, width=64, heads=4)`.

    rung: a key of LADDER, or "ar_trm_cured" (see tarm.variants.NAMED). fields: those of `Architecture`. Returns
    a LanguageModel whose forward takes tokens (B, T). Raises ValueError as Architecture does.
    """
    return Architecture(**spelt_out({"rung": rung} | fields)).build(seed)
