"""What the README states in numbers is what the code gives."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tarm import LADDER, Architecture, cause, chapters, gain, gain_predictions
from tarm.evaluation import metrics
from tarm.mechanism import mechanism
from tarm.reported import CHARACTERS
from tarm.statistics import interval, share_interval
from tarm.store import scores
from tarm.studies import ALL, CURED, FED, LEARNED, SLOWER, jobs, tuning
from tarm.tasks import TASKS
from tarm.verdict import compare

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
    headings = ["#" + re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^##+ (.+)$", README, re.MULTILINE)]
    assert [link for link in links if link not in headings and not (PROJECT / link).exists()] == []


def table(first):
    """The header and the rows of the one table whose header begins with this cell, each a list of cells."""
    found, = re.findall(rf"^(\| {re.escape(first)} \|.*\n)\|[-| ]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in "".join(found).splitlines()]


def span(points, digits=0):
    """Their mean, and its 95 % interval: "13 (3 to 22)"."""
    points = list(points)
    return re.sub(r"-(0(?:\.0)?)(?![.\d])", r"\1", f"{{:.{digits}f}} ({{:.{digits}f}} to {{:.{digits}f}})".format(sum(points) / len(points), *interval(points)))


def from_to(accuracies):
    low, high = (f"{100 * accuracies.agg(end):.0f}" for end in ("min", "max"))
    return low if low == high else f"{low} to {high}"


def test_how_the_two_sizes_differ_is_what_the_profiles_say():
    small, large = ([jobs(profile, "main", rung=["dense"], task=[task])[0].run for task in ("copy", "addition")] for profile in ("cpu", "paper"))
    columns = [[f"{run.width}, {run.heads}", f"{run.batch}, {run.learning_rate:g}, {run.dropout:g}", f"{run.length}, {run.training_steps}", f"{sums.length}, {sums.training_steps}"]
               for run, sums in (small, large)]
    columns[0][2] += f" ({jobs('cpu', 'cross')[0].run.training_steps} where the cause is asked for)"
    names = "width, heads", "batch, learning rate, dropout", "copy and reverse: digits, training steps", "addition: digits, training steps"
    assert table("setting") == [["setting", "small runs (profile `cpu`)", "the paper (profile `paper`)"], *map(list, zip(names, *columns))]


def test_what_the_negative_result_depends_on_is_counted_from_the_records(committed):
    """By seed: with each, copy and reverse agree. In the order of the table's rows."""
    changes = {}, ALL, CURED, {"norm": "reentry", "scale": "unit"}, {"norm": "post"}, {"scale": "unit"}
    expected = []
    for seeds in cause.SEEDS, cause.FRESH:
        outcomes = cause.outcomes(committed, seeds)
        outcomes = outcomes[(outcomes["rung"] == "ar_trm") & outcomes["change"].isin([cause.named(change) for change in changes])]
        by_seed = outcomes.groupby(["change", "seed"])["learned"].agg(["min", "max", "size"])
        assert (by_seed["min"] == by_seed["max"]).all() and (by_seed["size"] == 2).all()
        expected.append([(by_seed["min"][cause.named(change)].sum(), len(by_seed.loc[cause.named(change)])) for change in changes])
    ends = [share_interval(learned, seeds) for learned, seeds in expected[0]]
    (_, *rows), begins = table("the Autoregressive TRM, and what is changed"), ("as published:", "gradient through all", "TRM's norm placement (", "another norm", "TRM's norm placement alone", "unit scale alone")
    assert [row[1] for row in rows] == [f"{learned} of {seeds} ({100 * low:.0f} to {100 * high:.0f} %)" for (learned, seeds), (low, high) in zip(expected[0], ends)]
    assert all(row[0].startswith(begin) for row, begin in zip(rows, begins, strict=True))
    assert "Five more seeds, fixed in advance and run after those, gave the same: each row all or none of 5." in TEXT
    assert expected[1] == [(learned // 2, 5) for learned, _ in expected[0]]


def test_what_did_not_mend_it_is_counted_from_the_records(committed):
    """On copy, five runs of each, none of which learned."""
    copied = cause.outcomes(committed)
    copied = copied[copied["task"] == "copy"]

    def these(**change):
        return copied[(copied["rung"] == change.get("rung", "ar_trm")) & (copied["change"] == cause.named(change))]

    named = [{"eps": 1e-16}, *({"learning_rate": rate} for rate in (1e-4, 3e-4, 3e-3)), {"training_steps": 3000}, {"window": "4"}, {"window": "6"},
             {"start": "x"}, {"injection": "both"}, {"residual": "1/sqrt"}, {"residual": "1/passes"}, {"supervision": "steps"}]
    assert {cause.counted(these(**change)) for change in named} == {(0, 5)} and these(supervision="steps")["accuracy"].max().round(2) == 0.98
    assert "a loss at every step (one run got to 98 %). Reading the mean of all steps mended one run of five." in TEXT and cause.counted(these(readout="mean")) == (1, 5)
    assert "learns copy with TRM's norm placement alone in five of five, with unit scale alone in two." in TEXT
    assert [cause.counted(these(rung="dual_nested_ut", **change)) for change in ({"norm": "post"}, {"scale": "unit"})] == [(5, 5), (2, 5)]
    assert "five runs of each on copy, of which none learned (which leaves a rate of up to 52 % open)" in TEXT and f"{share_interval(0, 5)[1]:.0%}" == "52%"


def test_what_one_stream_does_is_counted_from_the_records(committed):
    """On copy: how many runs learned, where they stand that did not, and what of the gradient norm and scale leave in the window."""
    outcomes = cause.outcomes(committed)

    def counted(rung, change):
        these = outcomes[(outcomes["rung"] == rung) & (outcomes["task"] == "copy") & (outcomes["change"] == cause.named({"rung": rung} | change))]
        return "{} of {}".format(*cause.counted(these)) if len(these) else "–", these["accuracy"]

    def kept(change):
        return f"{100 * mechanism([change], seeds=(0, 1, 2))['share'].mean():.0f} %"

    fed, unit, both = {"outer": 1, "inner": 23}, {"scale": "unit"}, {"norm": "post", "scale": "unit"}
    models = {"Iterative": ("iterative", {}), "Iterative Step": ("iterative_step", {}), "rung 7 with H = 1, L = 23: one stream but for its last pass": ("ar_trm", fed),
              "Dense, the control: last 3 of 24 blocks": ("dense", {})}
    cut = {"window": "3"}
    expected = [["copy", "whole gradient", "cut: last 3 of 24 passes", "cut, unit scale", "cut, norm and unit scale"]]
    for name, (rung, own) in models.items():
        row = [counted(rung, own | change) for change in ({}, cut, cut | unit, cut | both)]
        shown = [count for count, _ in row]
        if len(row[2][1]):
            shown[2] += f"; end at {from_to(row[2][1])} %"
            shown[3] += f" ({kept({'rung': rung} | own | cut | both)}{'' if expected[1:] else ' of the gradient'} kept)"
        expected.append([name, *shown])
    assert table("copy") == expected
    assert "Not cut, Iterative with norm and unit scale learned in 3 of 3." in TEXT and counted("iterative", both)[0] == "3 of 3"
    assert f"trained, {kept(FED | {'window': '12'})} of its gradient, learned in none of five." in TEXT and counted("ar_trm", fed | {"window": "12"})[0] == "0 of 5"


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
    changes = {"as published": {}, "AdamW's eps 1e-16": {"eps": 1e-16}, "TRM's norm placement alone": {"norm": "post"}, "unit scale alone": {"scale": "unit"},
               "TRM's norm placement and unit scale": {"norm": "post", "scale": "unit"}, "gradient through all 24 passes": {"window": "all"}, "three passes in place of 24": {"budget": 3}}
    expected = [["copy at width 384", "runs that learned", "characters right, %"]]
    for name, change in changes.items():
        fields = {"eps": 1e-8, "norm": "pre", "scale": "published", "window": "cycle", "budget": 24} | change
        right = pd.Series([right for run, (right, _) in found.items() if all(getattr(run, name) == value for name, value in fields.items())])
        expected.append([name, f"{(right >= LEARNED).sum()} of {len(right)}", from_to(right)])
    assert table("copy at width 384") == expected and len(found) == 35
    assert f"On copy the published model has {expected[1][2]} % after 500 of the 5000 steps (five seeds)." in TEXT


def test_what_is_said_of_sums_at_the_papers_size_is_counted_from_the_records(committed):
    """Of ten digits, seed 0."""
    found = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "headline", task=["addition"]).items()}
    guess, cut = TASKS["addition"].chance(10).mean().item(), ("dual_nested_ut", "ar_trm")
    assert len(found) == 8 and all(abs(found[rung, "pre"][0] - guess) < 0.01 for rung in cut)
    theirs = {run.rung: shares for run, shares in at_published_size(committed, "headline", ("seen", "sampled"), task=["addition"]).items() if run.norm == "pre"}
    characters = [round(100 * theirs[rung][0]) for rung in ("dense", "iterative", "universal", "dual_ut")]
    assert f"Dense, Iterative, UT and Dual UT get {min(characters)} to {max(characters)} % of the characters." in TEXT
    above = [100 * theirs[rung][0] - CHARACTERS[rung][0] for rung in ("dense", "iterative", "iterative_step", "universal", "dual_ut")]
    assert f"So evaluated the other five rungs end {min(above):.1f} to {max(above):.1f} points above the paper" in TEXT
    assert "within two points of its numbers" in TEXT and all(abs(100 * theirs[rung][0] - CHARACTERS[rung][0]) < 2 for rung in cut)
    three = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "three_passes").items()}
    whole, truncated = (right for window in ("all", "cycle") for run, (right, _) in at_published_size(committed, "depth", budget=[12], window=[window], norm=["pre"]).items() if run.rung == "ar_trm")
    assert f"{100 * three['ar_trm', 'pre'][0]:.1f} % of the characters, and at width 192 with its gradient through all of twelve {100 * whole:.1f}, where the published window leaves it at {100 * truncated:.0f}." in TEXT
    sums = [round(100 * shares[1]) for shares in (three["universal", "pre"], found["universal", "pre"], three["dense", "pre"], found["dense", "pre"])]
    assert "({} and {} % of the sums, greedy, unseen), and Dense has {} % of the sums with three blocks and {} with 24.".format(*sums) in TEXT
    peaks = [record["ledger"]["peak_memory"] / 1e9 for record in committed if record["run"] in {run.hash for run in at_published_size(committed, "headline", task=["addition"])}]
    assert 2.5 < max(peaks) < 3.5 and "A run at the paper's size takes about 3 GB there." in TEXT
    half = {(run.rung, run.norm, run.window): right for run, (right, _) in at_published_size(committed, "refinement").items()}
    assert f"norm and scale together got {found['ar_trm', 'post'][0]:.0%} at that width, and {half['ar_trm', 'post', 'cycle']:.0%} at half of it".replace("%", " %") in TEXT


