"""Each experiment as a list of runs: the paper's, and those with which this project questions it."""

from collections.abc import Callable, Collection
from dataclasses import fields
from functools import cache
from typing import NamedTuple

from ..architecture import choose
from ..ladder import LADDER
from ..profiles import PROFILES
from ..runs import Run
from ..tasks import TASKS
from ..variants import NAMED, spelt_out
from . import published, small, tuning, wide
from .lists import ALL, AR_TRM, CURE, CURED, POST, UNIT, Job, multiples
from .published import STRUCTURES
from .small import CONTROLS, CROSS, DOSES, FED, LEARNED, LONGER, ONE_STREAM, PART, SHARE, SLOWER, UNTIL_LEARNED

__all__ = ["ALL", "AR_TRM", "CONTROLS", "CROSS", "CURE", "CURED", "DOSES", "FED", "LEARNED", "LONGER", "MAIN_SEEDS",
           "ONE_STREAM", "PART", "POST", "SHARE", "SLOWER", "STRUCTURES", "STUDIES", "UNIT", "UNTIL_LEARNED", "Job",
           "Study", "for_figures", "hashes", "jobs", "members", "multiples", "place", "within"]


class Study(NamedTuple):
    """A named list: jobs(profile, seed) makes it, at the profiles it exists for."""

    jobs: Callable
    profiles: tuple


MAIN_SEEDS = range(5)  # of the committed main study; runs with later seeds are of single rungs, made for other studies
LISTS = {
    "paper": (published.compute, published.width, published.training_length, published.structure, wide.cause,
              wide.precision, wide.depth, wide.refinement, wide.three_passes, wide.structure_cured,
              wide.refinement_rest, wide.depth_rest, wide.headline, wide.cause_reverse, wide.training_length_cured),
    "cpu": (small.cross, small.controls, small.slower, small.scales, small.small_eps, small.widths, small.windows,
            small.depth_small, small.depth_learned, small.one_stream, tuning.tune_form, tuning.tune_rate,
            tuning.tune_low, tuning.bare_rate, tuning.tuned, tuning.tune_between, tuning.between, tuning.confirm,
            tuning.settle, tuning.tune_pointers, tuning.tune_pointers_beyond, tuning.pointers, tuning.pointers_on,
            tuning.pointers_drafts, tuning.tune_pointers_shallow, tuning.pointers_flat, tuning.tune_pointers_few,
            tuning.pointers_few)}


def of_one_size(profile, jobs):
    """A Study of one profile, from a function that makes the jobs of a seed."""
    return Study(lambda profile, seed: jobs(seed), (profile,))


STUDIES = {"main": Study(published.main, tuple(PROFILES))}
STUDIES |= {each.__name__: of_one_size(profile, each) for profile, studies in LISTS.items() for each in studies}
STUDIES["cross_part"] = Study(small.cross_part, ("smoke", "cpu"))  # last, so that a run of the cross is the cross's


def jobs(profile, study="main", seeds=(0,), **filters):
    """The jobs of a study at a profile, those whose run has one of the values of each filter.

    filters: fields of a Run, as in rung=["ar_trm", ...], budget=[12]; a rung may be one of `tarm.variants.NAMED`.
    Raises ValueError for a name that does not exist, for what is no list, and where nothing is left.
    """
    choose("study", study, STUDIES)
    choose("profile", profile, PROFILES)
    if profile not in STUDIES[study].profiles:
        raise ValueError(f"the study {study!r} has no profile {profile!r}: choose one of "
                         f"{', '.join(STUDIES[study].profiles)} (a study of your own has those "
                         "that `register_study` was given)")
    for field in filters:
        choose("filter", field, [known.name for known in fields(Run)])
    for name, values in {"seeds": seeds, **filters}.items():
        if isinstance(values, str) or not isinstance(values, Collection) or not len(values):
            raise ValueError(f"{name}={values!r} is no list of values: write {name}=[...], with one or more")
    for field, names in {"rung": (*LADDER, *NAMED), "task": TASKS}.items():
        for value in filters.get(field, ()):
            choose(field, value, names)
    every = [job for seed in seeds for job in STUDIES[study].jobs(profile, seed)]
    chosen = [job for job in every if all(any(has(job.run, field, value) for value in values)
                                          for field, values in filters.items())]
    if not chosen:
        raise ValueError(f"no run of study {study!r} at profile {profile!r} has " +
                         ", ".join(f"{field} in {{{', '.join(map(str, values))}}}"
                                   for field, values in filters.items()) +
                         f": these choose among its runs and change none. {why_none(every, filters)}")
    return chosen


def hashes(profile, study="main", seeds=(0,), **filters):
    """The hashes of the runs of these `jobs`."""
    return {job.run.hash for job in jobs(profile, study, seeds, **filters)}


def why_none(every, filters):
    """A line on the first filter that no job passes, with the values that there are."""
    for field, values in filters.items():
        if not any(has(job.run, field, value) for job in every for value in values):
            return f"They have {field} in {{{', '.join(sorted({str(getattr(job.run, field)) for job in every}))}}}"
    return "Each of these occurs, but not together"


def for_figures(profile, seeds):
    """The jobs whose results `make figures` draws: main and, where the profile has it, `cross_part`; each once."""
    return list(dict.fromkeys(job for study in ("main", "cross_part") if profile in STUDIES[study].profiles
                              for job in jobs(profile, study, seeds)))


def has(run, field, value):
    """Has a run this value in this field? The name of a variant stands for all of its fields."""
    return all(getattr(run, name) == one for name, one in spelt_out({field: value}).items())


@cache
def members(profile, study, seed):
    """The hashes of a study's runs with this seed."""
    return {job.run.hash for job in STUDIES[study].jobs(profile, seed)}


def within(run, study=None, profile=None):
    """Does a run belong to this study at this profile? None: to any."""
    return any(run.hash in members(size, name, run.seed) for name, (_, sizes) in STUDIES.items()
               if study in (None, name) for size in sizes if profile in (None, size))


def place(run):
    """(profile, study) that a run belongs to, whatever its seed; ("", "") for one of its own."""
    own = run.hash
    for study, (_, profiles) in STUDIES.items():
        for profile in profiles:
            if own in members(profile, study, run.seed):
                return profile, study
    return "", ""
