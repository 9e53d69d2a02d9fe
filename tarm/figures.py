"""One function per figure: it takes a table and returns a matplotlib Figure, and does nothing else.

Tables of results have one row per point, as `tarm.gallery` selects them: rung, mean, low,
high, seeds, and what the figure varies. Colours and names come from `tarm.LADDER`.
"""

import functools

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .ladder import LADDER

STYLE = {
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 8.5, "axes.titleweight": "bold", "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": "#888888", "xtick.color": "#444444", "ytick.color": "#444444",
    "axes.axisbelow": True, "svg.hashsalt": "tarm", "svg.fonttype": "path", "figure.dpi": 100,
}
MARKERS = dict(zip(LADDER, "osD^vPX"))  # a rung that somebody adds gets a star
CHANCE = {"color": "#999999", "linewidth": 1, "linestyle": (0, (3, 2)), "zorder": 0.9}


def new(width, height, rows=1, columns=1, note="", **options):
    """(figure, axes in a list), with the note that says what the figure shows below them."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).flatten().tolist()
    figure.supxlabel(note, fontsize=7, color="#666666", x=0.01, ha="left")
    return figure, axes


def styled(draw):
    """Make a figure function draw in STYLE, whatever the reader's own settings."""
    @functools.wraps(draw)
    def drawn(*arguments, **options):
        with matplotlib.style.context(["default", STYLE]):
            figure = draw(*arguments, **options)
            figure.draw_without_rendering()
            settle_layout(figure)
            return figure
    return drawn


def settle_layout(figure):
    """Keep the layout that was found, rounded: its solver's last digits differ from run to run."""
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(x, 5) for x in axes.get_position().bounds])
    for text in figure.texts:
        text.set_position([round(x, 5) for x in text.get_position()])


def percent(axis, **limits):
    axis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, decimals=0))
    axis.axes.set(**limits)
    axis.grid(color="#eeeeee")


def error(points):
    """Distances from the mean to the interval's ends, as matplotlib wants them; nan draws nothing."""
    return [points["mean"] - points["low"], points["high"] - points["mean"]]


def label_lines(axes, lines, gap):
    """Write each line's name at its right end, spread so that no two names overlap.

    lines: (x, y, text, colour); gap: the least distance between two names, in units of y.
    """
    height = -1e9
    for x, y, text, colour in sorted(lines, key=lambda line: line[1]):
        height = max(y, height + gap)
        axes.annotate(text, (x, height), xytext=(5, 0), textcoords="offset points", color=colour, va="center",
                      fontsize=8, annotation_clip=False)


def curves(axes, points, x, gap=0.075):
    """One line per rung over the column x, its interval as a band, its name at the end."""
    ends = []
    for rung, line in points.groupby("rung", sort=False):
        entry = LADDER[rung]
        if line["seeds"].min() > 1:  # each seed as a thin line
            for values in zip(*line["values"]):
                axes.plot(line[x], values, color=entry.colour, linewidth=0.6, alpha=0.45)
        axes.plot(line[x], line["mean"], color=entry.colour, marker=MARKERS.get(rung, "*"), markersize=3.5, linewidth=1.5)
        axes.fill_between(line[x], line["low"], line["high"], color=entry.colour, alpha=0.18, linewidth=0)
        ends.append((line[x].iloc[-1], line["mean"].iloc[-1], entry.short, entry.colour))
    label_lines(axes, ends, gap)


def seed_dots(axes, places, points, at):
    """A dot for each seed of each bar, where there are several; -> the values, a list a bar."""
    for place, values in zip(places, points["values"]):
        if len(values) > 1:
            axes.plot(*zip(*(at(place, value) for value in values)), linestyle="", marker="o", markersize=3.2,
                      markerfacecolor="white", markeredgecolor="#222222", markeredgewidth=0.7, clip_on=False, zorder=5)
    return points["values"]


def bars(axes, points, rungs):
    """One horizontal bar per rung, the first of `rungs` on top, its value written at the end."""
    place = [-rungs.index(rung) for rung in points["rung"]]
    axes.barh(place, points["mean"], color=[LADDER[rung].colour for rung in points["rung"]], height=0.72,
              xerr=error(points), error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#222222"})
    tops = [max(values) for values in seed_dots(axes, place, points, lambda y, value: (value, y))]
    for y, mean, high, top in zip(place, points["mean"], points["high"].fillna(0), tops):
        axes.annotate(f"{mean:.0%}", (max(mean, high, top), y), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=8)
    axes.set_yticks([-i for i in range(len(rungs))], [LADDER[rung].name for rung in rungs])
    axes.tick_params(left=False)


@styled
def performance_across_tasks(points, note=""):
    """Character accuracy of every rung on every task, chance dashed. One row per rung and task."""
    tasks, rungs = list(points["task"].unique()), [rung for rung in LADDER if rung in set(points["rung"])]
    figure, axes = new(8, 2.9, 1, len(tasks), note, sharey=True)
    for ax, task in zip(axes, tasks):
        here = points[points["task"] == task]
        bars(ax, here, rungs)
        percent(ax.xaxis, xlim=(0, 1.18), xticks=(0, 0.5, 1), title=task)
        ax.axvline(here["chance"].iloc[0], **CHANCE)
    return figure


@styled
def addition_by_architecture(points, note=""):
    """Characters and whole sums right on addition, one panel per family. One row per rung and metric."""
    families = list(points["family"].unique())
    widths = [points[points["family"] == family]["rung"].nunique() for family in families]
    figure, axes = new(8, 3.3, 1, len(families), note, sharey=True, gridspec_kw={"width_ratios": widths})
    for ax, family in zip(axes, families):
        here = points[points["family"] == family]
        rungs = list(here["rung"].unique())
        for offset, (metric, part) in zip((-0.2, 0.2), here.groupby("metric", sort=False)):
            place = [rungs.index(rung) + offset for rung in part["rung"]]
            colours = [LADDER[rung].colour for rung in part["rung"]]
            style = {"color": colours} if metric == "character" else {"color": "white", "edgecolor": colours,
                                                                     "hatch": "////"}
            ax.bar(place, part["mean"], width=0.38, yerr=error(part), **style,
                   error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#222222"})
            tops = [max(values) for values in seed_dots(ax, place, part, lambda x, value: (x, value))]
            for x, mean, high, top in zip(place, part["mean"], part["high"].fillna(0), tops):
                ax.annotate(f"{mean:.0%}", (x, max(mean, high, top)), xytext=(0, 3), textcoords="offset points",
                            ha="center", fontsize=7.5)
        ax.set_xticks(range(len(rungs)), [LADDER[rung].short.replace(" ", "\n", 1) for rung in rungs])
        ax.axhline(here["chance"].iloc[0], **CHANCE)
        percent(ax.yaxis, ylim=(0, 1.1), title=family)
        ax.set_yticks((0, 0.25, 0.5, 0.75, 1))
        ax.grid(axis="x", visible=False)
    axes[-1].legend(handles=[Patch(color="#666666", label="characters"),
                             Patch(facecolor="white", edgecolor="#666666", hatch="////", label="whole sums")],
                    frameon=False, loc="upper right", fontsize=8)
    return figure


@styled
def accuracy_by_position(points, note=""):
    """Accuracy at each character of the sum, a panel per family, chance dashed. One row per rung and position."""
    return by_family(points, "position", note, xlabel="character of the sum")


@styled
def learning_dynamics(points, note=""):
    """Character accuracy on addition over training, a panel per family. One row per rung and step."""
    return by_family(points, "step", note, xlabel="training steps")


def by_family(points, x, note, xlabel):
    """Curves over the column x, a panel per family, the chance level dashed."""
    families = list(points["family"].unique())
    figure, axes = new(8, 2.9, 1, len(families), note, sharey=True)
    for ax, family in zip(axes, families):
        here = points[points["family"] == family]
        curves(ax, here, x)
        level = here[[x, "chance"]].drop_duplicates()
        ax.plot(level[x], level["chance"], **CHANCE)
        percent(ax.yaxis, ylim=(-0.03, 1.06), title=family, xlabel=xlabel)
        leave_room(ax, here[x].min(), here[x].max(), 0.5)
    return figure


def leave_room(axes, start, stop, share):
    """End the x axis at the data, leaving a share of its length on the right for the lines' names."""
    span = stop - start or 1
    axes.set_xlim(start - 0.06 * span, stop + share * span)
    axes.spines["bottom"].set_bounds(start - 0.06 * span, stop)
    ticks = matplotlib.ticker.MaxNLocator(4, integer=True).tick_values(start, stop)
    axes.set_xticks([tick for tick in ticks if start <= tick <= stop])


@styled
def last_character_bottleneck(points, note=""):
    """Accuracy of the sum's last character over training: who gets it, who does not.

    One row per rung and step; overcome says whether the rung is above one half at the end.
    """
    figure, axes = new(8, 2.9, 1, 2, note, sharey=True)
    for ax, overcome, title in zip(axes, (True, False), ("overcome", "not overcome")):
        here = points[points["overcome"] == overcome]
        curves(ax, here, "step")
        ax.axhline(points["chance"].iloc[0], **CHANCE)
        percent(ax.yaxis, ylim=(-0.03, 1.06), title=title, xlabel="training steps")
        leave_room(ax, 0, points["step"].max(), 0.3)
        if here.empty:
            ax.text(0.4, 0.5, "no rung", transform=ax.transAxes, ha="center", color="#888888")
    return figure


@styled
def compute_placement(passes, note=""):
    """Every nominal pass of every rung as a box: its stream, what it reads, whether it is trained.

    One row per rung and pass, as `tarm.placement.compute_placement` gives them.
    """
    rungs = list(passes["rung"].unique())
    figure, (ax,) = new(8.4, 0.74 * len(rungs) + 1.0, note=note)
    for row in passes.itertuples():
        x, y, colour = row[2], -rungs.index(row.rung), LADDER[row.rung].colour
        face = colour if row.gradient else "white"
        ax.add_patch(matplotlib.patches.FancyBboxPatch(
            (x - 0.38, y - 0.24), 0.76, 0.48, boxstyle="round,pad=0,rounding_size=0.08", facecolor=face,
            edgecolor=colour if row.executed else "#bbbbbb", linewidth=1.2 if row.executed else 0.8,
            linestyle="-" if row.executed else (0, (2, 2))))
        if row.executed:
            ax.text(x, y + 0.09, row.stream, ha="center", va="center", fontsize=9, fontweight="bold",
                    color=on(face))
            ax.text(x, y - 0.12, row.reads, ha="center", va="center", fontsize=5.8, color=on(face))
        if row.readout:
            ax.plot(x, y + 0.35, marker="v", markersize=5, color="#222222", clip_on=False)
    ax.set(xlim=(0.5, passes["pass"].max() + 0.5), ylim=(-len(rungs) + 0.55, 0.5),
           xlabel="nominal block pass")
    ax.set_xticks(sorted(passes["pass"].unique()))
    ax.set_yticks([-i for i in range(len(rungs))], [LADDER[rung].name for rung in rungs])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    gray = "#666666"
    ax.legend(handles=[Patch(facecolor=gray, edgecolor=gray, label="runs, receives a gradient"),
                       Patch(facecolor="white", edgecolor=gray, label="runs, no gradient"),
                       Patch(facecolor="white", edgecolor="#bbbbbb", linestyle=":", label="does not run"),
                       matplotlib.lines.Line2D([], [], marker="v", linestyle="", color="#222222", markersize=5,
                                               label="the head reads it")],
              loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, frameon=False, fontsize=8,
              handlelength=1.2, columnspacing=1.4)
    return figure


@styled
def supervised_characters(characters, note=""):
    """One problem a task as rows of characters: what is read, and what has to be predicted.

    One row per task and place: task, place (from 1), character, supervised (does the loss see
    its prediction?).
    """
    tasks = list(characters["task"].unique())
    figure, (ax,) = new(8, 0.62 * len(tasks) + 0.75, note=note)
    for row in characters.itertuples():
        y = -tasks.index(row.task)
        ax.add_patch(matplotlib.patches.Rectangle((row.place - 0.45, y - 0.34), 0.9, 0.68, edgecolor="white",
                                                  facecolor="#08306b" if row.supervised else "#dddddd"))
        ax.text(row.place, y, row.character.replace("\n", "\u21b5"), ha="center", va="center", fontsize=10,
                color="white" if row.supervised else "#222222")
    ax.set(xlim=(0.3, characters["place"].max() + 0.7), ylim=(-len(tasks) + 0.5, 0.5))
    ax.set_yticks([-i for i in range(len(tasks))], tasks)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.legend(handles=[Patch(color="#dddddd", label="prompt: read"),
                       Patch(color="#08306b", label="answer and newline: predicted, seen by the loss")],
              loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=8)
    return figure


def on(colour):
    """Black or white, whichever can be read on this colour."""
    r, g, b = matplotlib.colors.to_rgb(colour)
    return "white" if 0.299 * r + 0.587 * g + 0.114 * b < 0.6 else "#222222"
