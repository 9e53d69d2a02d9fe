"""The studies are the lists they say they are: how many runs, which, and none twice."""

import pytest

from tarm.runs import run_from
from tarm.studies import CURED, PART, STUDIES, for_figures, jobs, members, multiples, place, within

# runs of one seed: the paper's five studies as published, then the lists of this project
COUNTS = {
    "main": 7 * 3,
    "compute": 7 * 2 * 2,
    "width": 7 * 4,
    "training_length": 7 * 5 * 4,
    "structure": 2 * 7 * 4,
    "cause": 7,
    "precision": 4,
    "depth": 7 + 6 + 5,
    "refinement": 6,
    "three_passes": 4,
    "structure_cured": 3 * 6,
    "refinement_rest": 3,
    "depth_rest": 3,
    "headline": 8 * 3,
    "cause_reverse": 7,
    "training_length_cured": 8 * 3 * 4,
    "cross": 2 * 3 * 2 * 2,
    "cross_part": 5,
    "controls": 30 + 5,
    "slower": 2 * 6 + 3,
    "scales": 3 * 2 + 2,
    "small_eps": 4,
    "one_stream": 3 * 2 + 5 + 4,
    "widths": 3 * 2,
    "windows": 3 * 2 + 1,
    "depth_small": 8 + 10 + 14 + 14,
    "depth_learned": 2 * (8 + 10 + 12 + 12),
    "tune_form": 8 * 4 * 2,
    "tune_between": 7 * 3 + 4 * 4,
    "between": 11,
    "confirm": 7,
    "settle": 3,
    "tune_pointers": 10 * 3,
    "tune_pointers_beyond": 11,
    "pointers": 10 * 4 - 1,
    "pointers_on": 2,
    "pointers_drafts": 2,
    "tune_pointers_shallow": 2 * 3,
    "pointers_flat": 2 * 2,
    "tune_pointers_few": 2 * 4,
    "pointers_few": 1,
    "tune_rate": 8 * 4 * 3,
    "tune_low": 2 * 4 + 2,
    "bare_rate": 6 * 2 * 2,
    "tuned": 8 * 4,
}


@pytest.mark.parametrize("study", STUDIES)
def test_has_its_runs_each_once(study):
    profile = STUDIES[study].profiles[-1]
    chosen = jobs(profile, study, (0, 1))
    assert len({job.run.hash for job in chosen}) == len(chosen) == 2 * COUNTS[study]
    assert all(place(job.run)[0] == profile for job in chosen)


def test_make_figures_trains_the_main_study_and_a_part_of_the_cross():
    """At smoke size the published rung 7 on copy is in both; at the paper's size there is no such part."""
    assert [len(for_figures(profile, (0, 1))) for profile in ("smoke", "cpu", "paper")] == [2 * 25, 2 * 26, 2 * 21]
    part = [job.run.hash for job in jobs("cpu", "cross_part", (3,))]
    assert set(part) <= members("cpu", "cross", 3) and len(part) == len(PART)
    assert place(jobs("cpu", "cross_part", (3,))[0].run) == ("cpu", "cross")


@pytest.mark.parametrize("length, expected", [(5, (5, 6, 8, 10, 12, 15)), (2, (2, 3, 4, 5, 6))])
def test_multiples_of_a_length_are_rounded_half_to_even_and_listed_once(length, expected):
    """As published."""
    assert multiples(length) == expected


def test_a_few_runs_are_the_published_ones():
    """One of each study, by the fields that its description in the paper gives."""
    def one(study, **fields):
        return [job for job in jobs("paper", study) if all(getattr(job.run, k) == v for k, v in fields.items())]

    job, = one("compute", rung="ar_trm", width=192, budget=24)
    assert (job.run.steps, job.run.heads, job.run.training_steps, job.run.context) == (4, 6, 4000, 150)
    assert job.schedule.every == 200 and job.schedule.lengths == (10, 20, 30)
    job, = one("width", rung="ar_trm", width=512)
    assert (job.run.steps, job.run.outer, job.run.inner, job.run.heads) == (8, 1, 2, 4)
    job, = one("structure", rung="ar_trm", length=20, outer=8, inner=4)
    assert (job.run.steps, job.run.budget) == (4, 4 * 8 * 5)
    assert {job.run.budget for job in one("training_length", rung="dual_ut", length=40)} == {6, 12, 18, 24}


def test_depth_spends_three_passes_on_one_trained_cycle():
    """At 3 passes rung 7 has N = H = 1; Dual UT, whose step takes two, has 4."""
    shallow = [job.run for job in jobs("paper", "depth") if job.run.budget in (3, 4)]
    assert {(run.rung, run.budget, run.steps) for run in shallow} == {
        ("ar_trm", 3, 1), ("universal", 3, 3), ("dense", 3, 3), ("dual_ut", 4, 2)}
    assert sum(all(getattr(run, k) == v for k, v in CURED.items()) for run in shallow) == 1


def test_depth_tries_what_was_learned_with_other_numbers_of_passes():
    """3 to 48 passes where whole steps make them, its own left out; not for a block per step."""
    by_run = {(job.run.rung, job.run.norm, job.run.window, job.run.supervision, job.run.budget): job
              for job in jobs("cpu", "depth_small")}
    assert by_run["universal", "pre", "cycle", "end", 12].schedule.other_steps == (3, 4, 6, 24, 48)
    assert by_run["dual_ut", "pre", "cycle", "end", 24].schedule.other_steps == (2, 3, 6, 24)
    assert by_run["ar_trm", "post", "all", "end", 12].schedule.other_steps == (1, 4, 8)  # 6 passes a step
    assert by_run["dense", "pre", "cycle", "end", 12].schedule.other_steps == ()


def test_of_a_study_the_runs_that_others_have_too_are_listed(committed):
    """The 24-pass runs of depth_learned are the cross's and come first there."""
    own = {record["run"] for record in committed if within(run_from(record["configuration"]), "depth_learned", "cpu")}
    both = {record["run"] for record in committed if within(run_from(record["configuration"]), "cross", "cpu")} & own
    assert both and all(place(run_from(record["configuration"]))[1] == "cross"
                        for record in committed if record["run"] in both)
