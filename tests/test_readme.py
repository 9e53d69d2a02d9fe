"""What the README states in numbers is what the code gives."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from tarm import LADDER, Architecture, cause, chapters, gain, gain_predictions
from tarm.evaluation import curve, metrics
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


def test_what_it_depends_on_less_is_counted_from_the_records(committed):
    """On copy, five runs of each, none of which learned."""
    copied = cause.outcomes(committed)
    copied = copied[copied["task"] == "copy"]

    def these(**change):
        return copied[(copied["rung"] == change.get("rung", "ar_trm")) & (copied["change"] == cause.named(change))]

    named = [{"eps": 1e-16}, *({"learning_rate": rate} for rate in (1e-4, 3e-4, 3e-3)), {"training_steps": 3000}, {"window": "4"},
             {"window": "6"}, {"start": "x"}, {"injection": "both"}, {"residual": "1/sqrt"}, {"residual": "1/passes"},
             {"supervision": "steps"}]
    assert {cause.counted(these(**change)) for change in named} == {(0, 5)}
    assert "Five runs each on copy, 600 steps, none of which learned (which leaves a rate of up to 52 % open)" in TEXT
    assert f"{share_interval(0, 5)[1]:.0%}" == "52%" and these(supervision="steps")["accuracy"].max().round(2) == 0.98
    assert "a loss at every step (one run got to 98 %); nor with 3000 steps. Reading the mean of all steps mended one run of five." in TEXT
    assert cause.counted(these(readout="mean")) == (1, 5)


def test_what_one_stream_does_is_counted_from_the_records(committed):
    """On copy: how many runs learned, and what of the gradient norm and scale leave in the window."""
    outcomes = cause.outcomes(committed)
    fed, cut, both = {"outer": 1, "inner": 23}, {"window": "3"}, {"norm": "post", "scale": "unit"}

    def counted(rung, **change):
        return cause.counted(outcomes[(outcomes["rung"] == rung) & (outcomes["task"] == "copy")
                                      & (outcomes["change"] == cause.named({"rung": rung} | change))])

    def kept(*changes):
        return [f"{100 * mechanism([change], seeds=(0, 1, 2))['share'].mean():.0f} %" for change in changes]

    one_stream = [("iterative", {}), ("iterative_step", {}), ("ar_trm", fed)]
    whole, truncated = ([sum(counts) for counts in zip(*(counted(rung, **own | window) for rung, own in one_stream))] for window in ({}, cut))
    assert (whole, truncated) == ([14, 15], [0, 15])
    assert "learned copy in 14 of 15 runs with their whole gradient, and in none of 15 when it is cut to the last three passes." in TEXT
    assert counted("ar_trm", **fed | cut | both) == (5, 5) and counted("iterative", **cut | both) == (0, 3)
    assert "five of five, where they leave {} of the gradient, and not Iterative, where they leave {} (three seeds).".format(
        *kept(FED | cut | both, {"rung": "iterative"} | cut | both)) in TEXT
    scaled = outcomes[(outcomes["rung"] == "iterative") & (outcomes["change"] == cause.named({"rung": "iterative", "scale": "unit"} | cut))]
    assert len(scaled) == 3 and "(three seeds). Yet unit scale alone leaves it {} and brings it to {} %:".format(
        *kept({"rung": "iterative", "scale": "unit"} | cut), from_to(scaled["accuracy"])) in TEXT
    assert "Dense learns either way." in TEXT and counted("dense") == counted("dense", **cut) == (5, 5)
    half, cured = kept(FED | {"window": "12"}, CURED)
    assert f"trained rung 7 keeps {half} and learned with none of five seeds; cured it keeps a quarter." in TEXT and cured in ("24 %", "25 %", "26 %")
    assert counted("ar_trm", **fed | {"window": "12"}) == (0, 5)


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
    assert "unit scale with five seeds of five, the norm with four." in TEXT


def test_what_is_said_of_sums_at_the_papers_size_is_counted_from_the_records(committed):
    """Of ten digits, seed 0."""
    found = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "headline", task=["addition"]).items()}
    guess, cut = TASKS["addition"].chance(10).mean().item(), ("dual_nested_ut", "ar_trm")
    assert len(found) == 8 and all(abs(found[rung, "pre"][0] - guess) < 0.01 for rung in cut)
    theirs = {run.rung: shares for run, shares in at_published_size(committed, "headline", ("seen", "sampled"), task=["addition"]).items() if run.norm == "pre"}
    above = [100 * theirs[rung][0] - CHARACTERS[rung][0] for rung in ("dense", "iterative", "iterative_step", "universal", "dual_ut")]
    assert f"and the five others {min(above):.1f} to {max(above):.1f} points above the paper's numbers" in TEXT
    three = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "three_passes").items()}
    assert f"rung 7 gets {100 * three['ar_trm', 'pre'][0]:.1f} % of the characters of these sums too." in TEXT
    assert "behind the published block, {:.0f} % against {:.1f}, and at half the width ahead, ".format(100 * three["ar_trm", "post"][0], 100 * three["ar_trm", "pre"][0]) in TEXT
    assert f"({100 * found['ar_trm', 'post'][0]:.0f} % of the characters, one seed)" in TEXT
    sums = [round(100 * shares[1]) for shares in (three["universal", "pre"], found["universal", "pre"], three["dense", "pre"], found["dense", "pre"])]
    assert "({} and {} % of the sums, greedy, unseen), and Dense has {} % of the sums with three blocks and {} with 24.".format(*sums) in TEXT
    peaks = [record["ledger"]["peak_memory"] / 1e9 for record in committed if record["run"] in {run.hash for run in at_published_size(committed, "headline", task=["addition"])}]
    assert 2.5 < max(peaks) < 3.5 and "A run at the paper's size takes about 3 GB there." in TEXT
    half = {(run.rung, run.norm, run.window): right for run, (right, _) in at_published_size(committed, "refinement").items()}
    twelve = {(run.norm, run.window): right for run, (right, _) in at_published_size(committed, "depth", budget=[12]).items()}
    shallow, cured = (at_published_size(committed, "depth", budget=[3], rung=["ar_trm"], norm=[norm]) for norm in ("pre", "post"))
    shallow, cured = (100 * right for (right, _), in (shallow.values(), cured.values()))
    assert "At half that width, with 12 passes, it is what the published block lacked: {:.1f} % of the characters of ten-digit sums, against {:.0f}, and against {:.0f} with three passes (one seed;".format(
        100 * twelve["pre", "all"], 100 * twelve["pre", "cycle"], shallow) in TEXT
    deep = jobs("paper", "depth", budget=[12], rung=["ar_trm"], norm=["pre"], window=["all"])[0].run
    early, = (curve(scores(record), 10)[deep.training_steps * 3 // 12] for record in committed if record["run"] == deep.hash)
    assert f"and at half the width ahead, {cured:.0f} against {shallow:.0f}." in TEXT
    assert (f"as one run of each suggests for the published block ({100 * twelve['pre', 'all']:.1f} % against {shallow:.0f} after as many steps, "
            f"though {100 * early:.0f} against {shallow:.0f} after as many passes; width 192) "
            f"and not for the cured one ({100 * twelve['post', 'all']:.0f} against {cured:.0f}), or only learn sooner;") in TEXT
    assert "at half the width {:.0f} % with 24 passes and {:.0f} with 12, where the published block with its whole gradient has {:.1f} (one seed each).".format(
        100 * half["ar_trm", "post", "all"], 100 * twelve["post", "all"], 100 * twelve["pre", "all"]) in TEXT
    assert f"(looked up; at the paper's size Iterative of 24 has {found['iterative', 'pre'][0]:.0%} of the characters".replace("%", " %") in TEXT
    assert f"norm and scale together got {found['ar_trm', 'post'][0]:.0%} at that width, and {half['ar_trm', 'post', 'cycle']:.0%} at half of it".replace("%", " %") in TEXT


def test_what_is_said_of_the_published_model_is_counted_from_the_records(committed):
    outcomes = cause.outcomes(committed)
    published = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == "published")]["accuracy"]
    assert f"at width 64 it has {from_to(published)} % of the characters of copy and reverse in the end" in TEXT
    slow = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == cause.named(SLOWER | {"norm": "post"}))]
    assert "it learned copy with two seeds of five and reverse with three, and had 92 % and more with the others." in TEXT
    assert slow.groupby("task")["learned"].agg(["sum", "size"]).T.to_dict("list") == {"copy": [2, 5], "reverse": [3, 5]}
    assert slow["accuracy"].min() > 0.92
    assert f"in 2000 steps the norm alone gets {from_to(slow['accuracy'])} % of the characters in ten runs of ten)" in TEXT and len(slow) == 10
    still = [outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == cause.named(SLOWER | change))]["accuracy"] for change in ({}, {"scale": "unit"})]
    assert "(Unit scale alone and the published model ended below 14 %, one seed.)" in TEXT and [len(each) for each in still] == [2, 2]
    assert max(each.max() for each in still) < 0.14
    wide = [outcomes[outcomes["change"] == cause.name(job.run)].iloc[0] for job in jobs("cpu", "widths", scale=["unit"])]
    assert [(one["learned"], one["steps"]) for one in wide] == [(False, 1000), (True, 350), (True, 250)]
    narrow, = (curve(scores(record), 10) for record in committed if record["run"] == jobs("cpu", "widths", scale=["unit"])[0].run.hash)
    assert max(narrow.values()) == narrow[700]
    assert (f"at widths 192 and 256 (350 and 250 steps at the paper's rate), and at 128 had {100 * narrow[700]:.0f} % after 700 "
            f"and {100 * narrow[1000]:.0f} in the end (1000; one seed each;") in TEXT
    norm = [outcomes[outcomes["change"] == cause.name(job.run)].iloc[0] for job in jobs("cpu", "widths", norm=["post"])]
    assert all(one["learned"] for one in norm) and sorted(one["steps"] for one in norm) == [150, 750, 1000]
    assert "(1000; one seed each; with the norm alone they learned at all three, after 150 to 1000 steps)" in TEXT
    sums = 100 * chapters.committed("ar_trm", "addition")
    assert f"of sums of three digits {sums.min():.0f} to {sums.max():.1f} % (chance {100 * TASKS['addition'].chance(3).mean():.0f} %)" in TEXT


def test_what_is_said_of_depth_is_counted_from_the_records(committed):
    """Sums of three digits under the bare recipe: the named comparisons with seeds 3 to 7, the rest with 0 to 4."""
    seeds, study = gain.complete(committed, "depth_small", range(5))
    ends = gain.at_the_end(gain.trajectories(committed, study))
    further = {job.run.hash for seed in range(3, 8) for job in jobs("cpu", "depth_small", (seed,))}
    judged = gain.contrasts(gain.at_the_end(gain.trajectories(committed, further)), gain_predictions.DEPTH_CONTRASTS)
    stood = judged[judged["corrected"] < 0.05]
    assert len(judged) == 6 and set(judged["seeds"]) == {5} and seeds == list(range(5))
    assert gain_predictions.DEPTH_CONTRASTS[stood.index.item()] == ((gain.CURED, 24), ("AR-TRM", 24))
    one, = stood.itertuples()
    assert f"is {one.mean:.0f} points ahead of rung 7 as published ({one.low:.0f} to {one.high:.0f}, corrected `p` {one.corrected:.1g})." in TEXT
    cells = ends.groupby(["model", "passes"])["accuracy"]
    assert f"up to {100 * cells.agg(lambda cell: cell.max() - cell.min()).max():.0f} points apart" in TEXT
    depths = gain.at_other_depths(committed, study).groupby(["model", "trained", "passes"])["accuracy"].mean()
    assert "No model, run with more passes than it was trained with, gains half a point in the mean of its seeds." in TEXT
    assert max(accuracy - depths[model, trained, trained] for (model, trained, passes), accuracy in depths.items() if passes > trained) < 0.005


def test_rung_6_learned_reverse_once_in_twice_the_steps(committed):
    study = {job.run.hash for job in jobs("cpu", "depth_learned", range(5), rung=["dual_nested_ut"], task=["reverse"], budget=[24])}
    ends = gain.at_the_end(gain.trajectories(committed, study))["accuracy"]
    assert f"with 600 the former had {ends.max():.0%} on reverse with one seed of five.".replace("%", " %") in TEXT
    assert len(ends) == 5 and (ends > 0.25).sum() == 1 and ends.max() < LEARNED
    short = [chapters.committed(rung, task).max() for rung in ("dual_nested_ut", "ar_trm") for task in ("copy", "reverse")]
    assert "(below 25 % in every run; chance is 10 %)" in TEXT and max(short) < 0.25


def test_every_model_learns_copy_and_reverse_with_three_passes(committed):
    study = {job.run.hash for job in jobs("cpu", "depth_learned", (0, 1), budget=[3, 4])}
    runs = gain.until(gain.trajectories(committed, study), LEARNED)
    assert len(runs) == len(study) and runs["reached"].all() and set(runs[runs["passes"] == 4]["model"]) == {"Dual UT"}
    assert "Copy and reverse every model learns with three passes (Dual UT: four; two seeds), rung 7 as published among them." in TEXT
    assert "AR-TRM" in set(runs["model"])


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
    """The table of means over seeds 0 to 4; no gain from more passes; what is said of 24."""
    study = {job.run.hash for seed in range(5) for job in jobs("cpu", "tuned", (seed,))}
    ends = gain.at_the_end(gain.trajectories(committed, study, name=gain.wiring))
    ends["passes"] = ends["passes"].replace(4, 3)
    cells = ends.groupby(["model", "passes"])["accuracy"]
    means, shown = cells.mean().unstack(), cells.agg(lambda cell: f"{100 * cell.mean():.0f} ({(cell >= gain.THRESHOLD).sum()})").unstack()
    assert (cells.size() == 5).all() and ends["accuracy"].max() < LEARNED and "no run has 99 %):" in TEXT
    names = {LADDER[key].name: LADDER[key].short for key in LADDER} | {
        "Autoregressive TRM, gradient through all passes": gain.WHOLE, "Autoregressive TRM, published window, cured": "AR-TRM",
        "Dual Nested UT, cured": "Dual Nested UT"}
    header, *rows = table("characters right, %")
    assert header[1:] == ["3 (Dual UT: 4)", "6", "12", "24"]
    assert {names[name]: row for name, *row in rows} == {model: shown.loc[model].tolist() for model in means.index}
    assert "in the mean no model is more than two points better with 12 or 24 than with its fewest (Dual UT with 6 five points)." in TEXT
    more = means.sub(means[3], axis=0)
    assert more[[12, 24]].max(axis=None) < 0.02 and round(100 * more.loc["Dual UT", 6]) == 5
    high = {(model, passes): interval(apart(ends, (model, passes), (model, 3), range(5)))[1]
            for model in means.index if model != gain.WHOLE for passes in (12, 24)}
    worst = max(high, key=high.get)
    assert f"a gain of up to {high[worst]:.0f} points for one of them, Dual UT;" in TEXT and worst[0] == "Dual UT"
    assert "three of the others have 92 % or more with three passes" in TEXT and (means[3].round(2) >= 0.92).sum() == 3
    ahead = {model: min(apart(ends, (gain.WHOLE, 24), (model, 24), range(5))) > 0 for model in gain.FLAT}
    assert "rung 7 with its whole gradient is ahead of Iterative and Iterative Step, which did not bear that many in 800 steps" in TEXT and "and of no other flat model." in TEXT
    assert {model for model in ahead if ahead[model]} == {"Iterative", "Iterative Step"}
    assert all(means.loc[model, 24] > means.loc[gain.WHOLE, 24] for model in ahead if not ahead[model])
    ut = ends[ends["model"] == "UT"]
    ran = (ut["executed passes"] / ut["step"]).groupby(ut["passes"]).mean()
    ledgers = {record["run"]: record["ledger"] for record in committed}
    read = ut["run"].map(lambda run: ledgers[run]["weighted_passes"]).groupby(ut["passes"]).mean()
    assert (f"UT executes {ran[6]:.1f} of 6, {ran[12]:.0f} of 12 and {ran[24]:.0f} of 24, and reads the first {read[6]:.0f}, "
            f"{read[12]:.0f} and {read[24]:.0f} of them, on average;") in TEXT


def test_what_is_said_of_rung_7_with_more_seeds_is_counted_from_the_records(tuned, committed):
    """Its differences to itself with three passes, to Dual UT and to UT."""
    seeds = {"seeds 0 to 4": range(5), "5 and up": range(5, 20), "all": range(20)}
    ten = {"seeds 0 to 4": range(5), "5 and up": range(5, 10), "all": range(10)}  # UT has no more
    rows = {"12 passes − 3 passes": ((gain.WHOLE, 3), seeds), "12 passes − Dual UT, 12 passes": (("Dual UT", 12), seeds),
            "12 passes − UT, 6 passes, each with what was chosen for it": (("UT", 6), ten)}
    points = {name: {which: apart(tuned, (gain.WHOLE, 12), other, these) for which, these in chosen.items()} for name, (other, chosen) in rows.items()}
    title = "`A − B`, rung 7 with its whole gradient"
    assert table(title) == [[title, *seeds, "in all"]] + [
        [name, *map(span, found.values()), f"{len(found['all'])} seeds"] for name, found in points.items()]
    assert (tuning.DEPTH[gain.WHOLE], tuning.DEPTH["UT"]) == (12, 6)
    itself, dual, universal = (found["all"] for found in points.values())
    behind, ends_of_it = span(itself).lstrip("-").rstrip(")").split(" (")
    assert f"with 12 it ends {behind} points behind itself with three (twenty seeds; 12 − 3 has the 95 % interval {ends_of_it};" in TEXT
    assert sum(itself) < 0
    mine = tuned[(tuned["model"] == gain.WHOLE) & (tuned["seed"] < 20)]
    by_passes = 100 * mine.groupby("passes")["accuracy"].mean()
    assert f"over all of which it has {by_passes[3]:.0f} % with three passes and {by_passes[12]:.0f} with 12:" in TEXT
    assert mine["accuracy"].max() < LEARNED and "sums of three digits, which it does not learn within 800 steps," in TEXT
    last = apart(tuned, (gain.WHOLE, 12), ("Dual UT", 12), range(10, 20))
    words = [part for values in (universal, universal[5:], dual[5:], last) for part in span([-point for point in values]).rstrip(")").split(" (")]
    assert ("it is behind UT of six, by {0} points (ten seeds, {1}; the five fresh ones alone leave it open, {3}), and behind Dual UT of 12, "
            "by {4} (the fifteen seeds that had not suggested it, {5}; the last ten alone leave it open, {7}).").format(*words) in TEXT
    ended = {record["run"]: record["finished"] for record in committed}
    fresh = tuned[tuned["seed"].between(5, 9)]
    mine, theirs = (fresh[(fresh["model"] == model) & (fresh["passes"] == passes)]["run"].map(ended)
                    for model, passes in ((gain.WHOLE, 12), ("UT", 6)))
    assert len(mine) == len(theirs) == 5 and mine.max() < theirs.min()
    assert "and UT run with five more when rung 7's were known: -36 (-40 to -31) became -13." in TEXT
    assert [span(values) for values in (universal[:5], universal[5:])] == ["-36 (-40 to -31)", "-13 (-34 to 8)"]


def test_what_is_said_of_pointers_is_counted_from_the_records(committed):
    """The five judged seeds, with 12 passes and with three."""
    whole, all_of_it = [gain.WHOLE, gain.NESTED], f"{gain.CURED}, window all"
    (seeds, runs), (fewer, few) = (gain.complete(committed, "pointers", tuning.POINTED, budget=budget) for budget in ([12], [3, 4]))
    assert seeds == fewer == [1, 2, 3, 4, 5]
    both = gain.at_the_end(gain.trajectories(committed, runs | few))
    both["passes"] = both["passes"].replace(4, 3)
    ends, least = both[both["passes"] == 12], both[both["passes"] == 3]
    assert "It learns with each seed, as do rung 6 and cured rung 7 with their whole gradient." in TEXT
    iterative = 100 * ends[ends["model"] == "Iterative"]["accuracy"].mean()
    assert f"(Iterative, not among the six, has {iterative:.0f} % in the mean. Of eight predictions on these runs five held;" in TEXT
    outcome = gain_predictions.against_predictions(
        gain_predictions.Tables(both, gain.ranking(gain.trajectories(committed, runs), LEARNED), gain.at_other_depths(committed, runs)),
        gain_predictions.POINTERS_PREDICTIONS).set_index("prediction")["held"]
    assert outcome.value_counts().to_dict() == {True: 5, False: 3}
    assert not outcome["and with 12 passes ten points or more above itself with 3"]
    assert ends[ends["model"].isin([*whole, all_of_it])]["accuracy"].min() >= LEARNED
    judged = gain.contrasts(ends, gain_predictions.POINTERS_CONTRASTS, dict.fromkeys(set(ends["model"]), 12))
    names = {gain.UNNESTED: "itself without nesting (H = L = 1)", gain.CURED: "cured, under the published window"}
    title = "rung 7 with its whole gradient −"
    assert table(title) == [[title, "points", "`p`"]] + [
        [names.get(other, other), span(apart(ends, (gain.WHOLE, 12), (other, 12), seeds), 1), f"{p:.1g}"]
        for (_, other), p in zip(gain_predictions.POINTERS_CONTRASTS, judged["corrected"])]
    worst = ends[ends["model"] == gain.WHOLE]["accuracy"].min()
    best = ends[ends["model"].isin([other for _, other in gain_predictions.POINTERS_CONTRASTS])].groupby("model")["accuracy"].max()
    assert "Its worst run is above the best of each but Iterative Step:" in TEXT and len(best) == 6 and best[best >= worst].index.tolist() == ["Iterative Step"]
    exact = 2 / math.comb(10, 5)  # of all ways to rank five runs and five, those in which the two do not mix
    assert f"without assuming bell curves `p` is {exact:.1g} for each of the five, {6 * exact:.1g} times six." in TEXT
    step = from_to(ends[ends["model"] == "Iterative Step"]["accuracy"])
    assert f"From Iterative Step, which gets {step} % itself, it is not apart;" in TEXT and judged["corrected"][1] > 0.05
    ledgers = {record["run"]: record["ledger"] for record in committed}
    weighted = [ledgers[run]["weighted_passes"] for run in ends[ends["model"].isin(["UT", "Dual UT"])]["run"]]
    assert "UT and Dual UT give all weight to their first three or four passes, on average." in TEXT and max(weighted) < 4
    three = judged[judged["contrast"].str.contains("− (?:Dense|UT|Dual UT) ")]["mean"]
    assert f"it learns, and is {three.min():.0f} to {three.max():.0f} points ahead of Dense, UT and Dual UT and not apart from Iterative Step." in TEXT
    shallow = 100 * least.groupby("model")["accuracy"].agg(["min", "max"])
    assert "rungs 6 and 7 have {:.1f} % and more with each seed as well, where no flat model has more than {:.1f} (looked up)".format(
        shallow.loc[whole, "min"].min(), shallow.loc[list(gain.FLAT), "max"].max()) in TEXT


def test_what_more_passes_do_on_pointers_is_counted_from_the_records(committed):
    """Five fresh seeds of rung 7, trained for all of its steps."""
    found = [gain.complete(committed, study, tuning.POINTED_ON) for study in ("pointers_on", "pointers_drafts")]
    assert all(seeds == list(tuning.POINTED_ON) for seeds, _ in found)
    runs = found[0][1] | found[1][1]
    curves, walks = gain.trajectories(committed, runs), gain.by_quarter(committed, runs)
    ends = gain.at_the_end(curves)
    four = walks[(walks["trained"] == walks["passes"]) & (walks["quarter"] == 1)].groupby(["model", "passes"])["accuracy"].mean()
    cells = {"3 passes: `z` twice, `y` once": (gain.WHOLE, 3), "6 passes: two cycles, `y` written and improved": (gain.WHOLE, 6),
             "6 passes: one cycle, `z` five times, `y` once": (gain_predictions.ONE_DRAFT, 6),
             "12 passes: two steps of two cycles": (gain.WHOLE, 12)}
    title = "rung 7 with its whole gradient, for 3000 steps"
    assert 100 * ends[ends["passes"] == 12]["accuracy"].min() > 99.9 and "of 12, which make next to no error." in TEXT
    three = walks[(walks["trained"] == 3) & (walks["passes"] == 3) & (walks["quarter"] > 1)]
    assert three.groupby("quarter")["accuracy"].mean().min() > 0.999
    expected = [[title, "characters right, %", "of those four lookups away, %"]]
    for name, cell in cells.items():
        right = 100 * ends[(ends["model"] == cell[0]) & (ends["passes"] == cell[1])]["accuracy"]
        assert len(right) == 5
        ends_at = dict.fromkeys(f"{end:.1f}" for end in (right.min(), right.max()))
        expected.append([name, " to ".join(ends_at), f"{100 * four[cell]:.1f}"])
    assert table(title) == expected
    deep, = gain.contrasts(ends, [gain_predictions.ON_CONTRAST]).itertuples()
    points = f"{deep.mean:.1f} ({deep.low:.1f} to {deep.high:.1f}, `p` {deep.p:.1g})"
    assert f"12 passes are ahead of three with each seed, by {points.replace(' (', ' points (')}, nearly all of it on the characters that take four lookups:" in TEXT and deep.ahead == deep.seeds == 5
    assert f"three passes get it within {deep.mean:.1f} points ({deep.low:.1f} to {deep.high:.1f}; named, five fresh seeds) of 12" in TEXT
    one_step = gain.at_other_depths(committed, runs).query("trained == 12").pivot(index="seed", columns="passes", values="accuracy")
    assert "run with one of its two steps the model of 12 loses nothing." in TEXT
    assert one_step[6].tolist() == one_step[12].tolist() and one_step.index.tolist() == list(tuning.POINTED_ON)
    steps = gain.until(curves, LEARNED).set_index(["model", "passes", "seed"])["training steps"].sort_index()
    later = (steps[gain.WHOLE, 6] - steps[gain_predictions.ONE_DRAFT, 6]).tolist()
    assert f"(two cycles take {span(later).replace(' (', ' steps more, ')}." in TEXT


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