def test_what_is_said_of_the_papers_learning_rate_is_counted_from_the_records(committed):
    """The share of the gradient in the window, fresh, and when each task was learned, or the last accuracy; seed 0."""
    outcomes = cause.outcomes(committed)
    first = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["seed"] == 0)].set_index(["change", "task"])
    two, slow = {"outer": 1, "steps": 2, "training_steps": 2000}, ", rate 0.0003"
    changes = {f"the other norm and unit scale{slow}": {"norm": "reentry", "scale": "unit"} | SLOWER, f"TRM's norm placement and unit scale{slow}": {"norm": "post", "scale": "unit"} | SLOWER,
               "two cycles, unit scale, rate 0.001": two | {"scale": "unit"}, "two cycles, rate 0.001": two, f"TRM's norm placement alone{slow}": {"norm": "post"} | SLOWER,
               f"the other norm alone{slow}": {"norm": "reentry"} | SLOWER, f"unit scale alone{slow}": {"scale": "unit"} | SLOWER, f"as published{slow}": SLOWER}
    fresh = mechanism(list(changes.values())).set_index("change")
    expected = [["one seed", "passes", "gradient kept", "copy", "reverse"]]
    for name, change in changes.items():
        row, share = cause.named(change), fresh["share"][cause.named(change)]
        shown = [first.loc[row, task] if (row, task) in first.index else None for task in ("copy", "reverse")]
        expected.append([name, str(fresh["passes"][row]), f"{share:.2f}" if share >= 0.095 else f"{share:.3f}" if share > 0.01 else f"{share:.6f}",
                         *("–" if one is None else str(one["steps"]) if one["learned"] else f"has {100 * one['accuracy']:.1f} %" for one in shown)])
    assert table("one seed") == expected
    pointing = [{"scale": "unit"}, {"scale": "input"}, {"residual": "1/sqrt"}, {"residual": "1/passes"}]
    names = [cause.named(change | {"eps": 1e-16}) for change in pointing]
    assert "(cosine 0.97 or more:" in TEXT and mechanism(pointing, seeds=(0, 1, 2)).groupby("change")["cosine"].mean().min() > 0.97
    assert "none of 20 such runs learned" in TEXT and outcomes[outcomes["change"].isin(names)]["learned"].tolist() == [False] * 20
    published = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == "published")]["accuracy"]
    assert f"at width 64 it has {from_to(published)} % of the characters of copy and reverse in the end" in TEXT
    sums = 100 * chapters.committed("ar_trm", "addition")
    assert f"of sums of three digits {sums.min():.0f} to {sums.max():.1f} % (chance {100 * TASKS['addition'].chance(3).mean():.0f} %)" in TEXT


def test_what_is_said_of_depth_is_counted_from_the_records(committed):
    """Sums of three digits under the bare recipe: the named comparisons with seeds 3 to 7, what was looked up with 0 to 4."""
    seeds, study = gain.complete(committed, "depth_small", range(5))
    ends = gain.at_the_end(gain.trajectories(committed, study))
    further = {job.run.hash for seed in range(3, 8) for job in jobs("cpu", "depth_small", (seed,))}
    judged = gain.contrasts(gain.at_the_end(gain.trajectories(committed, further)), gain_predictions.DEPTH_CONTRASTS)
    names = {gain.CURED: "cured rung 7", f"{gain.CURED}, window all": "cured rung 7, gradient through all passes", "AR-TRM": "rung 7 as published"}
    shown = [" − ".join(f"{names.get(model, model)} ({passes})" for model, passes in pair) for pair in gain_predictions.DEPTH_CONTRASTS]
    assert table("`A − B` on sums") == [["`A − B` on sums", "points", "`p`"]] + [
        [name, f"{row.mean:.0f} ({row.low:.0f} to {row.high:.0f})", f"{row.corrected:.1g}"] for name, row in zip(shown, judged.itertuples())]
    assert set(judged["seeds"]) == {5} and seeds == list(range(5))
    cells = ends.groupby(["model", "passes"])["accuracy"]
    assert f"up to {100 * cells.agg(lambda cell: cell.max() - cell.min()).max():.0f} points apart there" in TEXT
    through = cells.agg(lambda cell: (cell >= gain.THRESHOLD).sum())
    assert set(through[through == 3].index) == {("Dense", 3), ("Iterative", 3), ("UT", 3), ("Dense", 12), ("UT", 24)} and through.max() == 3
    assert "Dense, Iterative and UT with three passes each had 75 % of the characters right in three of five runs, and so had Dense with 12 and UT with 24;" in TEXT
    seven = ends[ends["rung"].isin(["ar_trm", "dual_nested_ut"])]
    there, deep = seven["accuracy"] >= gain.THRESHOLD, seven["passes"] >= 12
    assert (there & deep).sum() == 0 and f"none of {deep.sum()} runs did with 12 or 24 passes, and three of {(~deep).sum()} with three or six (of seeds 5 to 7 one more)." in TEXT and there.sum() == 3
    later = gain.at_the_end(gain.trajectories(committed, further)).query("seed > 4")
    assert later[later["rung"].eq("ar_trm") & (later["accuracy"] >= gain.THRESHOLD)][["model", "passes"]].values.tolist() == [[f"{gain.CURED}, window all", 6]]
    depths = gain.at_other_depths(committed, study).groupby(["model", "trained", "passes"])["accuracy"].mean()
    assert "gains half a point" in TEXT and max(accuracy - depths[model, trained, trained] for (model, trained, passes), accuracy in depths.items() if passes > trained) < 0.005


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


