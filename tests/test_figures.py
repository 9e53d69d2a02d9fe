"""Every figure is drawn from a table, says what it shows, and comes out the same twice."""

from dataclasses import asdict, replace

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers import chance_lines, overlaps, text_of, texts
from tarm import LADDER, cost_figures, figures, gallery, statistics, table
from tarm.drawing import CHANCE, curves, label_lines, spread
from tarm.evaluation import DECODINGS, PROBLEMS, Score
from tarm.placement import compute_placement
from tarm.store import COMMITTED
from tarm.studies import PART, jobs, members
from tarm.tasks import TASKS


def invented(job):
    """A record of the job as the table reads it, with scores that are made up but differ everywhere:
    of 10 problems, position k is right in (rung's number + seed + step + k) of them, modulo 11."""
    number, evaluations = list(LADDER).index(job.run.rung), []
    for step in 2, 4:
        for length in job.schedule.lengths_at(step, 4):
            answer = len(TASKS[job.run.task].chance(length))
            correct = [(number + job.run.seed + step + k) % 11 for k in range(answer)]
            evaluations += [Score(step, length, problems, decoding, 10, correct, min(correct))._asdict()
                            for problems in PROBLEMS for decoding in DECODINGS]
    return {"run": job.run.hash, "configuration": asdict(job.run), "evaluations": evaluations,
            "diverged_at": None}


def tidy(seeds):
    return table.tidy(map(invented, jobs("smoke", seeds=seeds)))


@pytest.fixture(scope="module")
def one_seed():
    return tidy((0,))


@pytest.fixture(scope="module")
def five_seeds():
    return tidy(range(5))


@pytest.fixture(scope="module")
def placement():
    return compute_placement(budget=12, task="copy", width=16, heads=2, dropout=0.0, context=24, batch=4, length=4)


@pytest.mark.parametrize(
    "rung, fields",
    [("iterative", {"window": "2"}), ("ar_trm", {"window": "step"}), ("ar_trm", {"window": "4", "window_warmup": 9})],
)
def test_a_cut_gradient_hides_nothing_of_what_is_read(rung, fields):
    """Which streams a pass reads, and which passes contribute, is what it is without a window;
    only the gradient is another."""
    small = {"task": "copy", "width": 16, "heads": 2, "context": 24, "batch": 4, "length": 4}
    cut, whole = (
        compute_placement(budget=12, rungs=[rung], **small | given)
        for given in (fields, {} if rung == "iterative" else {"window": "all"})
    )
    assert (cut.drop(columns="gradient").equals(whole.drop(columns="gradient"))
            and cut["gradient"].sum() < whole["gradient"].sum() == 12)


# 7 rungs times 3 tasks; 2 metrics; 4 characters of a sum of 3 digits; evaluations at steps 2 and 4
POINTS = {"performance_across_tasks": 7 * 3, "addition_by_architecture": 7 * 2, "accuracy_by_position": 7 * 4,
          "learning_dynamics": 7 * 2, "last_character_bottleneck": 7 * 2}


def test_runs_of_several_settings_are_not_drawn_as_one(one_seed):
    """Of a study with variants one is named; of one that is not there the message says how it is trained."""
    other = one_seed.assign(study="mine", run=one_seed["run"] + "x", variant="norm=post", value=0.5)
    both = pd.concat([one_seed.assign(study="mine"), other])
    with pytest.raises(ValueError, match="2 rows with task=copy, rung=dense, seed=0 would be drawn as so many seeds: "
                                         ".* differ in {'variant': .*norm=post"):
        gallery.result_figure("performance_across_tasks", both, "smoke", study="mine")
    with pytest.raises(ValueError, match="they differ in {'problems': .'seen', 'unseen'.}"):
        gallery.result_figure("performance_across_tasks", one_seed, "smoke", problems=["seen", "unseen"])
    with pytest.raises(ValueError, match="they differ in {'task': .'copy', 'reverse'.}"):
        gallery.result_figure("learning_dynamics", one_seed, "smoke", task=["copy", "reverse"])
    with pytest.raises(ValueError, match="metric='sequence' cannot be asked of performance_across_tasks"):
        gallery.result_figure("performance_across_tasks", one_seed, "smoke", metric="sequence")
    rows, points, _ = gallery.result_figure("performance_across_tasks", both[both["variant"] == "norm=post"], "smoke",
                                            study="mine")
    assert (points["mean"] == 0.5).all() and set(rows["variant"]) == {"norm=post"} and len(points) == 21
    with pytest.raises(ValueError, match=r"no row with .*study=yours.*: it has runs of mine \(smoke\)"):
        gallery.result_figure("performance_across_tasks", both, "smoke", study="yours")


def test_a_note_names_the_protocols_that_have_a_name(one_seed):
    said = {(problems, decoding): gallery.note(gallery.select(one_seed, "smoke", problems=problems, decoding=decoding))
            for problems in ("seen", "unseen") for decoding in ("greedy", "sampled")}
    assert {key: "published protocol" in text for key, text in said.items()} == {
        key: key == ("seen", "sampled") for key in said}
    assert {key: "careful protocol" in text for key, text in said.items()} == {
        key: key == ("unseen", "greedy") for key in said}


def test_a_rung_whose_runs_all_diverged_says_so(one_seed):
    lost = one_seed.assign(value=one_seed["value"].where(one_seed["rung"] != "universal"))
    for stem, words in ("performance_across_tasks", "diverged"), ("learning_dynamics", "UT:\ndiverged"):
        _, _, figure = gallery.result_figure(stem, lost, "smoke")
        texts = {text.get_text() for axes in figure.axes for text in axes.texts}
        assert words in texts and not any("not\u00a0run" in text for text in texts)


def test_what_cannot_be_drawn_names_what_there_is(one_seed):
    with pytest.raises(ValueError, match="figure='dynamics' is not known: choose one of performance_across_tasks"):
        gallery.result_figure("dynamics", one_seed, "smoke")
    with pytest.raises(ValueError, match="column='tsk' is not known: choose one of profile, study"):
        gallery.select(one_seed, "smoke", tsk="copy")
    with pytest.raises(ValueError, match="task=sort.*: task is one of"):
        gallery.select(one_seed.sort_values("task"), "smoke", task="sort")
    longer = one_seed[one_seed["length"] > one_seed["training_length"]]
    for stem in "performance_across_tasks", "learning_dynamics":
        with pytest.raises(ValueError, match="trained on length 3 and evaluated at 6 only"):
            gallery.result_figure(stem, longer, "smoke", task="addition")


@pytest.mark.parametrize("stem", gallery.RESULTS)
def test_every_result_figure_is_drawn_of_one_seed(one_seed, stem):
    """Careful by default: greedy, unseen; points without intervals; and the figure says so."""
    rows, points, figure = gallery.result_figure(stem, one_seed, "smoke")
    assert isinstance(figure, Figure)
    assert len(rows) == len(points) == POINTS[stem]
    assert set(rows["problems"]) == {"unseen"} and set(rows["decoding"]) == {"greedy"}
    assert (rows["length"] == rows["training_length"]).all()
    assert points["low"].isna().all() and (points["seeds"] == 1).all()
    for word in ("smoke profile", "careful protocol", "greedy", "10 unseen problems", "1 seed",
                 "fewer than five seeds", "chance"):
        assert word in text_of(figure)
    assert "diverged" not in text_of(figure)
    assert all(entry.name in text_of(figure) or entry.short in text_of(figure) for entry in LADDER.values())


@pytest.mark.parametrize("stem", gallery.RESULTS)
def test_five_seeds_become_means_with_intervals(five_seeds, stem):
    rows, points, figure = gallery.result_figure(stem, five_seeds, "smoke")
    assert len(rows) == 5 * len(points) == 5 * POINTS[stem]
    assert (points["low"] < points["mean"]).all() and (points["mean"] < points["high"]).all()
    assert "95 % Student-t intervals" in text_of(figure)


