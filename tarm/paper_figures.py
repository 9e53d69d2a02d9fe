"""Figures that only published sizes make sense of; each takes a table of `tarm.paper` and returns a Figure.

What has not been run is in every table, without a value, and in every figure, in words.
"""

import matplotlib
from matplotlib.lines import Line2D

from .drawing import CHANCE, MARKERS, NOT_RUN, NOT_RUN_COLOUR, counted, curves, new, on, percent, stop_axis, styled
from .gain import AXES
from .gain_figures import style_of
from .ladder import LADDER

PHASES = {"Q1": "first quarter", "Q2": "second quarter", "Q3": "third quarter", "last": "last character"}
UNITS = {"training steps": (1, ""), "executed passes": (1e3, ", 10³"), "trained passes": (1e3, ", 10³"),
         "training FLOP": (1e15, ", 10¹⁵")}


@styled
def first_character(rows, note=""):
    """Accuracy of a sum's first character by rung and length, a panel per width: the published number, ours below it.

    One row per width, rung and column ("L = 10"): published, mean (ours, nan where not run), seeds, both in %.
    """
    rungs, columns = list(rows["rung"].unique()), list(rows["column"].unique())
    figure, axes = new(4.4, 1, rows["width"].nunique(), note, sharey=True)
    shades = matplotlib.colormaps["Blues"]
    for ax, (width, here) in zip(axes, rows.groupby("width", sort=False)):
        for row in here.itertuples():
            x, y = columns.index(row.column), -rungs.index(row.rung)
            colour = shades(row.mean / 120) if row.seeds else "white"
            ax.add_patch(matplotlib.patches.Rectangle((x - 0.47, y - 0.46), 0.94, 0.92,
                                                      facecolor=colour, edgecolor="#cccccc"))
            ax.text(x, y + 0.2, f"{row.published:g}", ha="center", va="center", fontsize=8.5, color=on(colour))
            ours = counted(f"{row.mean:.1f}", row.seeds) if row.seeds else NOT_RUN
            ax.text(x, y - 0.2, ours, ha="center", va="center", fontsize=8.5,
                    fontweight="bold" if row.seeds else "normal", color=on(colour) if row.seeds else NOT_RUN_COLOUR)
        ax.set(title=f"width {width}", xlim=(-0.5, len(columns) - 0.5), ylim=(0.5 - len(rungs), 0.5))
        ax.set_xticks(range(len(columns)), columns)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_yticks([-i for i in range(len(rungs))], [LADDER[rung].short for rung in rungs])
    figure.suptitle("first character right, %: published above, ours below (seeds in brackets)",
                    fontsize=9.5, color="#444444")
    return figure


@styled
def scatter(rows, note=""):
    """First-character accuracy at L = 20 against L = 30, filled for each of our runs, hollow as published.

    One row per rung and column ("L = 20", "L = 30"): published, ours (a list, one a seed), seeds, in %.
    """
    figure, (ax,) = new(4.4, note=note)
    handles = []
    for rung, here in rows.groupby("rung", sort=False):
        here, entry = here.set_index("column"), LADDER[rung]
        look = {"marker": MARKERS.get(rung, "*"), "color": entry.colour, "linestyle": "", "markersize": 7}
        ax.plot(*here.loc[["L = 20", "L = 30"], "published"], fillstyle="none", **look)
        ax.plot(here.at["L = 20", "ours"], here.at["L = 30", "ours"], **look)
        seeds = here["seeds"].min()
        handles.append(Line2D([], [], label=counted(entry.short, seeds), fillstyle="full" if seeds else "none", **look))
    ax.plot([0, 100], [0, 100], **CHANCE)
    ax.axvline(50, **CHANCE), ax.axhline(50, **CHANCE)
    ax.set(xlim=(0, 102), ylim=(0, 102), xlabel="first character right at L = 20, %",
           ylabel="at L = 30, %", aspect="equal", xticks=range(0, 101, 20), yticks=range(0, 101, 20))
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.03, 0.5), frameon=False, fontsize=9,
              title="hollow: published; filled: ours")
    return figure


@styled
def phase_transition(points, note=""):
    """Accuracy of parts of the sum over training, a row of panels per part, a column per width, chance dashed.

    One row per width, metric, rung and step, as `tarm.statistics.over_seeds` makes them, with chance.
    """
    widths, parts = list(points["width"].unique()), [part for part in PHASES if part in set(points["metric"])]
    figure, axes = new(2.3 * len(parts) + 0.5, len(parts), len(widths), note, sharey=True)
    stop = points["step"].max()
    for i, part in enumerate(parts):
        for ax, width in zip(axes[i * len(widths):], widths):
            here = points[(points["width"] == width) & (points["metric"] == part)]
            percent(ax.yaxis, ylim=(-0.03, 1.06), yticks=(0, 0.5, 1), title=f"{PHASES[part]}, width {width}")
            curves(ax, here, "step", 24, True)
            ax.plot([0, stop], [here["chance"].iloc[0]] * 2, zorder=0.9, **CHANCE)
            ax.set_xticks([0, stop // 2, stop])
            stop_axis(ax, 0, stop, 1.75 * stop)
        axes[i * len(widths)].set_ylabel("characters right, %")
    for ax in axes[-len(widths):]:
        ax.set_xlabel("training steps")
        stop_axis(ax, 0, stop, 1.75 * stop)
    return figure


def draw_cell(row, runs, look):
    """One cell's line in each of a row of panels: every seed thin, their mean thick."""
    for ax, (axis, (unit, _)) in zip(row, UNITS.items()):
        for _, run in runs.groupby("seed"):
            ax.plot(run[axis] / unit, run["accuracy"], linewidth=0.5, alpha=0.5, **look)
        mean = runs.groupby("step")[[axis, "accuracy"]].mean()
        ax.plot(mean[axis] / unit, mean["accuracy"], linewidth=1.4, **look)


@styled
def spent(points, note=""):
    """Accuracy over its cost: a row of panels per width and passes, a column per axis of `tarm.gain`, a line per cell.

    One row per cell, seed and evaluation: width, row, model, rung, passes, seed, step, accuracy, seeds, and AXES.
    """
    sizes = list(points.groupby(["width", "row"], sort=False))
    figure, axes = new(1.75 * len(sizes) + 0.9, len(sizes), len(AXES), note, sharey=True, sharex="col")
    for i, ((width, passes), here) in enumerate(sizes):
        row, handles = axes[i * len(AXES):(i + 1) * len(AXES)], []
        for (model, own), one in here.groupby(["model", "passes"], sort=False):
            colour, dashes = style_of(model, one["rung"].iloc[0])
            look, seeds = {"color": colour, "linestyle": dashes}, one["seeds"].iloc[0]
            if seeds:
                draw_cell(row, one, look)
            name = counted(model if own == passes else f"{model}, {own} passes", seeds)
            handles.append(Line2D([], [], label=name, **look if seeds else {"linestyle": ""}))
        percent(row[0].yaxis, ylim=(-0.03, 1.06), yticks=(0, 0.5, 1))
        row[0].set_title(f"{passes} passes, width {width}", loc="left")
        row[0].set_ylabel("characters\nright, %")
        row[-1].legend(handles=handles, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False,
                       fontsize=7, handlelength=3.2)
    for ax, (axis, (unit, text)) in zip(axes[-len(AXES):], UNITS.items()):
        stop = points[axis].max() / unit if axis in points else 1
        last = max(tick for tick in matplotlib.ticker.MaxNLocator(2).tick_values(0, stop) if tick <= stop)
        ax.set(xlim=(0, 1.05 * stop), xticks=[0, last])
        ax.set_xlabel(axis.replace(" ", "\n", 1) + text, fontsize=8.5)
    return figure
