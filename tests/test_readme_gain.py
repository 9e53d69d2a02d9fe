"""What the README states about gains is what the records give."""

import re

import pytest
from readme import says, span, table

from tarm import gain, gain_predictions
from tarm.statistics import interval
from tarm.studies import LEARNED, hashes, jobs, tuning


def apart(ends, one, other, seeds):
    """Points by which the cell `one` is ahead of the cell `other`, with these seeds, each of which must be there."""
    points = 100 * gain.paired(ends[ends["seed"].isin(seeds)], one, other)
    assert sorted(points.index) == list(seeds)
    return points.tolist()


@pytest.fixture(scope="module")
def tuned(committed):
    """The last evaluations of what ran under the usual recipe on sums, every seed."""
    lists = {"tuned": range(20), "between": range(5), "confirm": tuning.CONFIRMED, "settle": tuning.SETTLED}
    runs = {job.run.hash for study, seeds in lists.items() for job in jobs("cpu", study, seeds)}
    return gain.at_the_end(gain.trajectories(committed, runs))


def test_what_is_said_of_rung_7_with_more_seeds_is_counted_from_the_records(tuned, committed):
    """Its differences to itself with three passes, to Dual UT and to UT."""
    seeds = {"seeds 0 to 4": range(5), "5 and up": range(5, 20), "all": range(20)}
    ten = {"seeds 0 to 4": range(5), "5 and up": range(5, 10), "all": range(10)}  # UT has no more
    rows = {"12 passes − 3 passes": ((gain.WHOLE, 3), seeds),
            "12 passes − Dual UT, 12 passes": (("Dual UT", 12), seeds),
            "12 passes − UT, 6 passes, each with what was chosen for it": (("UT", 6), ten)}
    points = {
        name: {which: apart(tuned, (gain.WHOLE, 12), other, these) for which, these in chosen.items()}
        for name, (other, chosen) in rows.items()
    }
    title = "`A − B`, AR-TRM with its whole gradient"
    assert table(title) == [[title, *seeds, "seeds"]] + [
        [name, *map(span, found.values()), f"{len(found['all'])} seeds"] for name, found in points.items()]
    assert (tuning.DEPTH[gain.WHOLE], tuning.DEPTH["UT"]) == (12, 6)
    itself, dual, _ = (found["all"] for found in points.values())
    mine = tuned[(tuned["model"] == gain.WHOLE) & (tuned["seed"] < 20)]
    by_passes = 100 * mine.groupby("passes")["accuracy"].mean()
    says("the AR-TRM has {:.0f} % of the characters with three passes and {:.0f} with 12: a difference of {} points "
         "(95 % interval {}, twenty seeds).", by_passes[3], by_passes[12], *span(itself).rstrip(")").split(" ("))
    further, last = (span([-point for point in dual[first:]]).rstrip(")").split(" (") for first in (5, 10))
    says("With 12 passes it is behind Dual UT, by {} points ({}, post hoc, the fifteen seeds that had not suggested "
         "it, in two batches; the last ten alone: {}, {}).", *further, *last)
    assert (len(dual[10:]), list(tuning.SETTLED)) == (10, list(range(10, 20)))
    open_to = [re.search(r"to (\d+)", span(chosen))[1] for chosen in (itself, itself[5:])]
    six = interval(apart(tuned, (gain.WHOLE, 6), (gain.WHOLE, 3), range(5)))
    says("On sums of three digits one of up to {} points stays open for the AR-TRM with 12 passes (up to {} by the "
         "later fifteen seeds alone), one of up to {:.1f} with six (five seeds),", *open_to, six[1])
    ut = {which: re.findall(r"-?(\d+)", span(found)) for which, found in points[list(rows)[2]].items()}
    assert [*ut["seeds 0 to 4"], ut["5 and up"][0]] == ["36", "40", "31", "13"]
    says("36 points, 31 to 40, were 13 with five other seeds.")
    ended = {record["run"]: record["finished"] for record in committed}
    fresh = tuned[tuned["seed"].between(5, 9)]
    mine, theirs = (fresh[(fresh["model"] == model) & (fresh["passes"] == passes)]["run"].map(ended)
                    for model, passes in ((gain.WHOLE, 12), ("UT", 6)))
    assert len(mine) == len(theirs) == 5 and mine.max() < theirs.min()
    says("UT was run with five more when the AR-TRM's were known, and these alone leave it open.")
    low, high = interval(points[list(rows)[2]]["5 and up"])
    assert low < 0 < high
    planned = gain.contrasts(tuned[tuned["seed"] < 5], gain_predictions.TUNED_CONTRASTS, tuning.DEPTH)["corrected"]
    says(f"The third is one of four planned for seeds 0 to 4, the only one that stood (`p` {planned[0]:.1g});")
    assert len(planned) == 4 and (planned < 0.05).tolist() == [True, False, False, False]


def test_how_many_passes_act_reads_is_in_the_ledgers(committed):
    """The ledger's weighted passes, of seeds 0 to 4 on sums of three digits; and of the one run at width 384."""
    def counted(kind, profile, study, budget, rung, seeds):
        runs = hashes(profile, study, seeds, budget=[budget], rung=[rung], task=["addition"])
        found = [record["ledger"][f"{kind}_passes"] for record in committed if record["run"] in runs]
        assert len(found) == len(seeds)
        return found

    both = "universal", "dual_ut"
    ut, dual_ut = (counted("weighted", "cpu", "tuned", 12, rung, range(5)) for rung in both)
    ran = sum((counted("executed", "cpu", "tuned", 12, rung, range(5)) for rung in both), [])
    wide = [counted("weighted", "paper", "headline", 24, rung, range(1))[0] for rung in both]
    says(f"after {min(ut):.1f} to {max(ut):.1f} passes of UT (by seed) and {min(dual_ut):.1f} to {max(dual_ut):.1f} of "
         f"Dual UT, though {min(ran):.1f} to {max(ran):.1f} are run; of 24 at the paper's width, on sums of ten "
         f"digits, after {wide[0]:.0f} and {wide[1]:.0f}.")


def test_who_leads_on_sums_is_counted_from_the_records(committed):
    """Seeds 0 to 4, every model at its best number of passes; and that no model gains by more."""
    ends = gain.at_the_end(gain.trajectories(committed, hashes("cpu", "tuned", range(5)), name=gain.wiring))
    ends["passes"] = ends["passes"].replace(4, 3)
    cells = ends.groupby(["model", "passes"])["accuracy"]
    means = 100 * cells.mean().unstack()
    says("800 steps, in which none of seeds 0 to 4 ends at 99 %)")
    assert (cells.size() == 5).all() and ends["accuracy"].max() < LEARNED
    best = means.max(axis=1).sort_values(ascending=False)
    assert best.index[:4].tolist() == ["Dense", "UT", "Iterative", "Dual UT"] and best.index[-1] == "AR-TRM"
    assert (means.loc[best.index[[0, 1, 2, 3]]].idxmax(axis=1).tolist() == [3, 6, 3, 6]
            and round(best["UT"]) == round(best["Iterative"]))
    assert means.loc[[gain.WHOLE, "AR-TRM"]].idxmax(axis=1).tolist() == [3, 3]
    named = {"UT": "UT", "Iterative": "Iterative", "Dense": "Dense", "Dual UT": "Dual UT",
             "Iterative Step": "Iterative Step", gain.WHOLE: "AR-TRM, whole gradient",
             "AR-TRM": "cured AR-TRM, published window"}
    (*_,), *rows = table("characters right, %")
    assert rows == [[shown, *(f"{means.loc[model, passes]:.0f} ({passes})"
                              for passes in (tuning.DEPTH[model], means.loc[model].idxmax()))]
                    for model, shown in named.items()]
    first = gain.contrasts(ends, [("UT", other) for other in ("Iterative", "Dense", "Dual UT", "Iterative Step")],
                           {model: 3 if passes == 4 else passes for model, passes in tuning.DEPTH.items()})
    assert ((first["low"] < 0) & (first["high"] > 0)).all()
    says("No model is on average more than two points better with 12 or 24 passes than with its fewest (Dual UT is {} "
         "better with 6, {});", *span(apart(ends, ("Dual UT", 6), ("Dual UT", 3), range(5))).rstrip(")").split(" ("))
    assert means[6].sub(means[3]).drop("Dual UT").max() < 2
    assert means[[12, 24]].sub(means[3], axis=0).max(axis=None) < 2
    high = {(model, passes): interval(apart(ends, (model, passes), (model, 3), range(5)))[1]
            for model in means.index if model != gain.WHOLE for passes in (12, 24)}
    open_to = {model: max(high[model, 12], high[model, 24]) for model, _ in high}
    says("five seeds cannot exclude a gain of up to {:.0f} points for Dual UT, and of {:.0f} for UT",
         open_to["Dual UT"], open_to["UT"])
    assert max(points for model, points in open_to.items() if model not in ("Dual UT", "UT")) < 10