def test_points_are_the_numbers_of_the_table(one_seed):
    """Rung 2 at step 4 has 1 + 4 + k right of 10 at position k, on sums of 4 characters 5, 6, 7 and 8."""
    points = gallery.accuracy_by_position(one_seed, "smoke")[1]
    assert points[points["rung"] == "iterative"]["mean"].tolist() == [0.5, 0.6, 0.7, 0.8]
    points = gallery.performance_across_tasks(one_seed, "smoke")[1].set_index(["rung", "task"])
    assert points.loc[("iterative", "addition"), "mean"] == pytest.approx(0.65)


def test_chance_stands_beside_the_points(one_seed):
    """Of the million sums of 3 digits 499,500 carry, so the first character is 0 in 50.05 % and the mean 20.0125 %."""
    chance = gallery.performance_across_tasks(one_seed, "smoke")[1].groupby("task")["chance"].unique()
    assert {task: values.tolist() for task, values in chance.items()} == {
        "copy": [pytest.approx(0.1)], "reverse": [pytest.approx(0.1)], "addition": [pytest.approx(0.200125)]}
    by_position = gallery.accuracy_by_position(one_seed, "smoke")[1]
    assert by_position["chance"].tolist() == pytest.approx([0.5005, 0.1, 0.1, 0.1] * 7)


def test_the_bottleneck_is_overcome_above_one_half_at_the_end(one_seed):
    """Last character at step 4: (number + 4 + 3) % 11 of 10, so 7, 8, 9, 10, 0, 1, 2 up the ladder."""
    points = gallery.last_character_bottleneck(one_seed, "smoke")[1]
    assert list(points[points["overcome"]]["rung"].unique()) == ["dense", "iterative", "iterative_step", "universal"]


@pytest.mark.parametrize("asked, words", [
    (("cpu", {}), "profile=cpu.*: train it with `python -m tarm sweep --profile cpu`"),
    (("smoke", {"task": "sort"}), "task=sort: task is one of copy, reverse, addition"),
    (("smoke", {"study": "cause"}), r"study=cause.*: it has runs of main \(smoke\)"),
    (("smoke", {"run": "x"}), r"run=x: run is one of (\w+, ){12}\.\.\.$")])
def test_rows_that_are_not_there_are_an_error_that_names_them(one_seed, asked, words):
    profile, values = asked
    with pytest.raises(ValueError, match=f"no row with .*{words}"):
        gallery.select(one_seed, profile, **values)


def test_chance_is_shown_for_what_it_is_chance_of(one_seed):
    """Of a character of the sum, not of a whole sum: there is a dashed line in the one panel only."""
    _, points, figure = gallery.result_figure("addition_by_architecture", one_seed, "smoke")
    assert points.groupby("metric")["chance"].nunique().to_dict() == {"character": 1, "sequence": 0}
    assert {ax.get_title(): len(chance_lines(ax)) for ax in figure.axes} == {"characters": 1, "whole answers": 0}


def test_a_study_has_the_runs_that_it_shares_with_an_earlier_one():
    """Whose name the table's column has."""
    job = next(job for job in jobs("cpu", "cross") if job.run.hash in members("cpu", "depth_learned", 0))
    rows = table.tidy([invented(job)])
    assert set(rows["study"]) == {"cross"}
    for study in "cross", "depth_learned":
        found = gallery.select(rows, "cpu", study=study)
        assert set(found["run"]) == {job.run.hash} and set(found["study"]) == {study}
    with pytest.raises(ValueError, match="no row with profile=cpu, study=controls, problems=unseen"):
        gallery.select(rows, "cpu", study="controls")


