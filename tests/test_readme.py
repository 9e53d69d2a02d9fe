"""What the README states in numbers is what the code gives."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tarm import LADDER, Architecture, cause, chapters, gain, gain_predictions
from tarm.evaluation import metrics
from tarm.mechanism import mechanism
from tarm.statistics import interval, share_interval
from tarm.store import scores
from tarm.studies import ALL, CURED, FED, LEARNED, SLOWER, jobs, tuning

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(README.split())


@pytest.mark.parametrize("rung", LADDER)
def test_the_ladder_table_holds_the_parameters_of_the_published_size(rung):
    row, = re.findall(rf"^\| \d \| {re.escape(LADDER[rung].name)} \|.*$", README, re.MULTILINE)
    assert row.split("|")[-2].strip() == f"{Architecture(rung=rung).count_parameters():,}"


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_what_the_negative_result_depends_on_is_counted_from_the_records(committed):
    """Copy and reverse together, in the order of the table's rows."""
    outcomes = cause.outcomes(committed)
    outcomes = outcomes[outcomes["rung"] == "ar_trm"]
    shown = re.findall(r"^\| [^|]+ \| (\d+ of \d+ \(.*\)) \|$", README, re.MULTILINE)
    expected = []
    changes = {}, ALL, CURED, {"norm": "reentry", "scale": "unit"}, {"norm": "post"}, {"scale": "unit"}
    for change in changes:
        learned, runs = cause.counted(outcomes[outcomes["change"] == cause.named(change)])
        low, high = share_interval(learned, runs)
        expected.append(f"{learned} of {runs} ({low:.0%} to {high:.0%})".replace("% to", " to").replace("%)", " %)"))
    assert shown == expected and len(expected) == 6
    fresh = cause.outcomes(committed, cause.FRESH)
    assert "Five more seeds, fixed in advance and run after those, gave the same: each row all or none of 10." in TEXT
    assert [cause.counted(fresh[fresh["change"] == cause.named(change)]) for change in changes] == [
        (0, 10), (10, 10), (10, 10), (10, 10), (0, 10), (0, 10)]
    by_seed = outcomes[outcomes["change"].isin([cause.named(ALL), cause.named(CURED), "published"])].groupby(["change", "seed"])["learned"].agg(["min", "max"])
    assert (by_seed["min"] == by_seed["max"]).all() and by_seed.groupby("change").size().tolist() == [10] * 3
    assert "counted by seed that is 0 of 10 (0 to 31 %) and 10 of 10 (69 to 100 %)" in TEXT
    assert [f"{end:.0%}" for n in (0, 10) for end in share_interval(n, 10)] == ["0%", "31%", "69%", "100%"]


def test_what_did_not_mend_it_is_counted_from_the_records(committed):
    """On copy, five runs of each, none of which learned."""
    copied = cause.outcomes(committed)
    copied = copied[(copied["rung"] == "ar_trm") & (copied["task"] == "copy")]
    named = [{"eps": 1e-16}, *({"learning_rate": rate} for rate in (1e-4, 3e-4, 3e-3)), {"training_steps": 3000}, {"window": "4"}, {"window": "6"},
             {"start": "x"}, {"injection": "both"}, {"residual": "1/sqrt"}, {"residual": "1/passes"}, {"supervision": "steps"}]
    assert {cause.counted(copied[copied["change"] == cause.named(change)]) for change in named} == {(0, 5)}
    mean = cause.counted(copied[copied["change"] == cause.named({"readout": "mean"})])
    assert "Reading the mean of all steps mended it slowly, in one run of five." in TEXT and mean == (1, 5)
    six = cause.outcomes(committed).query("rung == 'dual_nested_ut' and change == 'norm=post'")
    assert "learns copy with TRM's norm placement alone (five of five)" in TEXT and cause.counted(six) == (5, 5)
    assert "in five runs of each on copy (which leaves a rate of up to 52 % open)" in TEXT and f"{share_interval(0, 5)[1]:.0%}" == "52%"


def test_what_one_stream_does_is_counted_from_the_records(committed):
    """On copy: the change, the rung, how many of its runs learned; and those that are said to be at chance are."""
    outcomes = cause.outcomes(committed)

    def these(rung, **change):
        return outcomes[(outcomes["rung"] == rung) & (outcomes["task"] == "copy") & (outcomes["change"] == cause.named({"rung": rung} | change))]

    fed, both = {"outer": 1, "inner": 23}, {"norm": "post", "scale": "unit"}
    cut = [these(rung, window="3") for rung in ("iterative", "iterative_step", "dense")] + [these("ar_trm", **fed, window="3")]
    assert [cause.counted(each) for each in cut] == [(0, 5), (0, 5), (5, 5), (0, 5)]
    assert max(each["accuracy"].max() for each in (cut[0], cut[1], cut[3])) < 0.12
    assert [cause.counted(these(rung)) for rung in ("iterative", "iterative_step")] == [(5, 5)] * 2
    assert "are at chance in five runs of five each, and so is a rung 7 that is one stream but for its last pass, in five of five" in TEXT
    assert [cause.counted(these("ar_trm", **fed, **more)) for more in ({}, {"window": "12"}, {"window": "3"} | both)] == [(4, 5), (0, 5), (5, 5)]
    share = mechanism([FED | {"window": "12"}], seeds=(0, 1, 2))["share"].mean()
    assert f"(whole: four of five learn; through twelve passes, {100 * share:.0f} % of its gradient, none of five). Norm and scale mend this one (five of five)" in TEXT
    assert [cause.counted(these("iterative", **more)) for more in (both | {"window": "3"}, both)] == [(0, 3), (3, 3)]
    unit = 100 * these("iterative", window="3", scale="unit")["accuracy"]
    assert "and not Iterative (none of three; whole three of three)" in TEXT and f"unit scale alone brings it to {unit.min():.0f} to {unit.max():.0f} %" in TEXT
    assert "24 blocks are trained learns in five of five." in TEXT


def at_published_size(committed, study, how=("unseen", "greedy"), seeds=(0,), **filters):
    """{run: (characters, whole answers)} of a study at published size, shares at length 10, at the last step."""
    chosen = {job.run.hash: job.run for job in jobs("paper", study, seeds, **filters)}
    found = {}
    for record in committed:
        if record["run"] in chosen:
            score, = (score for score in scores(record) if (score.step, score.length, score.problems, score.decoding)
                      == (len(record["losses"]), 10, *how))
            found[chosen[record["run"]]] = metrics(score)["character"][0], metrics(score)["sequence"][0]
    return found


def test_what_is_said_of_the_papers_width_is_counted_from_the_records(committed):
    """Copy at the paper's width after 500 steps, five seeds."""
    found = at_published_size(committed, "cause", seeds=range(5))
    published = [right for run, (right, _) in found.items() if run.changes.keys() <= {"rung", "task", "precision", "training_steps", "seed"}]
    assert len(found) == 35 and f"it has {100 * min(published):.0f} to {100 * max(published):.0f} % after 500" in TEXT

    def learned(**fields):
        return sum(right >= LEARNED for run, (right, _) in found.items() if all(getattr(run, k) == v for k, v in fields.items()))

    pre, post = {"norm": "pre", "budget": 24}, {"norm": "post"}
    assert [learned(window="all"), learned(**pre, scale="unit"), learned(**post, scale="unit"), learned(budget=3)] == [5] * 4
    assert learned(**post, scale="published") == 4 and learned(eps=1e-16) == 0 and "the norm alone with four of five; AdamW's eps with none" in TEXT


def test_what_is_said_of_sums_at_the_papers_size_is_counted_from_the_records(committed):
    """Of ten digits, seed 0."""
    found = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "headline", task=["addition"]).items()}
    assert len(found) == 8 and max(found["dual_nested_ut", "pre"][0], found["ar_trm", "pre"][0]) < 0.14
    theirs = {run.rung: shares for run, shares in at_published_size(committed, "headline", ("seen", "sampled"), task=["addition"]).items() if run.norm == "pre"}
    characters, sums = ([round(100 * theirs[rung][i]) for rung in ("dense", "iterative", "universal", "dual_ut")] for i in (0, 1))
    assert f"get {min(characters)} to {max(characters)} % of the characters" in TEXT and f"and {min(sums)} to {max(sums)} % of the sums, where" in TEXT
    assert f"Iterative Step gets {theirs['iterative_step'][0]:.0%} and no sum".replace("%", " %") in TEXT and theirs["iterative_step"][1] == 0
    three = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "three_passes").items()}
    whole, = (right for run, (right, _) in at_published_size(committed, "depth", budget=[12], window=["all"], norm=["pre"]).items() if run.rung == "ar_trm")
    assert f"{100 * three['ar_trm', 'pre'][0]:.1f} % of the characters, and at width 192 with its gradient through all of twelve, {100 * whole:.1f}." in TEXT
    sums = [round(100 * shares[1]) for shares in (three["universal", "pre"], found["universal", "pre"], three["dense", "pre"], found["dense", "pre"])]
    assert "({} and {} % of the sums, greedy, unseen), and Dense has {} % of the sums with three blocks and {} with 24.".format(*sums) in TEXT
    peaks = [record["ledger"]["peak_memory"] / 1e9 for record in committed if record["run"] in {run.hash for run in at_published_size(committed, "headline", task=["addition"])}]
    assert 2.5 < max(peaks) < 3.5 and "A run at the paper's size takes about 3 GB there." in TEXT
    half = {(run.rung, run.norm, run.window): right for run, (right, _) in at_published_size(committed, "refinement").items()}
    assert f"norm and scale together got {found['ar_trm', 'post'][0]:.0%} at that width, and {half['ar_trm', 'post', 'cycle']:.0%} at half of it".replace("%", " %") in TEXT


def test_what_is_said_of_the_papers_learning_rate_is_counted_from_the_records(committed):
    """The norm placement alone, its last accuracy on both tasks; the input scale alone, below 12 %; seed 0."""
    runs = {job.run.hash for job in jobs("cpu", "slower") if job.run.learning_rate == 3e-4}
    last = cause.curves(committed, runs).sort_values("step").groupby(["norm", "scale", "task"])["accuracy"].last()
    copy, reverse = (last["post", "published", task] for task in ("copy", "reverse"))
    assert f"got {copy:.1%} of the characters of copy and {reverse:.1%} of reverse".replace("%", " %") in TEXT
    assert last["pre", "unit"].max() < 0.12
    outcomes = cause.outcomes(committed)
    steps = outcomes[outcomes["learned"]].groupby("change")["steps"].max()
    slow = cause.named({"norm": "post", "scale": "unit", **SLOWER})
    fifth = [cause.named({"outer": 1, "steps": 2, "training_steps": 2000} | scale) for scale in ({"scale": "unit"}, {})]
    assert "Both together needed 250 steps." in TEXT and steps[slow] == 250
    assert "two needed 450 (at unit scale) and 1750." in TEXT and [steps[change] for change in fifth] == [450, 1750]
    quarter = [steps[cause.named({"norm": norm, "scale": "unit", **SLOWER})] for norm in ("post", "reentry")]
    assert "two models needed 250 and 450 steps at that rate" in TEXT and quarter == [250, 450]
    pointing = outcomes["change"].isin({cause.name(job.run) for job in jobs("cpu", "small_eps")})
    assert "and none of 20 such runs learned" in TEXT and outcomes[pointing]["learned"].tolist() == [False] * 20
    published = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == "published")]["accuracy"]
    assert "at this width it has 9 to 15 % of the characters of copy and reverse in the end" in TEXT and [round(100 * published.min()), round(100 * published.max())] == [9, 15]
    sums = 100 * chapters.committed("ar_trm", "addition")
    assert f"(of sums of three digits {sums.min():.0f} to {sums.max():.1f} %)" in TEXT


def test_what_is_said_of_gains_is_counted_from_the_records(committed):
    """Dense with three blocks, and the best run of rung 7, on sums of three digits; both seeds."""
    study = {job.run.hash for seed in (0, 1) for job in jobs("cpu", "depth_small", (seed,))}
    ends = gain.at_the_end(gain.trajectories(committed, study))
    dense = ends[(ends["model"] == "Dense") & (ends["passes"] == 3)]["accuracy"]
    best = ends[ends["rung"] == "ar_trm"]["accuracy"].max()
    assert f"got {dense.min():.0%} and {dense.max():.0%} of the characters".replace("% and", " and").replace("% of", " % of") in TEXT
    assert f"more than {best:.0%}".replace("%", " %") in TEXT
    choosing = gain.at_the_end(gain.trajectories(committed, {job.run.hash for job in jobs("cpu", "bare_rate", tuning.VALIDATION, budget=[3], learning_rate=[1e-3])}))
    dense, seven = (choosing[choosing["model"] == model].sort_values("seed")["accuracy"].tolist() for model in ("Dense", gain.WHOLE))
    assert f"Dense had {dense[0]:.0%} and {dense[1]:.0%}, and rung 7 of three passes, all of it trained, {seven[0]:.0%} and {seven[1]:.0%}.".replace("%", "") in TEXT


def test_what_is_said_of_learning_with_few_passes_is_counted_from_the_records(committed):
    """On copy and reverse, median steps of two seeds."""
    for task in ("copy", "reverse"):
        study = {job.run.hash for seed in (0, 1) for job in jobs("cpu", "depth_learned", (seed,), task=[task])}
        runs = gain.until(gain.trajectories(committed, study), LEARNED)
        few = runs["passes"] <= 4
        assert len(runs) == len(study) == 84 and runs[few]["reached"].all() and set(runs[few & (runs["passes"] == 4)]["model"]) == {"Dual UT"}
        steps = runs.assign(steps=runs["training steps"].fillna(math.inf)).groupby(["model", "passes"])["steps"].median().unstack()
        fewest = steps[3].fillna(steps[4])
        alone = pd.Series(steps.index.str.split(", window").str[0], index=steps.index)  # with 3 passes all windows are one
        sooner = alone.map(fewest) - steps[[12, 24]].min(axis=1)
        assert sooner[sooner > 25].index.tolist() == (["cured AR-TRM, window all"] if task == "reverse" else [])
    assert "With 12 or 24 none is sooner in the median by more than one evaluation (25 steps)" in TEXT
    one = "cured AR-TRM, window all"
    assert f"on reverse: {steps.loc[one, 12]:.0f} steps with 12 passes, {fewest['cured AR-TRM']:.0f} with three." in TEXT


def test_what_is_said_of_the_tuned_models_is_counted_from_the_records(committed):
    """The table of means over five seeds; rung 7 and UT at the depths chosen; no gain from more passes."""
    study = {job.run.hash for seed in range(5) for job in jobs("cpu", "tuned", (seed,))}
    ends = gain.at_the_end(gain.trajectories(committed, study, name=gain.wiring))
    assert len(ends) == len(study) == 5 * 32
    cells = ends.assign(passes=ends["passes"].replace(4, 3)).groupby(["model", "passes"])["accuracy"]
    means, through = cells.mean().unstack(), cells.agg(lambda cell: (cell >= gain.THRESHOLD).sum()).unstack()
    names = {LADDER[key].name: LADDER[key].short for key in LADDER} | {
        "Autoregressive TRM, gradient through all passes": gain.WHOLE, "Autoregressive TRM, published window, cured": "AR-TRM", "Dual Nested UT, cured": "Dual Nested UT"}
    rows = {name.strip(): cells for name, *cells in re.findall(r"^\| ([^|]+)" + r" \| (\d+ \(\d\))" * 4 + r" \|$", README, re.MULTILINE)}
    assert {names[name]: shown for name, shown in rows.items()} == {
        model: [f"{100 * mean:.0f} ({n})" for mean, n in zip(means.loc[model], through.loc[model])] for model in means.index}
    apart = 100 * gain.paired(ends, (gain.WHOLE, tuning.DEPTH[gain.WHOLE]), ("UT", tuning.DEPTH["UT"]))
    assert (tuning.DEPTH[gain.WHOLE], tuning.DEPTH["UT"]) == (12, 6)
    low, high = interval(apart.tolist())
    assert f"rung 7 with its whole gradient is {-apart.mean():.0f} points behind (95 % interval {-high:.0f} to {-low:.0f}, too narrow" in TEXT
    assert all((gain.paired(ends, (gain.WHOLE, 24), (model, 24)) > 0).all() for model in ("Iterative", "Iterative Step"))
    more = means[[6, 12, 24]].sub(means[3], axis=0)
    assert more[[12, 24]].max(axis=None) < 0.02 and more[6].drop("Dual UT").max() < 0.02 and round(100 * more.loc["Dual UT", 6]) == 5


def test_what_is_said_of_rung_7_beside_dual_ut_is_counted_from_the_records(committed):
    """Seeds 0 to 4, then 5 to 9; all with 12 passes but for UT, which has the 6 chosen for it."""
    tuned = {job.run.hash for seed in range(10) for job in jobs("cpu", "tuned", (seed,), budget=[6, 12])}
    runs = {job.run.hash for study, seeds in {"between": range(5), "confirm": tuning.CONFIRMED, "settle": tuning.SETTLED}.items() for job in jobs("cpu", study, seeds)}
    ends = gain.at_the_end(gain.trajectories(committed, tuned | runs))
    text = TEXT

    def behind(one, other, seeds, passes=12):
        points = (-100 * gain.paired(ends[ends["seed"].isin(seeds)], (one, 12), (other, passes))).tolist()
        return sum(points) / len(points), *interval(points), sum(point > 0 for point in points)

    fresh = behind(gain.WHOLE, "UT", range(5, 10), 6)
    assert f"with five further seeds it is {fresh[0]:.0f} behind ({fresh[1]:.0f} to {fresh[2]:.0f}, with four of five)" in text and fresh[3] == 4
    mean, low, high, ahead = behind(gain.WHOLE, "UT", range(10), 6)
    assert f"and with all ten {mean:.0f} ({low:.0f} to {high:.0f})" in text and ahead == 9
    mean, low, high, ahead = behind(gain.WHOLE, "Dual UT", range(20))
    assert f"behind it with sixteen of twenty seeds, by {mean:.0f} points ({low:.0f} to {high:.0f}); " in text and ahead == 16
    mean, low, high, _ = behind(gain.WHOLE, "Dual UT", range(5, 20))
    assert f"behind Dual UT (rung 5) by {mean:.0f} points over fifteen seeds ({low:.0f} to {high:.0f}; the five in which we first saw the difference are not among them)" in text
    assert f"Without the five that raised the question it is {mean:.0f} ({low:.0f} to {high:.0f})" in text
    first, _, _, ahead = behind(gain.WHOLE, "Dual UT", range(10))
    mean, low, high, last = behind(gain.WHOLE, "Dual UT", tuning.SETTLED)
    assert f"with each of the first ten, by {first:.0f}, and with six of the last ten, which were fixed afterwards, by {mean:.0f} ({low:.0f} to {high:.0f})" in text
    assert (ahead, last) == (10, 6)
    (before, *_), (mean, low, high, _) = (behind(gain.WHOLE, gain.ONE_UPDATE, seeds) for seeds in (range(10), tuning.SETTLED))
    assert f"was {before:.0f} points ahead of rung 7 with two over ten seeds, half of which it was picked by, and {mean:.0f} with the last ten ({low:.0f} to {high:.0f})" in text
    first, _, _, ahead = behind(gain.WHOLE, gain.UNNESTED, range(5))
    assert f"the model without nesting was {first:.0f} points ahead of the nested one, with each seed; with five further seeds {-behind(gain.WHOLE, gain.UNNESTED, range(5, 10))[0]:.0f} behind" in text and ahead == 5
    cut = ends[ends["model"].isin([model for model, fields in tuning.BETWEEN.items() if "norm" in fields])]["accuracy"]
    most = 100 * cut.sort_values()[:-1]
    assert len(cut) == 20 and f"it stayed at {most.min():.0f} to {most.max():.0f} %, in 19 of 20 runs" in text


def test_what_is_said_of_three_passes_is_counted_from_the_records(committed):
    """Rung 7 with its whole gradient, with 12 and with three, with seeds 5 to 19; and beside the others with three (Dual UT: four), seeds 0 to 4."""
    runs = {job.run.hash for study, seeds in {"tuned": range(20), "confirm": tuning.CONFIRMED, "settle": tuning.SETTLED}.items() for job in jobs("cpu", study, seeds)}
    ends = gain.at_the_end(gain.trajectories(committed, runs, name=gain.wiring))
    text, further = TEXT, ends[ends["seed"] > 4]
    points = (-100 * gain.paired(further, (gain.WHOLE, 12), (gain.WHOLE, 3))).tolist()
    low, high = interval(points)
    assert len(points) == 15 and f"is {sum(points) / 15:.0f} point behind over fifteen seeds ({low:.0f} to {high:.0f})" in text
    deep, shallow = (100 * further[(further["model"] == gain.WHOLE) & (further["passes"] == passes)]["accuracy"].mean() for passes in (12, 3))
    assert f"{deep:.0f} % with 12, {shallow:.0f} with three, and seed by seed {sum(points) / 15:.0f} point behind ({low:.0f} to {high:.0f})" in text
    behind = {model: int((gain.paired(ends[ends["seed"] < 5], (gain.WHOLE, 3), (model, 4 if model == "Dual UT" else 3)) < 0).sum()) for model in gain.FLAT}
    assert behind == {"UT": 5, "Dense": 5, "Iterative": 5, "Iterative Step": 4, "Dual UT": 4}
    assert "with three passes each it is behind UT, Dense and Iterative with each seed, behind Iterative Step and Dual UT with four." in text
    most = {}
    for model in gain.FLAT:
        for passes in (12, 24):
            ends_of_five = ends[ends["seed"] < 5]
            most[model, passes] = 100 * interval(gain.paired(ends_of_five, (model, passes), (model, 4 if model == "Dual UT" else 3)).tolist())[1]
    assert text.count("leave up to 24 points open") == 2 and round(max(most.values())) == 24
    few = ends[(ends["seed"] < 5) & (ends["passes"] == 3)].groupby("model")["accuracy"].mean()
    assert "three have 92 % and more with three passes" in text and (few.sort_values()[-3:].round(2) >= 0.92).all() and few.sort_values().iloc[-4] < 0.9
    ut = ends[(ends["seed"] < 5) & (ends["model"] == "UT")]
    ran = (ut["executed passes"] / ut["step"]).groupby(ut["passes"]).mean()
    assert f"UT executes {ran[6]:.1f} of 6, {ran[12]:.0f} of 12 and {ran[24]:.0f} of 24" in text


def test_what_is_said_of_pointers_is_counted_from_the_records(committed):
    """The five judged seeds, with 12 passes and with three."""
    whole, all_of_it = [gain.WHOLE, gain.NESTED], f"{gain.CURED}, window all"
    (seeds, runs), (fewer, few) = (gain.complete(committed, "pointers", tuning.POINTED, budget=budget) for budget in ([12], [3, 4]))
    assert seeds == fewer == [1, 2, 3, 4, 5] and "with its whole gradient, it learns with each of five seeds" in TEXT
    both = gain.at_the_end(gain.trajectories(committed, runs | few))
    both["passes"] = both["passes"].replace(4, 3)
    ends, least = both[both["passes"] == 12], both[both["passes"] == 3]
    assert "get 99 % of the characters with each seed (runs end" in TEXT and ends[ends["model"].isin([*whole, all_of_it])]["accuracy"].min() >= LEARNED
    judged = gain.contrasts(ends, dict.fromkeys(set(ends["model"]), 12), gain_predictions.POINTERS_CONTRASTS)
    stepwise, stands = judged.loc[1], judged.drop(1)
    assert "Iterative Step" in stepwise["contrast"] and (stands["ahead"] == 5).all() and (stands["corrected"] < 0.05).all() and stepwise["corrected"] > 0.05
    assert f"with each seed, by {stands['mean'].min():.0f} to {stands['mean'].max():.0f} points (the intervals from {stands['low'].min():.0f} to {stands['high'].max():.0f})" in TEXT
    three = stands[stands["contrast"].str.contains("− (?:Dense|UT|Dual UT) ")]["mean"]
    gap = f"{stepwise['mean']:.1f} ({stepwise['low']:.1f} to {stepwise['high']:.1f})"
    assert f"of Dense, UT and Dual UT by {three.min():.0f} to {three.max():.0f} points, and not apart from Iterative Step ({gap.replace(' (', ' ahead, ')}" in TEXT and len(three) == 3
    cell = 100 * ends[ends["model"] == "Iterative Step"]["accuracy"]
    assert f"Iterative Step, which gets {cell.min():.0f} to {cell.max():.0f} %, by {gap}" in TEXT
    shallow = 100 * least.groupby("model")["accuracy"].agg(["min", "max"])
    assert f"rungs 6 and 7 get {shallow.loc[whole, 'min'].min():.1f} % and more with each seed as well" in TEXT
    assert f"where no flat model gets more than {shallow.loc[list(gain.FLAT), 'max'].max():.1f} (looked up" in TEXT
    spent = both[both["model"].isin(whole)].groupby(["passes", "model"])[["step", "training FLOP"]].median()
    times = (spent.loc[3] / spent.loc[12]).round(2)
    assert "in 1.7 times the training steps and 0.43 of the compute" in TEXT and times["step"].round(1).eq(1.7).all() and times["training FLOP"].between(0.42, 0.43).all()
    for model, words in ("Iterative Step", "Iterative Step {:.0f} ({:.0f} to {:.0f}), which does not stand"), ("Dense", "Dense gains {:.1f} points by 12 in place of three ({:.1f} to {:.1f};"), ("UT", "UT two at most ({1:.0f} to {2:.0f})"):
        points = (100 * gain.paired(both, (model, 12), (model, 3))).tolist()
        assert words.format(sum(points) / 5, *interval(points)) in TEXT and (model == "UT" or min(points) > 0)
    for model in "UT", "Dual UT", "Iterative":
        low, high = interval((100 * gain.paired(both, (model, 12), (model, 3))).tolist())
        assert low < 0 < high


def test_who_leads_on_sums_is_counted_from_the_records(committed):
    """Each model with what the choosing seeds preferred."""
    ends = gain.at_the_end(gain.trajectories(committed, gain.complete(committed, "tuned", range(5))[1]))
    own = {model: next(name for name in set(ends["model"]) if name in (model, f"cured {model}")) for model in tuning.DEPTH}
    mean = {model: round(100 * ends[(ends["model"] == own[model]) & (ends["passes"] == passes)]["accuracy"].mean()) for model, passes in tuning.DEPTH.items()}
    behind = {model: (100 * gain.paired(ends, ("UT", tuning.DEPTH["UT"]), (own[model], passes))).tolist() for model, passes in tuning.DEPTH.items() if model != "UT"}
    assert "UT with six passes and Iterative with three have 93 %" in TEXT and mean["UT"] == mean["Iterative"] == 93 and (tuning.DEPTH["UT"], tuning.DEPTH["Iterative"]) == (6, 3)
    assert "(Dense has 95 with three, looked up)" in TEXT and round(100 * ends[(ends["model"] == "Dense") & (ends["passes"] == 3)]["accuracy"].mean()) == 95
    fresh = gain.at_the_end(gain.trajectories(committed, {job.run.hash for study in ("tuned", "confirm") for job in jobs("cpu", study, tuning.CONFIRMED)}))
    points = (100 * gain.paired(fresh, ("UT", 6), (gain.WHOLE, 12))).tolist()
    low, high = interval(points)
    assert f"was {sum(points) / 5:.0f} behind, {low:.0f} to {high:.0f})" in TEXT and len(points) == 5
    near, far = ["Dense", "Dual UT", "Iterative Step"], ["Dual Nested UT", "AR-TRM", gain.WHOLE]
    spans = {model: interval(points) for model, points in behind.items()}
    assert "Iterative Step, with 83, are not apart from UT (-10 to 29 points behind it)" in TEXT and {mean[model] for model in near} == {83}
    assert (round(min(spans[model][0] for model in near)), round(max(spans[model][1] for model in near))) == (-10, 29)
    gaps = [sum(behind[model]) / 5 for model in far]
    words = f"are {min(gaps):.0f} to {max(gaps):.0f} behind ({min(spans[model][0] for model in far):.0f} to {max(spans[model][1] for model in far):.0f};"
    assert words in TEXT and min(min(behind[model]) for model in far) > 0


def test_it_says_that_nothing_was_run_as_long_as_the_table_does():
    row, = re.findall(r"^\| all \|(.*)\|$", README, re.MULTILINE)
    *_, not_run, numbers = map(int, row.split("|"))
    assert ("None has been run yet" in TEXT) == ("none of its numbers has been run again yet" in TEXT) == (not_run == numbers)


def test_one_version_is_named_everywhere():
    named = [re.search(rf'^{key} *[=:] *"?([\d.]+)"?$', (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]
             for name, key in (("pyproject.toml", "version"), ("CITATION.cff", "version"), ("tarm/__init__.py", "__version__"))]
    assert len(set(named)) == 1