def test_what_more_passes_than_trained_do_is_counted_from_the_records(committed):
    runs = hashes("cpu", "depth_small", range(5))
    depths = gain.at_other_depths(committed, runs).groupby(["model", "trained", "passes"])["accuracy"].mean()
    gained = [accuracy - depths[model, trained, trained]
              for (model, trained, passes), accuracy in depths.items() if passes > trained]
    says("With a constant rate, under which many models learn only half, none gains half a point, on average, by "
         "being run with more passes than it was trained with")
    own = depths[depths.index.get_level_values("trained") == depths.index.get_level_values("passes")]
    assert own.between(0.4, 0.6).mean() > 0.4
    assert len(gained) > 10 and max(gained) < 0.005


def test_who_is_ahead_on_pointers_is_counted_from_the_records(committed):
    """The five judged seeds with 12 passes; six planned comparisons."""
    seeds, runs = gain.complete(committed, "pointers", tuning.POINTED, budget=[12])
    ends = gain.at_the_end(gain.trajectories(committed, runs))
    judged = gain.contrasts(ends, gain_predictions.POINTERS_CONTRASTS, dict.fromkeys(set(ends["model"]), 12))
    judged.index = [other for _, other in gain_predictions.POINTERS_CONTRASTS]
    ahead = ["Dense", "Dual UT", "UT", gain.UNNESTED, gain.CURED]
    says("learns with each of five seeds and is ahead of Dense by {:.1f} points, Dual UT by {:.1f}, UT by {:.1f}, "
         "itself without nesting (H = L = 1) by {:.1f} and cured under its published window by {:.1f} (planned, each "
         "corrected `p` below 0.01 by a t-test; ahead with five of five seeds, for which a sign test cannot give less "
         "than 0.06); its lead over Iterative Step, {:.1f} points, does not stand.",
         *judged.loc[[*ahead, "Iterative Step"], "mean"])
    assert (judged.loc[ahead, "ahead"] == 5).all() and 2 * 0.5**5 == 0.0625
    assert judged.loc[ahead, "corrected"].max() < 0.01 and judged.loc["Iterative Step", "corrected"] > 0.05
    assert len(seeds) == 5 and ends[ends["model"] == gain.WHOLE]["accuracy"].min() >= LEARNED


def test_what_more_passes_do_on_pointers_is_counted_from_the_records(committed):
    """Five fresh seeds of rung 7, trained for all of its steps."""
    found = [gain.complete(committed, study, tuning.POINTED_ON)
             for study in ("pointers_on", "pointers_drafts", "pointers_few")]
    assert all(seeds == list(tuning.POINTED_ON) for seeds, _ in found)
    runs = set().union(*(hashes for _, hashes in found))
    curves, walks = gain.trajectories(committed, runs), gain.by_quarter(committed, runs)
    ends = gain.at_the_end(curves)
    four = walks[(walks["trained"] == walks["passes"])
                 & (walks["quarter"] == 1)].groupby(["model", "passes"])["accuracy"].mean()
    cells = {"3 passes: `z` twice, `y` once": (gain.WHOLE, 3),
             "4 passes: `z` three times, `y` once": (gain_predictions.FOUR, 4),
             "6 passes: two cycles, `y` written and improved (200 problems)": (gain.WHOLE, 6),
             "6 passes: one cycle, `z` five times, `y` once (200 problems)": (gain_predictions.ONE_DRAFT, 6),
             "12 passes: two steps of two cycles": (gain.WHOLE, 12)}
    title = "AR-TRM with its whole gradient, for 3000 steps"
    expected = [[title, "characters right, %", "of those four lookups away, %"]]
    for name, cell in cells.items():
        right = 100 * ends[(ends["model"] == cell[0]) & (ends["passes"] == cell[1])]["accuracy"]
        assert len(right) == 5
        ends_at = dict.fromkeys(f"{end:.1f}" for end in (right.min(), right.max()))
        expected.append([name, " to ".join(ends_at), f"{100 * four[cell]:.1f}"])
    assert table(title) == expected
    problems = {(job.run.budget, job.schedule.problems) for study in ("pointers_on", "pointers_drafts", "pointers_few")
                for job in jobs("cpu", study, tuning.POINTED_ON, rung=["ar_trm"])}
    assert ({passes for passes, asked in problems if asked == 200} == {6}
            and {asked for _, asked in problems} == {200, 500})
    _, fourth = gain.contrasts(ends, gain_predictions.FEW_CONTRASTS).itertuples()
    as_many = 100 * curves[(curves["passes"] == 4) & (curves["step"] == 2250)]["accuracy"]
    points = f"{fourth.mean:.1f} points ahead of three ({fourth.low:.1f} to {fourth.high:.1f}, "
    says(f"After 3000 steps four are {points}five seeds) and get everything right; 12 are no better.")
    assert (ends[ends["passes"] == 4]["accuracy"] == 1).all() and (ends[ends["passes"] == 6]["accuracy"] == 1).all()
    says(f"Four passes, as many as lookups, are {points}planned when the three had been seen; with five seeds of five, "
         "and since four get everything right this is what three miss), also at an equal number of executed passes "
         "(post hoc). With three passes accuracy still rose over the last 500 steps.")
    three = curves[(curves["model"] == gain.WHOLE) & (curves["passes"] == 3)].pivot_table("accuracy", "step", "seed")
    assert (three.loc[3000] > three.loc[2500]).all()
    assert fourth.ahead == fourth.seeds == len(as_many) == 5 and 4 * 2250 == 3 * 3000
    assert as_many.min() > 100 * ends[ends["passes"] == 3]["accuracy"].max()


def test_what_flat_models_gain_on_pointers_is_counted_from_the_records(committed):
    """Trained on, on the five fresh seeds."""
    runs = set().union(*(gain.complete(committed, study, tuning.POINTED_ON)[1]
                         for study in ("pointers_on", "pointers_flat")))
    judged = gain.contrasts(gain.at_the_end(gain.trajectories(committed, runs)), gain_predictions.FLAT_ON_CONTRASTS)
    flat, dense = judged.iloc[0], judged.iloc[1]
    says("A flat model may gain too: trained for all 3000 steps, judged on 500 problems and five "
         "fresh seeds, Dense has {:.1f} points more with 12 passes than with three ({:.1f} to {:.1f}; corrected `p` "
         "{:.2f}, so it does not stand).", dense["mean"], dense["low"], dense["high"], dense["corrected"])
    weights = {job.run.budget: job.run.count_parameters()
               for job in jobs("cpu", "pointers_flat", (6,), rung=["dense"])}
    says("But these are also {:.1f} times the weights: Iterative Step, whose weights hardly grow, has {:.1f} points "
         "more ({:.1f} to {:.1f}).", weights[12] / weights[3], flat["mean"], flat["low"], flat["high"])
    assert [dense["contrast"], flat["contrast"]] == [f"{model} (12) − {model} (3)"
                                                     for model in ("Dense", "Iterative Step")]
    assert {job.schedule.problems for job in jobs("cpu", "pointers_flat", (6,))} == {500}