@pytest.mark.parametrize("stem", ["learning_dynamics", "last_character_bottleneck"])
def test_a_run_that_ended_early_counts_until_the_end(stem):
    """As it was when it had learned. Two seeds: the first ends at step 2 with everything right,
    the second goes on to 4, with nothing."""
    records = [invented(job) for job in jobs("smoke", seeds=(0, 1), rung=["universal"], task=["addition"])]
    for record, right in zip(records, (10, 0)):
        record["evaluations"] = [score | {"correct": [right] * len(score["correct"])} for score in record["evaluations"]
                                 if score["step"] <= (2 if right else 4)]
    rows, points, figure = gallery.result_figure(stem, table.tidy(records), "smoke")
    assert points.sort_values("step")["values"].tolist() == [[1.0, 0.0], [1.0, 0.0]] and len(rows) == 3
    lines = [line.get_ydata().tolist() for ax in figure.axes for line in ax.lines if line.get_linewidth() == 0.6]
    assert lines == [[1, 1], [0, 0]] and points["seeds"].tolist() == [2, 2]


def test_a_run_counts_no_further_than_it_was_to_be_trained():
    """Here one of two rungs has half of the other's training steps."""
    whole, half = (jobs("smoke", rung=[rung], task=["addition"])[0] for rung in ("universal", "dense"))
    half = half._replace(run=replace(half.run, training_steps=2))
    records = [invented(whole), invented(half)]
    records[1]["evaluations"] = [score for score in records[1]["evaluations"] if score["step"] == 2]
    rows = table.tidy(records).assign(profile="smoke", study="main")
    _, points, _ = gallery.result_figure("learning_dynamics", rows, "smoke")
    assert points[["rung", "step"]].values.tolist() == [["dense", 2], ["universal", 2], ["universal", 4]]


@pytest.mark.parametrize("name", ["profile", "study"])
def test_one_study_of_one_profile_is_selected(one_seed, name):
    with pytest.raises(ValueError, match=rf"{name}=\['main'\] is not one name"):
        gallery.select(one_seed, **{"profile": "smoke"} | {name: ["main"]})


@pytest.mark.parametrize("stem", [stem for stem in gallery.RESULTS if stem != "performance_across_tasks"])
def test_a_figure_can_be_of_another_task(stem, one_seed):
    rows, _, figure = gallery.result_figure(stem, one_seed, "smoke", task="copy")
    assert set(rows["task"]) == {"copy"} and "copy of 4 digits" in text_of(figure)


def test_a_note_names_all_numbers_of_passes_steps_and_problems():
    """Where they differ between the rungs drawn."""
    jobs_of = [jobs("smoke", rung=[rung], task=["copy"])[0] for rung in ("dense", "universal")]
    other = jobs_of[1]._replace(run=replace(jobs_of[1].run, budget=6, steps=None, training_steps=2))
    records = [invented(jobs_of[0]), invented(other)]
    records[1]["evaluations"] = [score | {"count": 20} for score in records[1]["evaluations"]]
    rows = table.tidy(records).assign(profile="smoke", study="main")
    note = gallery.note(gallery.select(rows, "smoke", metric="character").query("length == training_length"))
    for words in "(4 and 2 steps)", "12 and 6 block passes", "10 and 20 unseen problems":
        assert words in note


@pytest.mark.parametrize("dropped, words", [
    ([], "; 2 (copy), 2 (reverse), 3 (addition) seeds, each a dot"),
    (["dual_ut"], "; 1 to 3 seeds, each a dot or thin line beside their mean, their number in brackets")])
def test_a_note_counts_seeds_by_task_where_each_of_its_rungs_has_as_many(dropped, words):
    """Else each bar or line has its own."""
    rows = tidy(range(3))
    rows = rows[(rows["task"] == "addition") | (rows["seed"] < 2)]
    rows = rows[~(rows["rung"].isin(dropped) & (rows["seed"] > 0))]
    _, _, figure = gallery.result_figure("performance_across_tasks", rows, "smoke")
    said = " ".join(text_of(figure).split())
    assert words in said and ("(3)" in said) == ("(1)" in said) == bool(dropped)


def test_a_band_ends_where_shares_end():
    """The intervals of four times 0 and a 1, and of four times 1 and a 0, go on beyond."""
    points = statistics.over_seeds(pd.DataFrame({"rung": "dense", "step": [1] * 5 + [2] * 5, "seed": [*range(5)] * 2,
                                                 "value": [0, 0, 0, 0, 1.0, 1, 1, 1, 1, 0]}), ["rung", "step"])
    assert points["low"].min() < 0 and points["high"].max() > 1
    axes = Figure().subplots()
    curves(axes, points, "step", 20)
    band, = axes.collections
    extents = band.get_paths()[0].get_extents()
    assert (extents.y0, extents.y1) == (0, 1)


def test_no_line_leads_from_where_there_is_none():
    """To the names of two that have not been run."""
    axes = Figure().subplots()
    label_lines(axes, [(1, None, "one", "grey"), (1, None, "two", "grey"), (1, 0.5, "there", "black")], 20)
    assert sorted(text.get_text() for text in axes.texts) == ["one", "there", "two"]


@pytest.mark.parametrize("stem", gallery.RESULTS)
def test_a_run_that_diverged_is_left_out_in_words(stem):
    """One of two seeds of a rung: the figure says so and shows the other one,
    and nothing of what the first had scored."""
    lost, = jobs("smoke", seeds=(1,), rung=["universal"], task=["addition"])
    records = [invented(job) for job in jobs("smoke", seeds=(0, 1))]
    for record in records:
        if record["run"] == lost.run.hash:
            record |= {"diverged_at": 3, "schedule": {"problems": 10}, "evaluations": record["evaluations"][:4]}
    rows, points, figure = gallery.result_figure(stem, table.tidy(records), "smoke")
    assert "1 run diverged, left out" in text_of(figure) and "10 unseen problems" in text_of(figure)
    mine = points[(points["rung"] == "universal") & (points["task"] == "addition" if "task" in points else True)]
    assert (mine["seeds"] == 1).all() and mine["mean"].notna().all()


def test_what_it_takes_counts_the_runs_that_have_learned():
    """Of each model two seeds; those of two models are right in the end, one of them with one seed only."""
    records = [invented(job) for job in jobs("smoke", "cross_part", (0, 1))]
    for record in records:
        run = record["configuration"]
        right = run["window"] == "all" or run["norm"] == "post" and run["scale"] == "unit" and run["seed"] == 1
        for score in record["evaluations"]:
            score["correct"] = [10 if right else 1] * len(score["correct"])
    rows, points, figure = gallery.what_it_takes(table.tidy(records), "smoke")
    assert list(dict.fromkeys(points["model"])) == list(PART) and points.groupby("model")["run"].nunique().eq(2).all()
    assert [ax.get_title().split("\n")[1] for ax in figure.axes] == ["0 of 2", "0 of 2", "0 of 2", "1 of 2", "2 of 2"]
    assert [sum(line.get_color() == "#08306b" for line in ax.lines) for ax in figure.axes] == [0, 0, 0, 1, 2]
    assert "seeds: 2" in text_of(figure) and "diverged" not in text_of(figure)
    assert overlaps(figure) == ([], [], [])


def form(record):
    return record["configuration"]["norm"], record["configuration"]["scale"]


def test_what_it_takes_says_what_diverged_and_what_is_missing():
    records = [invented(job) for job in jobs("smoke", "cross_part", (0, 1))]
    records[0] |= {"diverged_at": 3, "schedule": {"problems": 10}, "evaluations": []}
    assert "1 run diverged, not drawn" in text_of(gallery.what_it_takes(table.tidy(records), "smoke")[2])
    with pytest.raises(ValueError, match="of norm alone: train it with"):
        gallery.what_it_takes(table.tidy([each for each in records if form(each) != ("post", "published")]), "smoke")


def test_what_it_takes_needs_its_runs(one_seed):
    way_out = "train it with `python -m tarm sweep --profile cpu --study cross_part`"
    with pytest.raises(ValueError, match=f"no run of study=cross_part, profile=cpu of as published, .*: {way_out}"):
        gallery.what_it_takes(one_seed, "cpu")


def test_a_run_that_had_learned_is_shown_where_it_ended():
    record = invented(jobs("smoke", rung=["dense"], task=["copy"])[0])
    record["evaluations"] = [score for score in record["evaluations"] if score["step"] == 2]
    assert set(gallery.at_the_end(table.tidy([record]))["step"]) == {2}


# What is written stays clear of itself, of the lines of chance, and of the figure's edge.


@pytest.mark.parametrize("stem", gallery.RESULTS)
@pytest.mark.parametrize("profile", ["one seed", "all alike", "committed"])
def test_nothing_written_overlaps(one_seed, stem, profile):
    """Where all rungs are alike, or all at chance, their names have to make room for each other."""
    results = {"one seed": one_seed, "all alike": one_seed.assign(value=1.0),
               "committed": table.read(COMMITTED)}[profile]
    figure = gallery.result_figure(stem, results, "cpu" if profile == "committed" else "smoke")[2]
    assert texts(figure)
    assert overlaps(figure) == ([], [], [])


def test_nothing_written_overlaps_in_the_figures_of_the_chapters(placement):
    assert overlaps(figures.compute_placement(placement, "one batch")) == ([], [], [])
    rows = pd.read_csv(COMMITTED / "supervised_characters.csv", dtype={"character": str}, keep_default_na=False)
    assert overlaps(figures.supervised_characters(rows, "one problem")) == ([], [], [])
    assert overlaps(gallery.what_it_takes(table.read(COMMITTED), "cpu")[2]) == ([], [], [])


@pytest.fixture(scope="module")
def costs():
    return pd.read_csv(COMMITTED / "bench.csv")


def test_the_figure_of_costs_shows_the_table(costs):
    """A point a rung in each of two panels, its range as a line; and shares of the peak beside each width."""
    step, decoding, share = (figure := cost_figures.bench(costs)).axes
    figure.draw_without_rendering()
    for ax, part in (step, "step"), (decoding, "evaluation"):
        for line, name in zip(ax.lines, ("float32", "bf16")):
            assert list(line.get_xdata()) == costs[costs["part"] == f"{part}, published / {name}"]["value"].tolist()
        assert [len(lines.get_segments()) for lines in ax.collections] == [len(LADDER)] * 2
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["float32", "bf16"]
        legend = ax.get_legend().get_window_extent().transformed(ax.transData.inverted())
        assert legend.y1 < 1 - len(LADDER) - 0.2  # below the last rung's points
    assert list(share.lines[1].get_ydata()) == costs[costs["part"] == "share by width, bf16"]["value"].tolist()
    assert overlaps(figure) == ([], [], [])


def test_the_figure_of_precisions_has_a_line_for_each_run():
    points = pd.DataFrame([(rung, seed, precision, step, (seed + step / 100) / 10)
                           for rung in ("dense", "universal") for seed in (0, 1) for precision in ("float32", "bf16")
                           for step in (100, 200)], columns=["rung", "seed", "precision", "step", "value"])
    figure = cost_figures.precisions(points)
    for ax in figure.axes:
        lines = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
        assert lines == {f"{precision}, seed {seed}": [(seed + 1) / 10, (seed + 2) / 10]
                         for seed in (0, 1) for precision in ("float32", "bf16")}
    assert overlaps(figure) == ([], [], [])


def test_overlaps_are_found():
    """Else the tests above would pass on anything."""
    figure = Figure()
    ax = figure.subplots()
    ax.text(0.5, 0.5, "one"), ax.text(0.52, 0.5, "two"), ax.text(3, 0.2, "far")
    ax.axhline(0.51, **CHANCE)
    pairs, crossed, outside = overlaps(figure)
    assert [{a, b} for (a, _), (b, _) in pairs] == [{"one", "two"}]
    assert [text for text, _ in crossed] == ["one", "two"] and [text for text, _ in outside] == ["far"]


@pytest.mark.parametrize("heights, expected", [
    ([0.2, 0.5], [0.2, 0.5]),                        # room enough
    ([0.5, 0.5], [0.45, 0.55]),                      # side by side around their mean
    ([0.0, 0.0, 0.2], [0.05, 0.15, 0.25]),           # from the edge on, and the third moved by the two
    ([1.0, 1.0], [0.85, 0.95])])
def test_names_are_moved_apart_as_little_as_need_be(heights, expected):
    assert spread(heights, [0.1] * len(heights), 0, 1) == pytest.approx(expected)


# Compute placement.


def passes_of(placement, rung):
    return placement[placement["rung"] == rung].set_index("pass")


def test_placement_of_ar_trm(placement):
    """12 passes are 2 steps of 2 cycles (z, z, y); only the last cycle is trained and only the last y is read."""
    passes = passes_of(placement, "ar_trm")
    assert list(passes.index) == list(range(1, 13)) and passes["executed"].all()
    assert "".join(passes["stream"]) == "zzy" * 4
    assert list(passes.index[passes["gradient"]]) == [10, 11, 12]
    assert list(passes.index[passes["readout"]]) == [12]
    assert set(passes[passes["stream"] == "z"]["reads"]) == {"x y z s"}
    assert set(passes[passes["stream"] == "y"]["reads"]) == {"y z s"}


@pytest.mark.parametrize("rung, first, later", [
    ("dense", "x", "h"), ("iterative", "x", "h"), ("iterative_step", "x s", "h s")])
def test_placement_of_single_streams(placement, rung, first, later):
    """x starts the stream and is read once; all is trained, the last pass is read."""
    passes = passes_of(placement, rung)
    assert passes["reads"].tolist() == [first] + [later] * 11
    assert passes["gradient"].all() and list(passes.index[passes["readout"]]) == [12]


def test_placement_of_act(placement):
    """Passes after the last halt are not run; the y of every step that runs is read."""
    nested, universal = passes_of(placement, "dual_nested_ut"), passes_of(placement, "universal")
    assert list(nested.index[nested["gradient"]]) == [4, 5, 6, 10, 11, 12]
    assert list(nested.index[nested["readout"]]) == [6, 12]
    ran = int(universal["executed"].sum())
    assert 2 <= ran <= 3  # a halting bias of 0 makes p about one half
    assert universal["executed"].tolist() == universal["readout"].tolist() == [True] * ran + [False] * (12 - ran)


# Keeping.


def draw(stem, results, placement):
    """(figure, rows) of any figure of this project."""
    if stem == "compute_placement":
        return figures.compute_placement(placement, "one batch"), placement
    rows, _, figure = gallery.result_figure(stem, results, "smoke")
    return figure, rows


@pytest.mark.parametrize("stem", [*gallery.RESULTS, "compute_placement"])
def test_a_figure_redrawn_has_the_same_bytes(five_seeds, placement, tmp_path, stem):
    """SVG, PNG and the rows behind it, and nothing else."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in one, two:
        figure, rows = draw(stem, five_seeds, placement)
        gallery.save(figure, rows, stem, folder)
    assert {path.relative_to(one).as_posix() for path in one.rglob("*.*")} == {
        f"{stem}.svg", f"{stem}.png", f"data/{stem}.csv"}
    assert all(path.read_bytes() == (two / path.relative_to(one)).read_bytes() for path in one.rglob("*.*"))
    kept = pd.read_csv(one / "data" / f"{stem}.csv", keep_default_na=False)
    assert kept.values.tolist() == rows.values.tolist()


def test_the_readers_matplotlib_settings_change_no_figure(one_seed, tmp_path):
    """Else a dark theme in matplotlibrc or a notebook would be in what is committed."""
    gallery.save(*draw("learning_dynamics", one_seed, None), "plain", tmp_path)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "xtick.labelsize": 3}):
        gallery.save(*draw("learning_dynamics", one_seed, None), "themed", tmp_path)
    assert (tmp_path / "plain.svg").read_bytes() == (tmp_path / "themed.svg").read_bytes()


def test_without_a_folder_nothing_is_kept(one_seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gallery.save(*draw("learning_dynamics", one_seed, None), "learning_dynamics", "")
    assert not list(tmp_path.iterdir())
