"""Figures on whether a model that learns gains anything from more passes; each takes a table of `tarm.gain`, returns
a Figure. (Those of the task `pointers`: `tarm.pointers_figures`.)"""

import math
import textwrap

import matplotlib

from .drawing import CHANCE, grid, new, percent, styled
from .gain import FORM_NAMES
from .ladder import LADDER

CURED_COLOUR = "#6a3d9a"  # no rung has this colour: the cured model stands outside the ladder
DASHES = {"window step": (0, (4, 1.5)), "window all": (0, (1, 1)), "deep supervision": (0, (4, 1, 1, 1)),
          "trained halting": (0, (6, 1, 1, 1, 1, 1))}
MARKS = {3: "o", 4: "o", 6: "s", 12: "^", 24: "D"}  # by passes; Dual UT takes 4 for 3
HEIGHTS = {3: 0.3, 4: 0.3, 6: 0.1, 12: -0.1, 24: -0.3}  # of the same within the row of a model


def style_of(model, rung):
    """(colour, dashes) of a model as `tarm.gain.label` names it."""
    dashes = next((dash for part, dash in reversed(DASHES.items()) if part in model), "-")
    return CURED_COLOUR if model.startswith(tuple(FORM_NAMES.values())) else LADDER[rung].colour, dashes


def passes_axis(ax, ticks):
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())


@styled
def model_by_model(ends, models, chance, threshold, note=""):
    """What is right in the end over the number of passes, a panel per model, four a row: a ring for each run, a seed
    beside the other, and a line through their medians.

    One row per run: model, rung, passes, seed, accuracy. chance, threshold: levels, dashed and dotted.
    """
    figure, axes = grid(len(models), 4, 1.9, 0.7, note, "block passes", "characters right, %")
    for ax, model in zip(axes, models):
        here = ends[ends["model"] == model]
        colour, _ = style_of(model, here["rung"].iloc[0])
        ax.plot(here.groupby("passes")["accuracy"].median(), color=colour, linewidth=1.3)
        beside = here["seed"].rank(method="dense")
        ax.plot(here["passes"] * 1.06 ** (beside - beside.mean()), here["accuracy"], "o", color=colour, markersize=4.5,
                markerfacecolor="none", clip_on=False)
        ax.axhline(chance, **CHANCE)
        ax.axhline(threshold, **CHANCE | {"linestyle": ":"})
        passes_axis(ax, (3, 6, 12, 24))
        title = model.replace(", ", ",\n") if ", " in model else textwrap.fill(model, 14)
        percent(ax.yaxis, ylim=(0, 1.04), title=title)
    return figure


@styled
def row_by_row(ends, models, chance, threshold, note="", filled=()):
    """A row per model, first on top: a ring per run, a seed below the other, a bar at their median, a column of means.

    One row per run: model, rung, seed, accuracy. models: {model: what the row is called}; chance, threshold: levels,
    dashed and dotted; filled: seeds whose rings are discs.
    """
    figure, (ax,) = new(0.36 * len(models) + 1.3, note=note)
    first = math.floor(4 * min(chance, ends["accuracy"].min())) / 4  # where the axis begins
    column = 1 + 0.05 * (1 - first)
    for i, model in enumerate(models):
        here = ends[ends["model"] == model]
        colour, _ = style_of(model, here["rung"].iloc[0])
        beside = here["seed"].rank(method="dense")
        heights = -i - 0.55 * (beside - beside.mean()) / max(len(here), 5)
        for face, these in ("none", ~here["seed"].isin(filled)), (colour, here["seed"].isin(filled)):
            ax.plot(here["accuracy"][these], heights[these], "o", color=colour, markersize=4.5,
                    markerfacecolor=face, clip_on=False)
        ax.plot([here["accuracy"].median()] * 2, [-i - 0.32, -i + 0.32], color=colour, linewidth=1.6)
        ax.text(column, -i, f"{100 * here['accuracy'].mean():.0f}", color=colour, va="center", fontsize=9)
    ax.text(column, 0.75, "mean", va="center", fontsize=8.5, color="#666666")
    ax.axvline(chance, **CHANCE)
    ax.axvline(threshold, **CHANCE | {"linestyle": ":"})
    percent(ax.xaxis, xlim=(first, 1 + 0.13 * (1 - first)), ylim=(-len(models) + 0.4, 1),
            xlabel="characters right, %" + f" (the axis begins at {100 * first:.0f})" * (first > 0),
            xticks=[x for x in (0, 0.25, 0.5, 0.75, 1) if x >= first])
    ax.spines["bottom"].set_bounds(first, 1)
    ax.set_yticks([-i for i in range(len(models))], list(models.values()), fontsize=8.5)
    return figure