@pytest.fixture(scope="module")
def tuned(committed):
    """The last evaluations of what ran under the usual recipe on sums, every seed."""
    runs = {job.run.hash for study, seeds in {"tuned": range(20), "between": range(5), "confirm": tuning.CONFIRMED, "settle": tuning.SETTLED}.items() for job in jobs("cpu", study, seeds)}
    return gain.at_the_end(gain.trajectories(committed, runs))


def apart(ends, one, other, seeds):
    """Points by which the cell `one` is ahead of the cell `other`, with these seeds, each of which must be there."""
    points = 100 * gain.paired(ends[ends["seed"].isin(seeds)], one, other)
    assert sorted(points.index) == list(seeds)
    return points.tolist()


def test_what_is_said_of_the_tuned_models_is_counted_from_the_records(committed):
    """The table of means over five seeds; no gain from more passes; what is said of three and of 24."""
    study = {job.run.hash for seed in range(5) for job in jobs("cpu", "tuned", (seed,))}
    ends = gain.at_the_end(gain.trajectories(committed, study, name=gain.wiring))
    assert len(ends) == len(study) == 5 * 32
    ends["passes"] = ends["passes"].replace(4, 3)
    cells = ends.groupby(["model", "passes"])["accuracy"]
    means, through = cells.mean().unstack(), cells.agg(lambda cell: (cell >= gain.THRESHOLD).sum()).unstack()
    names = {LADDER[key].name: LADDER[key].short for key in LADDER} | {
        "Autoregressive TRM, gradient through all passes": gain.WHOLE, "Autoregressive TRM, published window, cured": "AR-TRM", "Dual Nested UT, cured": "Dual Nested UT"}
    header, *rows = table("characters right, %")
    assert header[1:] == ["3 (Dual UT: 4)", "6", "12", "24"] and {names[name]: shown for name, *shown in rows} == {
        model: [f"{100 * mean:.0f} ({n})" for mean, n in zip(means.loc[model], through.loc[model])] for model in means.index}
    more = means[[6, 12, 24]].sub(means[3], axis=0)
    assert "no model is more than two points better with 12 or 24 than with its fewest; Dual UT with 6 is five above its 4." in TEXT
    assert more[[12, 24]].max(axis=None) < 0.02 and more[6].drop("Dual UT").max() < 0.02 and round(100 * more.loc["Dual UT", 6]) == 5
    high = [interval(apart(ends, (model, passes), (model, 3), range(5)))[1] for model in means.index if model != gain.WHOLE for passes in (12, 24)]
    assert TEXT.count("leave up to 24 points open") == 2 and round(max(high)) == 24
    assert "three of them have 92 % and more with three passes" in TEXT and (means[3].round(2) >= 0.92).sum() == 3
    behind = {model: sum(point < 0 for point in apart(ends, (gain.WHOLE, 3), (model, 3), range(5))) for model in gain.FLAT}
    assert behind == {"UT": 5, "Dense": 5, "Iterative": 5, "Iterative Step": 4, "Dual UT": 4} and "is behind UT, Dense and Iterative with each of five seeds, behind Iterative Step and Dual UT with four; with 24," in TEXT
    assert "it is ahead of Iterative and Iterative Step with each, which" in TEXT and all(min(apart(ends, (gain.WHOLE, 24), (model, 24), range(5))) > 0 for model in ("Iterative", "Iterative Step"))
    ut = ends[ends["model"] == "UT"]
    ran = (ut["executed passes"] / ut["step"]).groupby(ut["passes"]).mean()
    assert f"UT executes {ran[6]:.1f} of 6, {ran[12]:.0f} of 12 and {ran[24]:.0f} of 24" in TEXT


