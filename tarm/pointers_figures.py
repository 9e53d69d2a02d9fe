"""Figures on the task `pointers`: how many of them a model has learned to follow.

Each takes a table of `tarm.gain.by_quarter`, returns a Figure; the answer's last quarter takes one pointer,
the first one four.
"""

from .drawing import CHANCE, grid, percent, styled
from .gain_figures import passes_axis, style_of


@styled
def by_pointers(quarters, models, guess, note=""):
    """How many pointers are followed, a panel per model and a line per run.

    quarters: each run with the passes that it was trained with; models: {model: what its panel is called}; guess: what
    can be had without following the pointers, by how many there are (1 to 4), dashed.
    """
    figure, axes = grid(len(models), 5, 2.0, 0.7, note, "pointers", "characters right, %")
    for ax, model in zip(axes, models):
        here = quarters[quarters["model"] == model].assign(pointers=lambda rows: 5 - rows["quarter"])
        colour, _ = style_of(model, here["rung"].iloc[0])
        for _, line in here.sort_values("pointers").groupby(["passes", "seed"]):
            ax.plot(line["pointers"], line["accuracy"], "o-", color=colour, markersize=4,
                    markerfacecolor="none", linewidth=1.1, alpha=0.8, clip_on=False)
        ax.plot(guess.index, guess, **CHANCE)
        percent(ax.yaxis, ylim=(0, 1.04), xticks=(1, 2, 3, 4), title=models[model])
    return figure


@styled
def by_passes(quarters, models, note=""):
    """The same over the number of passes run, a panel per model, a line for each number of pointers: means over seeds,
    and a mark a run. A dotted line stands at the number of passes with which these were trained."""
    figure, axes = grid(len(models), 4, 2.1, 0.9, note, "passes run (log scale)", "characters right, %")
    for ax, model in zip(axes, models):
        here = quarters[quarters["model"] == model]
        for quarter, colour in zip((4, 3, 2, 1), ("#fdbe6f", "#41ab9d", "#3573b9", "#4d1a6b")):
            line = here[here["quarter"] == quarter]
            mean = line.groupby("passes")["accuracy"].mean()
            ax.plot(mean.index, mean, color=colour, linewidth=1.6, label=f"{5 - quarter} pointer{'s' * (quarter < 4)}")
            ax.plot(line["passes"], line["accuracy"], "o", color=colour, markersize=3,
                    markerfacecolor="white", clip_on=False)
        ax.axvline(here["trained"].iloc[0], **CHANCE | {"linestyle": ":"})
        passes_axis(ax, (2, 4, 6, 12, 24))
        percent(ax.yaxis, ylim=(0, 1.04), title=models[model])
        ax.tick_params(axis="x", labelbottom=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure
