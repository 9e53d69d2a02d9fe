"""A run: one frozen dataclass, and the content hash that names it."""

import hashlib
import json
import math
from dataclasses import dataclass, fields, replace

from .architecture import Architecture, at_least, choose, finite
from .tasks import TASKS, VOCABULARY

BETAS = (0.9, 0.999)  # of AdamW, the same in every run
DECAYS = ("none", "cosine")
LEAST = 0.1           # of the learning rate, where it has decayed


@dataclass(frozen=True, kw_only=True)
class Run(Architecture):
    """Everything that determines the numbers of a run, and nothing else.

    Device, threads and the times of evaluation are not part of it (but a run with `stop_at` ends
    at one). Every default is the published value (arXiv 2603.08082), the seed apart.
    """

    task: str
    length: int = 10               # digits of an operand in training
    training_steps: int = 5000
    batch: int = 64                # problems in a step
    learning_rate: float = 3e-4
    eps: float = 1e-8              # AdamW's
    weight_decay: float = 0.01
    warmup: int = 0                # training steps over which the learning rate rises to its value
    decay: str = "none"            # none; cosine: down to a tenth of it at the last step
    clip: float = 0.0              # largest norm of the whole gradient; 0: any
    stop_at: float = 0.0           # share of characters right, greedy and unseen, at which a run ends; 0: never
    window_warmup: int = 0         # training steps over which a window of k passes grows from 2 to k
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        choose("task", self.task, TASKS)
        for least, names in (1, ("length", "training_steps", "batch")), (0, ("seed", "warmup", "window_warmup")):
            for field in names:
                object.__setattr__(self, field, at_least(least, field, getattr(self, field)))
        choose("decay", self.decay, DECAYS)
        if self.window_warmup and not self.window.isdecimal():
            raise ValueError(f"window_warmup={self.window_warmup} has no meaning for {self.rung} "
                             f"with window={self.window}: it is for a window that is a number of block passes")
        if self.window_warmup and int(self.window) <= 2:
            raise ValueError(f"window_warmup={self.window_warmup} changes nothing of window={self.window}, since a "
                             "window grows from 2: leave it out")
        if self.decay == "cosine" and self.warmup == self.training_steps:
            raise ValueError(f"decay='cosine' changes nothing where warmup={self.warmup} takes all training steps: "
                             "lower the warm-up, or leave decay out")
        if self.vocabulary < len(VOCABULARY):
            raise ValueError(f"vocabulary={self.vocabulary} has no room for the {len(VOCABULARY)} "
                             f"characters of the tasks: it must be {len(VOCABULARY)} or more; leave it out")
        for field in ("learning_rate", "eps", "weight_decay", "clip", "stop_at"):
            finite(field, getattr(self, field))
            if getattr(self, field) < 0:
                raise ValueError(f"{field}={getattr(self, field)!r} is not a number from 0 on")
        if self.stop_at > 1:
            raise ValueError(f"stop_at={self.stop_at} is not a share of characters: it is from 0, never, to 1, all")
        for field in "warmup", "window_warmup":
            if getattr(self, field) > self.training_steps:
                raise ValueError(f"{field}={getattr(self, field)} is longer than training_steps={self.training_steps}: "
                                 "lower it")
        if self.seed >= 2**64:
            raise ValueError(f"seed={self.seed} is more than PyTorch takes: choose one below 2**64")
        for field in fields(self):  # 0 and 0.0 are the same value, so they are one run
            if field.type in (float, bool):
                object.__setattr__(self, field.name, field.type(getattr(self, field.name)))

    def learning_rate_at(self, step):
        """The learning rate of a training step, counted from 1: a linear warm-up, then constant or half a cosine."""
        if step <= self.warmup:
            return self.learning_rate * step / self.warmup
        if self.decay == "none":
            return self.learning_rate
        done = (step - self.warmup) / (self.training_steps - self.warmup)
        return self.learning_rate * (LEAST + (1 - LEAST) * (1 + math.cos(math.pi * done)) / 2)

    def build(self, seed=None):
        """As `Architecture.build`, initialised from the run's own seed where no other is given."""
        return super().build(self.seed if seed is None else seed)

    def window_at(self, step):
        """The passes that a training step trains, where the window is a number of them that is warmed up; else None."""
        if not self.window_warmup:
            return None
        return 2 + int((int(self.window) - 2) * min(1, (step - 1) / self.window_warmup))

    def untruncated(self):
        """As `Architecture.untruncated`, without the warm-up of a window that is then gone."""
        return Architecture.untruncated(replace(self, window_warmup=0))

    @property
    def hash(self):
        """Twelve hexadecimal digits that name the run.

        Only fields that differ from their default enter, so that a field added later, at its
        default, changes no earlier hash.
        """
        text = json.dumps(self.changes, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __str__(self):
        return f"{self.hash} {super().__str__()}"


@dataclass(frozen=True)
class Schedule:
    """When a run is evaluated, and on what; not part of the run, whose numbers it leaves alone.

    every: training steps between evaluations; the last step is always one. lengths: operand
    lengths evaluated each time. final_lengths: those evaluated at the last step only.
    problems: how many per length, seen and unseen each. other_steps: of the recurrence; the last
    evaluation at the training length is taken again with each of these in place of the trained number. Lists become
    tuples. Raises ValueError for what is not a whole number from 1 on, and for a length that would be evaluated
    twice at once.
    """

    every: int
    lengths: tuple
    final_lengths: tuple = ()
    problems: int = 100
    other_steps: tuple = ()

    def __post_init__(self):
        for field in "every", "problems":
            object.__setattr__(self, field, at_least(1, field, getattr(self, field)))
        for field in "lengths", "final_lengths", "other_steps":
            value = getattr(self, field)
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"{field}={value!r} is no tuple of whole numbers: write ({value!r},)")
            object.__setattr__(self, field, tuple(at_least(1, field, one) for one in value))
        every = self.lengths + self.final_lengths
        if twice := sorted({length for length in every if every.count(length) > 1}):
            raise ValueError(f"lengths={self.lengths} and final_lengths={self.final_lengths} hold "
                             f"{', '.join(map(str, twice))} more than once: name each length once")

    def lengths_at(self, step, last):
        """The lengths to evaluate after this step; none where it is not time."""
        if step == last:
            return self.lengths + self.final_lengths
        return self.lengths if step % self.every == 0 else ()


def run_from(configuration):
    """A Run from a record's configuration. Raises ValueError for a field it does not know."""
    known = {field.name for field in fields(Run)}
    if unknown := set(configuration) - known:
        raise ValueError(f"unknown fields {', '.join(sorted(unknown))}")
    return Run(**configuration)