def test_what_is_said_of_rung_7_with_more_seeds_is_counted_from_the_records(tuned):
    """Its differences to itself with three passes, to Dual UT and to UT; then to its variants."""
    seeds = {"seeds 0 to 4": range(5), "5 to 9": range(5, 10), "10 to 19": range(10, 20), "5 and up": range(5, 20), "all": range(20)}
    ten = {"seeds 0 to 4": range(5), "5 to 9": range(5, 10), "5 and up": range(5, 10), "all": range(10)}  # UT has no more
    rows = {"12 passes − 3 passes": ((gain.WHOLE, 3), seeds), "12 passes − Dual UT, 12 passes": (("Dual UT", 12), seeds),
            "12 passes − UT, 6 passes, each with what was chosen for it": (("UT", 6), ten)}
    shown = {name: {span_of: apart(tuned, (gain.WHOLE, 12), other, these) for span_of, these in chosen.items()} for name, (other, chosen) in rows.items()}
    title = "`A − B`, rung 7 with its whole gradient"
    assert table(title) == [[title, *seeds]] + [[name, *(span(points[which]) if which in points else "–" for which in seeds)] for name, points in shown.items()]
    assert (tuning.DEPTH[gain.WHOLE], tuning.DEPTH["UT"]) == (12, 6)
    itself, dual, _ = shown.values()
    means = [100 * tuned[tuned["seed"].isin(these) & (tuned["model"] == gain.WHOLE) & (tuned["passes"] == passes)]["accuracy"].mean() for these in (range(5, 20), range(5)) for passes in (12, 3)]
    assert "It has {:.0f} % with 12 passes and {:.0f} with three over seeds 5 to 19, where seeds 0 to 4 had {:.0f} and {:.0f}.".format(*means) in TEXT
    assert "has {:.0f} % of the characters with 12 passes and {:.0f} with three, 12 − 3: {} point (fifteen seeds, 95 % interval {})".format(
        *means[:2], *span(itself["5 and up"]).rstrip(")").split(" (")) in TEXT
    back = [-point for point in dual["5 and up"]], [-point for point in dual["10 to 19"]]
    assert f"it is behind Dual UT (rung 5) by {span(back[0]).replace(' (', ' points over fifteen seeds (').rstrip(')')}; {span(back[1]).replace(' (', ', ').rstrip(')')}, over the ten that were fixed last)" in TEXT
    assert "Behind Dual UT it is with sixteen of twenty seeds." in TEXT and sum(point < 0 for point in dual["all"]) == 16
    first, then = (apart(tuned, (gain.UNNESTED, 12), (gain.WHOLE, 12), these) for these in (range(5), range(5, 10)))
    assert f"rung 7 without nesting was {sum(first) / 5:.0f} points ahead of the nested one with seeds 0 to 4 and {-sum(then) / 5:.0f} behind with five further seeds" in TEXT
    first, then = (apart(tuned, (gain.ONE_UPDATE, 12), (gain.WHOLE, 12), these) for these in (range(10), range(10, 20)))
    assert f"it was {sum(first) / 10:.0f} ahead of rung 7 with two over ten seeds, half of which it was picked by, and {span(then).replace(' (', ' with the last ten (')}." in TEXT
    cut = 100 * tuned[tuned["model"].isin([model for model, fields in tuning.BETWEEN.items() if "norm" in fields])]["accuracy"].sort_values()
    assert len(cut) == 20 and f"it stayed at {cut.iloc[0]:.0f} to {cut.iloc[-2]:.0f} % in 19 of 20 runs (the other got {cut.iloc[-1]:.0f})" in TEXT


def test_what_is_said_of_pointers_is_counted_from_the_records(committed):
    """The five judged seeds, with 12 passes and with three."""
    whole, all_of_it = [gain.WHOLE, gain.NESTED], f"{gain.CURED}, window all"
    (seeds, runs), (fewer, few) = (gain.complete(committed, "pointers", tuning.POINTED, budget=budget) for budget in ([12], [3, 4]))
    assert seeds == fewer == [1, 2, 3, 4, 5]
    both = gain.at_the_end(gain.trajectories(committed, runs | few))
    both["passes"] = both["passes"].replace(4, 3)
    ends, least = both[both["passes"] == 12], both[both["passes"] == 3]
    assert "and cured rung 7 with its, get 99 % of the characters with each seed; a run ends" in TEXT and ends[ends["model"].isin([*whole, all_of_it])]["accuracy"].min() >= LEARNED
    judged = gain.contrasts(ends, gain_predictions.POINTERS_CONTRASTS, dict.fromkeys(set(ends["model"]), 12))
    names = {gain.UNNESTED: "itself without nesting (H = L = 1)", gain.CURED: "cured, under the published window"}
    assert table("rung 7 with its whole gradient −") == [["rung 7 with its whole gradient −", "points", "`p`"]] + [
        [names.get(other, other), span(apart(ends, (gain.WHOLE, 12), (other, 12), seeds), 1), f"{p:.1g}"] for (_, other), p in zip(gain_predictions.POINTERS_CONTRASTS, judged["corrected"])]
    assert f"From Iterative Step, which gets {from_to(ends[ends['model'] == 'Iterative Step']['accuracy'])} % itself, it is not apart." in TEXT and judged["corrected"][1] > 0.05
    three = judged[judged["contrast"].str.contains("− (?:Dense|UT|Dual UT) ")]["mean"]
    assert f"ahead of Dense, UT and Dual UT by {three.min():.0f} to {three.max():.0f} points, and not apart from Iterative Step" in TEXT and len(three) == 3
    shallow = 100 * least.groupby("model")["accuracy"].agg(["min", "max"])
    fewest = f"{shallow.loc[whole, 'min'].min():.1f}"
    assert f"rungs 6 and 7 get {fewest} % and more with each seed as well" in TEXT and f"it gets {fewest} % and more as well" in TEXT
    assert f"where no flat model gets more than {shallow.loc[list(gain.FLAT), 'max'].max():.1f} (looked up)" in TEXT
    spent = both[both["model"].isin(whole)].groupby(["passes", "model"])[["step", "training FLOP"]].median()
    times = (spent.loc[3] / spent.loc[12]).round(2)
    assert "in 1.7 times the training steps and 0.43 of the compute" in TEXT and times["step"].round(1).eq(1.7).all() and times["training FLOP"].between(0.42, 0.43).all()
    dense, stepwise = (span(apart(both, (model, 12), (model, 3), seeds), 1) for model in ("Dense", "Iterative Step"))
    assert f"More passes gained Dense {dense.replace('(', 'points (12 − 3: ')} and Iterative Step {stepwise}, the second of which" in TEXT
    for model in "UT", "Dual UT", "Iterative":
        low, high = interval(apart(both, (model, 12), (model, 3), seeds))
        assert low < 0 < high


def test_who_leads_on_sums_is_counted_from_the_records(committed):
    """Each model with what the choosing seeds preferred; the first on top."""
    ends = gain.at_the_end(gain.trajectories(committed, gain.complete(committed, "tuned", range(5))[1]))
    cells = [(next(name for name in set(ends["model"]) if name in (model, f"cured {model}")), passes) for model, passes in tuning.DEPTH.items()]
    mean = {cell: 100 * ends[(ends["model"] == cell[0]) & (ends["passes"] == cell[1])]["accuracy"].mean() for cell in cells}
    full = {rung.short: rung.name for rung in LADDER.values()}
    names = {f"cured {short}": f"{full[short]}, {'published window, ' if short == 'AR-TRM' else ''}cured" for short in ("Dual Nested UT", "AR-TRM")} | {gain.WHOLE: f"{full['AR-TRM']}, gradient through all passes"}
    assert table("model, passes") == [["model, passes", "mean, %", "UT − model"]] + [
        [f"{names.get(model, full.get(model))}, {passes}", f"{mean[model, passes]:.0f}", "" if model == "UT" else span(apart(ends, ("UT", tuning.DEPTH["UT"]), (model, passes), range(5)))]
        for model, passes in sorted(cells, key=lambda cell: -mean[cell])]
    assert "(Dense has 95 with three passes, looked up.)" in TEXT and round(100 * ends[(ends["model"] == "Dense") & (ends["passes"] == 3)]["accuracy"].mean()) == 95


def test_it_says_how_much_of_the_paper_was_run(committed):
    """No verdict so far, and one seed of each; when there are more, the sentence has to go."""
    compared = compare(committed)
    run = compared[compared["seeds"] > 0]
    assert set(compared["verdict"]) == {"seen 1 time", "not run"} and set(run["seeds"]) == {1}
    assert f'No published number has a verdict yet: of {len(compared)}, {len(run)} have been run with one seed ("seen 1 time", whatever came out) and {len(compared) - len(run)} not at all;' in TEXT


def test_one_version_is_named_everywhere():
    named = [re.search(rf'^{key} *[=:] *"?([\d.]+)"?$', (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]
             for name, key in (("pyproject.toml", "version"), ("CITATION.cff", "version"), ("tarm/__init__.py", "__version__"))]
    assert len(set(named)) == 1
