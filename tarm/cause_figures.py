"""Figures on why the Autoregressive TRM stays at chance; each takes a table of `tarm.cause`, returns a Figure."""

from .drawing import CHANCE, new, percent, styled

TASKS = {"copy": ("#2878b8", "o", 0.14), "reverse": ("#d94801", "s", -0.14)}
NORMS = {"pre": "pre-norm", "reentry": "re-entry norm", "post": "post-norm"}
SCALES = {"published": "published scale", "unit": "unit scale"}
WINDOWS = {"cycle": "gradient through 3 of 24 passes", "all": "gradient through all 24 passes"}


def rows_of(table):
    """({(norm, scale): its height}, their names): one row for each, the first on top."""
    pairs = list(dict.fromkeys(zip(table["norm"], table["scale"])))
    return {pair: -i for i, pair in enumerate(pairs)}, [f"{NORMS[norm]},\n{SCALES[scale]}" for norm, scale in pairs]


@styled
def cross(cells, note=""):
    """The share of runs that learned, with its exact interval, for window x norm x scale and each task.

    One row per cell: norm, scale, window, task, learned, runs, low, high, steps (median until learned).
    """
    heights, names = rows_of(cells)
    figure, axes = new(4.6, 1, 2, note, sharey=True)
    for ax, (window, title) in zip(axes, WINDOWS.items()):
        for row in cells[cells["window"] == window].itertuples():
            colour, marker, aside = TASKS[row.task]
            y = heights[row.norm, row.scale] + aside
            ax.hlines(y, row.low, row.high, color=colour, linewidth=2, alpha=0.45)
            ax.plot(row.learned / row.runs, y, marker, color=colour, markersize=5, clip_on=False)
            after = "" if row.steps != row.steps else f", {row.steps:.0f}"
            ax.text(1.06, y, f"{row.learned}/{row.runs}{after}", color=colour, va="center", fontsize=8)
        ax.set(title=title, xlabel="runs that learned, %", xlim=(-0.04, 1.5), ylim=(-len(heights) + 0.5, 0.5))
        percent(ax.xaxis, xticks=(0, 0.5, 1))
        ax.spines["bottom"].set_bounds(0, 1)
    axes[0].set_yticks(list(heights.values()), names, fontsize=9)
    for task, (colour, marker, _) in TASKS.items():
        axes[1].plot([], [], marker, color=colour, label=task)
    axes[1].legend(loc="lower right", bbox_to_anchor=(1.0, 1.06), ncols=2, frameon=False, fontsize=9)
    return figure


@styled
def part(curves, learned, chance, note=""):
    """Accuracy over training, a panel per model, a line per run; above each how many runs have learned.

    One row per run and evaluation: model, run, step, value. learned: the accuracy from which a run has; chance:
    a level, dashed.
    """
    models, last = list(curves["model"].unique()), curves["step"].max()
    figure, axes = new(2.6, 1, len(models), note, sharex=True, sharey=True)
    for ax, model in zip(axes, models):
        runs = [line.sort_values("step") for _, line in curves[curves["model"] == model].groupby("run")]
        there = [line["value"].iloc[-1] >= learned for line in runs]
        for line, reached in zip(runs, there):
            ax.plot(line["step"], line["value"], color="#08306b" if reached else "#d94801", linewidth=1, alpha=0.7)
        ax.axhline(chance, **CHANCE)
        ax.set_title(f"{model}\n{sum(there)} of {len(runs)}", fontsize=9.5)
        percent(ax.yaxis, ylim=(-0.02, 1.04), yticks=(0, 0.5, 1), xlim=(0, 1.03 * last), xticks=(0, last // 2, last))
    axes[0].set_ylabel("characters right, %")
    axes[len(axes) // 2].set_xlabel("training steps")
    return figure


@styled
def chain(table, note=""):
    """From growth over the share of the gradient and its direction to learning, a row per norm and scale.

    One row per norm, scale and seed: expected_growth, growth, expected_share, share, cosine, cosine_qk,
    learned (a share).
    """
    heights, names = rows_of(table)
    figure, (growth, share, cosine, learned) = new(3.7, 1, 4, note, sharey=True)
    y = [heights[pair] for pair in zip(table["norm"], table["scale"])]
    dark, light = "#08306b", "#fd8d3c"
    for ax, expected, column in (growth, "expected_growth", "growth"), (share, "expected_share", "share"):
        ax.plot(table[expected], y, "|", color=light, markersize=16, markeredgewidth=2.5,
                label="by the linear recurrence")
        ax.plot(table[column], y, "o", color=dark, markersize=4.5, label="in fresh models")
    growth.set(title="growth", xlabel="factor of y\nin a cycle", xlim=(0, 4.2))
    share.set(title="share", xlabel="of the gradient\nin the window", xscale="log", xlim=(2e-5, 2))
    cosine.plot(table["cosine"], y, "o", color=dark, markersize=4.5)
    cosine.plot(table["cosine_qk"], y, "x", color=dark, markersize=5)
    cosine.set(title="direction", xlabel="cosine: o block,\nx queries, keys", xlim=(0.5, 1.03))
    learned.barh(y, table["learned"], color=dark, height=0.5)
    learned.set(title="learning", xlabel="runs that\nlearned, %", xlim=(0, 1.03))
    percent(learned.xaxis)
    growth.set_yticks(list(heights.values()), names, fontsize=9)
    growth.set_ylim(-len(heights) + 0.5, 0.5)
    handles, labels = growth.get_legend_handles_labels()
    figure.legend(handles[:2], labels[:2], loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


@styled
def learning(curves, note=""):
    """Accuracy over training, a panel per task, a line per model and seed.

    One row per evaluation, as `tarm.cause.curves` gives them: norm, scale, task, seed, step, accuracy.
    """
    colours = {("pre", "published"): "#7f2704", ("pre", "unit"): "#6baed6", ("reentry", "published"): "#fdae6b",
               ("post", "published"): "#e6550d", ("reentry", "unit"): "#3182bd", ("post", "unit"): "#08306b"}
    tasks = list(dict.fromkeys(curves["task"]))
    figure, axes = new(3.4, 1, len(tasks), note, sharey=True)
    for ax, task in zip(axes, tasks):
        for (norm, scale), here in curves[curves["task"] == task].groupby(["norm", "scale"], sort=False):
            for i, (_, line) in enumerate(here.groupby("seed")):
                ax.plot(line["step"], line["accuracy"], color=colours[norm, scale], linewidth=1.3,
                        label="" if i else f"{NORMS[norm]}, {SCALES[scale]}")
        ax.set(title=task, xlabel="training steps")
        percent(ax.yaxis, ylim=(0, 1.04))
    axes[0].set_ylabel("characters right, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


@styled
def doses(points, note=""):
    """A row per model, the largest share on top: how much of the gradient the window holds, and how many runs learned,
    with the exact interval.

    One row per model: share (of the gradient), label, learned, runs, low, high.
    """
    rows = points.sort_values("share", kind="stable")
    figure, (share, learned) = new(0.28 * len(rows) + 1, 1, 2, note, sharey=True)
    share.plot(rows["share"], range(len(rows)), "o", color="#08306b", markersize=5, clip_on=False)
    share.set(xscale="log", xlabel="share of the gradient in the window", xlim=(5e-6, 2), ylim=(-0.5, len(rows) - 0.5))
    share.set_yticks(range(len(rows)), rows["label"], fontsize=9)
    learned.hlines(range(len(rows)), rows["low"], rows["high"], color="#2878b8", linewidth=2, alpha=0.45)
    learned.plot(rows["learned"] / rows["runs"], range(len(rows)), "o", color="#08306b", markersize=5, clip_on=False)
    learned.set_xlabel("runs that learned, %")
    percent(learned.xaxis, xlim=(-0.02, 1.03))
    return figure
