"""What the README states about the ladder and its failure is what the code and the records give."""

import re

import pandas as pd
import pytest
from readme import PROJECT, README, at_published_size, from_to, says, table

from tarm import LADDER, Architecture, cause, chapters
from tarm.evaluation import curve
from tarm.mechanism import mechanism
from tarm.reported import CHARACTERS
from tarm.statistics import share_interval
from tarm.store import scores
from tarm.studies import ALL, CURED, FED, LEARNED, SLOWER, jobs
from tarm.tasks import TASKS
from tarm.verdict import compare


@pytest.mark.parametrize("rung", LADDER)
def test_the_ladder_table_holds_the_parameters_of_the_published_size(rung):
    row, = re.findall(rf"^\| \d \| {re.escape(LADDER[rung].name)} \|.*$", README, re.MULTILINE)
    assert row.split("|")[-2].strip() == f"{Architecture(rung=rung).count_parameters():,}"


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert len(links) > 5
    headings = [
        "#" + re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^##+ (.+)$", README, re.MULTILINE)
    ]
    assert [link for link in links if link not in headings and not (PROJECT / link).exists()] == []


def test_how_the_two_sizes_differ_is_what_the_profiles_say():
    small, large = (
        [jobs(profile, "main", rung=["dense"], task=[task])[0].run for task in ("copy", "addition")]
        for profile in ("cpu", "paper")
    )
    columns = [
        [
            f"{run.width}, {run.heads}",
            f"{run.batch}, {run.learning_rate:g}, {run.dropout:g}",
            f"{run.length}, {run.training_steps}",
            f"{sums.length}, {sums.training_steps}",
        ]
        for run, sums in (small, large)
    ]
    columns[0][2] += f" ({jobs('cpu', 'cross')[0].run.training_steps} where the cause is asked for)"
    names = (
        "width, heads",
        "batch, learning rate, dropout",
        "copy and reverse: digits, training steps",
        "addition: digits, training steps",
    )
    assert table("setting") == [
        ["setting", "small runs (profile `cpu`)", "the paper (profile `paper`)"],
        *map(list, zip(names, *columns)),
    ]


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
    (_, *rows), begins = (
        table("the Autoregressive TRM, and what is changed"),
        (
            "as published:",
            "gradient through all",
            "TRM's norm placement (",
            "another norm",
            "TRM's norm placement alone",
            "unit scale alone",
        ),
    )
    assert [row[1] for row in rows] == [
        f"{learned} of {seeds} ({100 * low:.0f} to {100 * high:.0f} %)"
        for (learned, seeds), (low, high) in zip(expected[0], ends)
    ]
    assert all(row[0].startswith(begin) for row, begin in zip(rows, begins, strict=True))
    says("Five more seeds, fixed in advance and run after those, gave the same: each row all or none of 5.")
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
    says("Five runs each on copy, 600 steps, none of which learned (which leaves a rate of up to 52 % open)")
    assert f"{share_interval(0, 5)[1]:.0%}" == "52%" and these(supervision="steps")["accuracy"].max().round(2) == 0.98
    says("a loss at every step (one run got to 98 %); nor with 3000 steps. Reading the mean of all steps mended one run of five.")
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
    whole, truncated = (
        [sum(counts) for counts in zip(*(counted(rung, **own | window) for rung, own in one_stream))] for window in ({}, cut)
    )
    assert (whole, truncated) == ([14, 15], [0, 15])
    says("learned copy in 14 of 15 runs with their whole gradient, and in none of 15 when it is cut to the last three passes.")
    assert counted("ar_trm", **fed | cut | both) == (5, 5) and counted("iterative", **cut | both) == (0, 3)
    says("five of five, where they leave {} of the gradient, and not Iterative, where they leave {} (three seeds).",
         *kept(FED | cut | both, {"rung": "iterative"} | cut | both))
    scaled = outcomes[
        (outcomes["rung"] == "iterative") & (outcomes["change"] == cause.named({"rung": "iterative", "scale": "unit"} | cut))
    ]
    says("(three seeds). Yet unit scale alone, which leaves Iterative {}, brings it to {} %;",
         *kept({"rung": "iterative", "scale": "unit"} | cut), from_to(scaled["accuracy"]))
    assert len(scaled) == 3
    says("Dense learns either way.")
    assert counted("dense") == counted("dense", **cut) == (5, 5)
    half, cured = kept(FED | {"window": "12"}, CURED)
    says(f"trained rung 7 keeps {half} and learned with none of five seeds; cured it keeps a quarter.")
    assert cured in ("24 %", "25 %", "26 %")
    assert counted("ar_trm", **fed | {"window": "12"}) == (0, 5)


def test_what_is_said_of_the_papers_width_is_counted_from_the_records(committed):
    """Copy at the paper's width after 500 steps, five seeds."""
    found = at_published_size(committed, "cause", seeds=range(5))
    changes = {
        "as published": {},
        "AdamW's eps 1e-16": {"eps": 1e-16},
        "TRM's norm placement alone": {"norm": "post"},
        "unit scale alone": {"scale": "unit"},
        "TRM's norm placement and unit scale": {"norm": "post", "scale": "unit"},
        "gradient through all 24 passes": {"window": "all"},
        "three passes in place of 24": {"budget": 3},
    }
    expected = [["copy at width 384", "runs that learned", "characters right, %"]]
    for name, change in changes.items():
        fields = {"eps": 1e-8, "norm": "pre", "scale": "published", "window": "cycle", "budget": 24} | change
        right = pd.Series(
            [right for run, (right, _) in found.items() if all(getattr(run, name) == value for name, value in fields.items())]
        )
        expected.append([name, f"{(right >= LEARNED).sum()} of {len(right)}", from_to(right)])
    assert table("copy at width 384") == expected and len(found) == 35
    says("unit scale with five seeds of five, the norm with four.")


def test_what_is_said_of_sums_at_the_papers_size_is_counted_from_the_records(committed):
    """Of ten digits, seed 0."""
    found = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "headline", task=["addition"]).items()}
    guess, cut = TASKS["addition"].chance(10).mean().item(), ("dual_nested_ut", "ar_trm")
    assert len(found) == 8 and all(abs(found[rung, "pre"][0] - guess) < 0.01 for rung in cut)
    theirs = {
        run.rung: shares
        for run, shares in at_published_size(committed, "headline", ("seen", "sampled"), task=["addition"]).items()
        if run.norm == "pre"
    }
    above = [
        100 * theirs[rung][0] - CHARACTERS[rung][0] for rung in ("dense", "iterative", "iterative_step", "universal", "dual_ut")
    ]
    says(f"and the five others {min(above):.1f} to {max(above):.1f} points above the paper's numbers")
    three = {(run.rung, run.norm): shares for run, shares in at_published_size(committed, "three_passes").items()}
    says(f"rung 7 gets {100 * three['ar_trm', 'pre'][0]:.1f} % of the characters of these sums (greedy, unseen).")
    says("behind the published block, {:.0f} % against {:.1f}, and at half the width they have ",
         100 * three["ar_trm", "post"][0], 100 * three["ar_trm", "pre"][0])
    says(f"({100 * found['ar_trm', 'post'][0]:.0f} % of the characters, one seed)")
    sums = [
        round(100 * shares[1])
        for shares in (three["universal", "pre"], found["universal", "pre"], three["dense", "pre"], found["dense", "pre"])
    ]
    says("({} and {} % of the sums, greedy, unseen), and Dense has {} % of the sums with three blocks and {} with 24.", *sums)
    peaks = [
        record["ledger"]["peak_memory"] / 1e9
        for record in committed
        if record["run"] in {run.hash for run in at_published_size(committed, "headline", task=["addition"])}
    ]
    says("A run at the paper's size takes about 3 GB there.")
    rising = [
        *at_published_size(committed, "refinement", window=["all"]),
        *at_published_size(committed, "depth", window=["all"], norm=["post"]),
    ]
    for run in rising:
        path, = (curve(scores(record), 10) for record in committed if record["run"] == run.hash)
        assert path[4000] - path[3400] > 0.05
    says("(one seed each; those that end with 65 and 66 were still rising).")
    assert len(rising) == 2
    assert 2.5 < max(peaks) < 3.5
    half = {(run.rung, run.norm, run.window): right for run, (right, _) in at_published_size(committed, "refinement").items()}
    twelve = {(run.norm, run.window): right for run, (right, _) in at_published_size(committed, "depth", budget=[12]).items()}
    few = {(run.rung, run.norm, run.seed): (100 * characters, f"{100 * right:.0f}") for seed in (0, 1) for run, (characters, right)
           in at_published_size(committed, "depth", seeds=(seed,), budget=[3, 4]).items()}
    dual, flat, rung_7 = (" and ".join(few[rung, "pre", seed][1] for seed in (0, 1)) for rung in ("dual_ut", "universal", "ar_trm"))
    says(f"Dense of three has {few['dense', 'pre', 0][1]} % of the sums, and with two seeds Dual UT of four {dual}, UT of three {flat}, "
         f"rung 7 of three {rung_7} (82 and 94 % of the characters).")
    shallow, second = (few["ar_trm", "pre", seed][0] for seed in (0, 1))
    cured, cured_again = (few["ar_trm", "post", seed][0] for seed in (0, 1))
    says("At half that width, with 12 passes, training them all brings the published block from {:.0f} to {:.1f} % of the "
         "characters of ten-digit sums (one seed; three passes: {:.0f} and {:.0f} with two;",
         100 * twelve["pre", "cycle"], 100 * twelve["pre", "all"], shallow, second)
    deep = jobs("paper", "depth", budget=[12], rung=["ar_trm"], norm=["pre"], window=["all"])[0].run
    early, = (curve(scores(record), 10)[deep.training_steps * 3 // 12] for record in committed if record["run"] == deep.hash)
    says(f"and at half the width they have {cured:.0f} and {cured_again:.0f} where it has {shallow:.0f} and {second:.0f} (two seeds each).")
    says(f"({100 * twelve['pre', 'all']:.1f} % against {shallow:.0f} and {second:.0f} after as many steps, {100 * early:.0f} against "
         f"these after as many passes; cured {100 * twelve['post', 'all']:.0f} against {cured:.0f} and {cured_again:.0f}).")
    says("they have less at half the width: {:.0f} % with 24 passes, where the cut one has those {:.0f}, and {:.0f} with 12, where the "
         "published block with its whole gradient has {:.1f} (one seed each;", 100 * half["ar_trm", "post", "all"],
         100 * half["ar_trm", "post", "cycle"], 100 * twelve["post", "all"], 100 * twelve["pre", "all"])
    says("(looked up; at the paper's size Iterative of 24 has {:.0f} % of the characters", 100 * found["iterative", "pre"][0])
    says("norm and scale together got {:.0f} % at that width, and {:.0f} % at half of it",
         100 * found["ar_trm", "post"][0], 100 * half["ar_trm", "post", "cycle"])


def test_what_is_said_of_the_published_model_is_counted_from_the_records(committed):
    outcomes = cause.outcomes(committed)
    published = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == "published")]["accuracy"]
    says(f"at width 64 it has {from_to(published)} % of the characters of copy and reverse in the end")
    slow = outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == cause.named(SLOWER | {"norm": "post"}))]
    says("it learned copy with two seeds of five and reverse with three, and had 92 % and more with the others.")
    assert slow.groupby("task")["learned"].agg(["sum", "size"]).T.to_dict("list") == {"copy": [2, 5], "reverse": [3, 5]}
    assert slow["accuracy"].min() > 0.92
    says(f"in 2000 steps the norm alone gets {from_to(slow['accuracy'])} % of the characters in ten runs of ten.")
    assert len(slow) == 10
    still = [
        outcomes[(outcomes["rung"] == "ar_trm") & (outcomes["change"] == cause.named(SLOWER | change))]["accuracy"]
        for change in ({}, {"scale": "unit"})
    ]
    says("(Unit scale alone and the published model ended below 14 %, one seed.)")
    assert [len(each) for each in still] == [2, 2]
    assert max(each.max() for each in still) < 0.14
    wide = [outcomes[outcomes["change"] == cause.name(job.run)].iloc[0] for job in jobs("cpu", "widths", scale=["unit"])]
    assert [(one["learned"], one["steps"]) for one in wide] == [(False, 1000), (True, 350), (True, 250)]
    (narrow,) = (
        curve(scores(record), 10) for record in committed if record["run"] == jobs("cpu", "widths", scale=["unit"])[0].run.hash
    )
    assert max(narrow.values()) == narrow[700]
    says(f"at widths 192 and 256 (350 and 250 steps at the paper's rate), and at 128 had {100 * narrow[700]:.0f} % after 700 "
         f"and {100 * narrow[1000]:.0f} in the end (1000; one seed each);")
    norm = [outcomes[outcomes["change"] == cause.name(job.run)].iloc[0] for job in jobs("cpu", "widths", norm=["post"])]
    assert all(one["learned"] for one in norm) and sorted(one["steps"] for one in norm) == [150, 750, 1000]
    again, = (curve(scores(record), 10) for record in committed
              if record["run"] == jobs("cpu", "widths", norm=["post"], width=[192])[0].run.hash)
    says("(With the norm alone they got to 99 % at all three, after 150 to 1000 steps, at 192 after it had lost the 95 % of step 100 "
         "again.)")
    assert max(again, key=again.get) == 1000 and again[100] > 0.95 and min(again[step] for step in again if step > 100) < 0.2
    sums = 100 * chapters.committed("ar_trm", "addition")
    chance = 100 * TASKS["addition"].chance(3).mean()
    says(f"of sums of three digits {sums.min():.0f} to {sums.max():.1f} % (chance {chance:.0f} %)")


def test_it_says_how_much_of_the_paper_was_run(committed):
    """No verdict so far, and one seed of each; when there are more, the sentence has to go."""
    compared = compare(committed)
    run = compared[compared["seeds"] > 0]
    assert set(compared["verdict"]) == {"seen 1 time", "not run"} and set(run["seeds"]) == {1}
    says(f'No published number has a verdict yet: of {len(compared)}, {len(run)} have been run with one seed ("seen 1 time", '
         f'whatever came out) and {len(compared) - len(run)} not at all;')


def test_one_version_is_named_everywhere():
    named = [re.search(rf'^{key} *[=:] *"?([\d.]+)"?$', (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]
             for name, key in (("pyproject.toml", "version"), ("CITATION.cff", "version"), ("tarm/__init__.py", "__version__"))]
    assert len(set(named)) == 1
