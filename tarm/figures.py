"""One function per figure: it takes a table and returns a matplotlib Figure, and does nothing else.

Tables of results have one row per point, as `tarm.gallery` selects them: rung, mean, low,
high, values, seeds, chance, and what the figure varies.
"""

import textwrap

import matplotlib
from matplotlib.patches import Patch

from .drawing import CHANCE, bars, curves, new, on, percent, stop_axis, styled
from .ladder import LADDER


@styled
def performance_across_tasks(points, note=""):
    """Character accuracy of every rung on every task, chance dashed. One row per rung and task."""
    rungs = [rung for rung in LADDER if rung in set(points["rung"])]
    places = {rung: -i for i, rung in enumerate(rungs)}
    room = 0.26 * (points["seeds"].nunique() > 1)  # for numbers of seeds
    figure, axes = new(3.5, 1, points["task"].nunique(), note, sharey=True)
    for ax, (task, here) in zip(axes, points.groupby("task", sort=False)):
        bars(ax, here, places)
        ax.set(title=task, xlabel="characters right, %")
        stop_axis(ax, 0, 1, 1.42 + room)
    axes[0].set_yticks(list(places.values()), [textwrap.fill(LADDER[rung].name, 21) for rung in rungs])
    return figure


@styled
def addition_by_architecture(points, note=""):
    """Characters and whole answers right, rungs grouped by family. One row per rung and metric."""
    places, labels = {}, {}
    for family, part in points.groupby("family", sort=False):
        labels[-len(labels)] = family
        for rung in part["rung"].unique():
            places[rung] = -len(labels)
            labels[-len(labels)] = LADDER[rung].name
    figure, axes = new(4.2, 1, 2, note, sharey=True)
    for ax, (metric, here) in zip(axes, points.groupby("metric", sort=False)):
        bars(ax, here, places)
        ax.set(title={"character": "characters", "sequence": "whole answers"}[metric], xlabel="right, %",
               ylim=(0.5 - len(labels), 0.5))
        stop_axis(ax, 0, 1, 1.25 + 0.16 * (points["seeds"].nunique() > 1))
    axes[0].set_yticks(list(labels), labels.values())
    for label in axes[0].get_yticklabels():
        label.set_fontweight("bold" if label.get_text() in set(points["family"]) else "normal")
    return figure


@styled
def accuracy_by_position(points, note=""):
    """Accuracy at each character of the answer, a panel per family, chance dashed. One row per rung and position."""
    return curve_panels(points, "position", note, "character of the answer", "characters right, %")


@styled
def learning_dynamics(points, note=""):
    """Character accuracy over training, a panel per family. One row per rung and step."""
    return curve_panels(points, "step", note, "training steps", "characters right, %")


@styled
def last_character_bottleneck(points, note=""):
    """Accuracy of the answer's last character over training: who gets it, who does not.

    One row per rung and step; overcome says whether the rung is above one half at the end.
    """
    rest = "not overcome" if points["seeds"].all() else "not overcome, or not run"
    panels = {"overcome: ends above 50 %": points[points["overcome"]], rest: points[~points["overcome"]]}
    return curve_panels(points, "step", note, "training steps", "last character right, %", panels)


def curve_panels(points, x, note, xlabel, ylabel, panels=None):
    """Curves over the column x, the level of chance dashed, a panel per family or for each {title: points}."""
    panels = panels or dict(list(points.groupby("family", sort=False)))
    figure, axes = new(3.2, 1, len(panels), note, sharey=True)
    axes[0].set_ylabel(ylabel)
    start, stop = points[x].min(), points[x].max()
    span = stop - start or 1
    level = points[[x, "chance"]].drop_duplicates()
    for ax, (title, here) in zip(axes, panels.items()):
        percent(ax.yaxis, ylim=(-0.03, 1.06), yticks=(0, 0.2, 0.4, 0.6, 0.8, 1), title=title, xlabel=xlabel)
        curves(ax, here, x, 10 if len(panels) > 2 else 20, points["seeds"].nunique() > 1)
        ax.plot(level[x], level["chance"], zorder=0.9, **CHANCE)
        few = len(panels) > 2 and stop >= 1000  # long numbers in narrow panels
        ticks = matplotlib.ticker.MaxNLocator(2 if few else 4, integer=True).tick_values(start, stop)
        ax.set_xticks([tick for tick in ticks if start <= tick <= stop])
        stop_axis(ax, start - 0.06 * span, stop, stop + (0.62 if len(panels) > 2 else 0.55) * span)
        if here.empty:
            ax.text(start + span / 2, 0.5, "no rung", ha="center", color="#888888")
    return figure


def rows_of_boxes(ax, labels, columns, handles):
    """Axes for a row of boxes per label, `columns` boxes wide, with the handles' legend on top."""
    ax.set(xlim=(0.45, columns + 0.55), ylim=(-len(labels) + 0.5, 0.5))
    ax.set_yticks([-i for i in range(len(labels))], labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=9,
              handlelength=1.2, columnspacing=1.4)


@styled
def compute_placement(passes, note=""):
    """Every nominal pass of every rung as a box: its stream, what it reads, whether it is trained.

    One row per rung and pass, as `tarm.placement.compute_placement` gives them.
    """
    rungs = list(passes["rung"].unique())
    figure, (ax,) = new(0.64 * len(rungs) + 1.2, note=note)
    for row in passes.itertuples():
        x, y, colour = row[2], -rungs.index(row.rung), LADDER[row.rung].colour
        face = colour if row.gradient else "white"
        ax.add_patch(matplotlib.patches.FancyBboxPatch(
            (x - 0.43, y - 0.3), 0.86, 0.6, boxstyle="round,pad=0,rounding_size=0.08", facecolor=face,
            edgecolor=colour if row.executed else "#bbbbbb", linewidth=1.2 if row.executed else 0.8,
            linestyle="-" if row.executed else (0, (2, 2))))
        if row.executed:
            ax.text(x, y + 0.13, row.stream, ha="center", va="center", fontsize=10.5, fontweight="bold", color=on(face))
            ax.text(x, y - 0.15, row.reads, ha="center", va="center", fontsize=8, color=on(face))
        if row.readout:
            ax.plot(x, y + 0.41, marker="v", markersize=5, color="#222222", clip_on=False)
    gray = "#666666"
    rows_of_boxes(ax, [LADDER[rung].short for rung in rungs], passes["pass"].max(), [
        Patch(facecolor=gray, edgecolor=gray, label="runs, receives a gradient"),
        Patch(facecolor="white", edgecolor=gray, label="runs, no gradient"),
        Patch(facecolor="white", edgecolor="#bbbbbb", linestyle=":", label="does not run"),
        matplotlib.lines.Line2D([], [], marker="v", linestyle="", color="#222222", markersize=5,
                                label="the head reads it")])
    ax.set_xlabel("nominal block pass")
    ax.set_xticks(sorted(passes["pass"].unique()))
    return figure


@styled
def supervised_characters(characters, note=""):
    """One problem a task as rows of characters: what is read, and what has to be predicted.

    One row per task and place: task, place (from 1), character, supervised (does the loss see
    its prediction?).
    """
    tasks = list(characters["task"].unique())
    figure, (ax,) = new(0.56 * len(tasks) + 0.75, note=note)
    for row in characters.itertuples():
        y = -tasks.index(row.task)
        ax.add_patch(matplotlib.patches.Rectangle((row.place - 0.45, y - 0.34), 0.9, 0.68, edgecolor="white",
                                                  facecolor="#08306b" if row.supervised else "#dddddd"))
        ax.text(row.place, y, row.character.replace("\n", "\u21b5"), ha="center", va="center", fontsize=11,
                color="white" if row.supervised else "#222222")
    rows_of_boxes(ax, tasks, characters["place"].max(), [
        Patch(color="#dddddd", label="prompt: read"),
        Patch(color="#08306b", label="answer and newline: predicted, seen by the loss")])
    ax.set_xticks([])
    return figure