@styled
def spending(runs, axes, order, note=""):
    """What each run had spent until it first got the threshold right, an axis a panel, a mark a run.

    One row per run, as `tarm.gain.until` gives them; axes: its columns of what was spent; order: the models, the first
    on top. A run that never got there has no mark; those of cells in which every run did are filled. Within a row, more
    passes are lower.
    """
    figure, panels = new(0.42 * len(order) + 1.6, 1, len(axes), note, sharey=True)
    everyone = runs.groupby(["model", "passes"])["reached"].transform("all")
    there = runs.assign(everyone=everyone)[runs["reached"]]
    for ax, axis in zip(panels, axes):
        for spent, row in zip(there[axis], there.itertuples()):
            colour, _ = style_of(row.model, row.rung)
            ax.plot(spent, HEIGHTS[row.passes] - order.index(row.model), MARKS[row.passes], color=colour,
                    markersize=4.5, markeredgewidth=1, markerfacecolor=colour if row.everyone else "none",
                    alpha=0.85, clip_on=False)
        ax.set(title=axis.replace(" ", "\n"), ylim=(-len(order) + 0.5, 0.5))
        ax.set_xlim(0)
        ax.grid(axis="y", color="#eeeeee")
        ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(2))
        ax.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: _short(value)))
    panels[0].set_yticks([-i for i in range(len(order))], [textwrap.fill(model, 24) for model in order], fontsize=8.5)
    ran = set(there["passes"])
    labels = {passes: f"{passes} passes" for passes in (3, 6, 12, 24) if passes in ran}
    if {3, 4} <= ran:
        labels[3] += " (Dual UT: 4)"
    handles = [matplotlib.lines.Line2D([], [], linestyle="", marker=MARKS[passes],
                                       color="#444444", markerfacecolor="none", label=label)
               for passes, label in labels.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure


def _short(value):
    """A tick: 400, 20 k, 5 T."""
    for size, letter in (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


@styled
def other_depths(points, chance, note=""):
    """A panel per model: what is right with another number of passes than it was trained with, a line for each that it
    was trained with, through the means over seeds (filled at its own number), and a mark a run; the dotted line
    joins the means of the models trained with each.

    One row per run: model, rung, trained, passes, seed, accuracy.
    """
    models = list(dict.fromkeys(points["model"]))
    figure, axes = new(3.3, 1, len(models), note, sharey=True)
    axes[0].set_ylabel("characters right, %")
    shades = {3: "#fdbe6f", 4: "#fdbe6f", 6: "#41ab9d", 12: "#3573b9", 24: "#4d1a6b"}
    for ax, model in zip(axes, models):
        here = points[points["model"] == model]
        own = here[here["trained"] == here["passes"]].groupby("passes")["accuracy"].mean()
        for trained, runs in here.groupby("trained"):
            mean = runs.groupby("passes")["accuracy"].mean()
            ax.plot(runs["passes"], runs["accuracy"], "o", color=shades[trained], markersize=2.5, alpha=0.5,
                    markeredgewidth=0)
            ax.plot(mean.index, mean, color=shades[trained], linewidth=1.8, label=f"trained with {trained}")
            ax.plot(trained, mean[trained], "o", color=shades[trained], markersize=6)
        ax.plot(own.index, own, ":", color="#222222", linewidth=1.2, zorder=3)
        passes_axis(ax, (3, 6, 12, 24, 48))
        ax.axhline(chance, **CHANCE)
        percent(ax.yaxis, ylim=(0, 1.04), title=textwrap.fill(model, 14), xlabel="passes run")
    handles, labels = max((ax.get_legend_handles_labels() for ax in axes), key=lambda found: len(found[0]))
    figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure
