"""Figures of what a model does inside, for the chapters; each takes a table or arrays, returns a Figure.

They are narrow, so that a telephone shows their words at a size that can be read.
"""

from functools import partial

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .drawing import name_end, new, on, spread, styled
from .ladder import LADDER

WIDTH = 5.2  # inches
panels = partial(new, width=WIDTH, note_size=7.5)
STREAMS = {"x": "#4d4d4d", "h": "#2878b8", "z": "#fd8d3c", "y": "#7f2704"}
DASHES = {"x": (0, (1, 1)), "h": "-", "z": (0, (4, 1.5)), "y": "-"}  # so that greyscale tells them apart
MARKS = (("o", "#08306b"), ("s", "#d94801"), ("^", "#2878b8"), ("D", "#7f2704"))  # of series that are not lines
BLUES = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#08306b"])


def name_ends(axes, ends, apart=0.075):
    """Write each line's name at its right end, those that would overlap spread about their mean, none beyond the axis;
    ends: (x, y, name, colour, x of the name); apart: of the axis, how much a name takes."""
    log = axes.get_yscale() == "log"
    low, high = map(np.log10 if log else float, axes.get_ylim())
    ends = sorted(ends, key=lambda end: end[1])
    needed = [min(apart, 1 / len(ends)) * (high - low)] * len(ends)
    heights = spread([np.log10(end[1]) if log else end[1] for end in ends], needed, low, high)
    for (x, y, name, colour, beside), height in zip(ends, heights):
        name_end(axes, name, (x, y), (beside, 10**height if log else height), colour, fontsize=9, fontweight="bold")


def plain_log(axes):
    """A logarithmic y axis; where it spans less than three decades its ticks are plain numbers."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 1000 * low:
        axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())


def shown(character):
    return character.replace("\n", "\u21b5")


@styled
def placement(passes, note=""):
    """The passes of a few rungs as boxes: the stream each updates and, below, what it reads.

    One row per rung and pass, as `tarm.placement.compute_placement` gives them.
    """
    rungs, budget = list(passes["rung"].unique()), passes["pass"].max()
    figure, (ax,) = panels(0.85 * len(rungs) + 0.55, note=note)
    for row in passes.itertuples():
        x, y, colour = row[2], -rungs.index(row.rung), LADDER[row.rung].colour
        face = colour if row.gradient else "white"
        ax.add_patch(matplotlib.patches.Rectangle(
            (x - 0.43, y - 0.2), 0.86, 0.4, facecolor=face, edgecolor=colour if row.executed else "#bbbbbb",
            linewidth=1.2, linestyle="-" if row.executed else (0, (2, 2))))
        if row.executed:
            block = "f" if LADDER[row.rung].model.tied else f"$f_{{{row[2]}}}$"
            ax.text(x, y + 0.06, row.stream, ha="center", va="center", fontsize=10, fontweight="bold", color=on(face))
            ax.text(x, y - 0.11, block, ha="center", va="center", fontsize=7, color=on(face))
            ax.text(x, y - 0.33, row.reads.replace(" ", ""), ha="center", va="center", fontsize=7.5, color="#444444")
        if row.readout:
            ax.plot(x, y + 0.29, marker="v", markersize=5, color="#222222")
    for rung in rungs:
        ax.text(0.55, -rungs.index(rung) + 0.36, LADDER[rung].name, fontsize=9, fontweight="bold", color="#222222",
                va="bottom")
    ax.set(xlim=(0.4, budget + 0.6), ylim=(-len(rungs) + 0.52, 0.62))
    ax.axis("off")
    return figure


@styled
def lines(table, x, y, by, note="", colours=None, log=False, ylabel="", xlabel="", limits=None,
          level=None, at=None):
    """Lines over the column x, one for each value of the column `by`, whose name stands at its end.

    colours: {value: colour}; streams x, h, y, z and rungs have theirs. level: (height, name) of a dashed line, such as
    chance. at: a place on the x axis that gets a tick and an upright line.
    """
    figure, (ax,) = panels(2.9, note=note)
    draw_lines(ax, table, x, y, by, colours or {}, log, limits)
    if level:
        ax.axhline(level[0], color="#888888", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        ax.annotate(level[1], (0, level[0]), xycoords=("axes fraction", "data"),
                    xytext=(3, -3), textcoords="offset points", color="#666666", fontsize=8, va="top")
    if at is not None:
        ax.axvline(at, color="#888888", linewidth=1, zorder=0)
        ticks = ax.get_xticks()
        ax.set_xticks(sorted({at, *ticks[np.abs(ticks - at) > (ticks[1] - ticks[0]) / 2]}))  # not one beside it
    ax.set(xlabel=xlabel or x, ylabel=ylabel or y)
    return figure


def draw_lines(ax, table, x, y, by, colours, log=False, limits=None, apart=0.075):
    known = STREAMS | {key: rung.colour for key, rung in LADDER.items()} | colours
    ends, last = [], table[x].max()
    span = last - table[x].min() or 1
    for value, part in table.groupby(by, sort=False):
        colour = known.get(value, "#444444")
        ax.plot(part[x], part[y], color=colour, linestyle=DASHES.get(value, "-"), linewidth=1.8,
                marker="o" if len(part) < 30 else None, markersize=3.5)
        name = LADDER[value].short if value in LADDER else str(value)
        end = part[x].iloc[-1]
        beside = last if last - end < 0.1 * span else end  # not upon another line
        ends.append((end, part[y].iloc[-1], name, colour, beside))
    if limits:
        ax.set_ylim(limits)
    if log:
        plain_log(ax)
    name_ends(ax, ends, apart)
    longest = max(len(end[2]) for end in ends)
    ticks = matplotlib.ticker.MaxNLocator(6, integer=True, steps=(1, 2, 2.5, 5, 10)).tick_values(table[x].min(), last)
    ax.set_xticks([tick for tick in ticks if table[x].min() <= tick <= last])  # none beside the names
    ax.set_xlim(table[x].min() - 0.03 * span, last + (0.055 + 0.021 * longest) * span)
    ax.grid(color="#eeeeee")


@styled
def stack(table, x, columns, by, note="", colours=None, log=(), xlabel=""):
    """Panels of such lines one below the other, one for each column.

    columns: {column: (title, limits)}; log: those whose axis is logarithmic.
    """
    figure, axes = panels(1.75 * len(columns) + 0.5, len(columns), 1, note)
    for ax, (column, (title, limits)) in zip(axes, columns.items()):
        draw_lines(ax, table, x, column, by, colours or {}, column in log, limits, apart=0.13)
        ax.set_title(title, loc="left")
    axes[-1].set_xlabel(xlabel or x)
    return figure


@styled
def agreement(table, expected, measured, by, note="", xlabel="", ylabel=""):
    """What was measured over what was expected, both logarithmic, one mark for each row; on the grey line they agree.

    by: the column whose values, four at most, are told apart by mark and colour.
    """
    figure, (ax,) = panels(3.9, note=note)
    both = table[[expected, measured]].to_numpy()
    ends = 0.5 * both.min(), 2 * both.max()
    ax.plot(ends, ends, color="#bbbbbb", linewidth=1.2, zorder=0)
    for (value, part), (mark, colour) in zip(table.groupby(by, sort=False), MARKS):
        ax.plot(part[expected], part[measured], mark, color=colour, markersize=6.5, markeredgewidth=1.6,
                fillstyle="none", label=str(value))
    ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel=xlabel or expected, ylabel=ylabel or measured)
    ax.legend(loc="upper left", frameon=False, fontsize=9)
    ax.grid(color="#eeeeee")
    return figure


@styled
def gradient_bars(table, note="", limits=None):
    """The gradient that reaches each pass, one bar a pass, a panel per column `what`; an empty place is none.

    Rows: what, pass, stream, gradient (RMS). limits: (lowest, highest) of the logarithmic axis; a bar
    has no zero to stand on there, so the lowest should be well below the smallest gradient.
    """
    kinds = list(table["what"].unique())
    figure, axes = panels(1.35 * len(kinds) + 0.5, len(kinds), 1, note, sharex=True, sharey=True)
    for ax, kind in zip(axes, kinds):
        here = table[table["what"] == kind]
        ax.bar(here["pass"], here["gradient"], color=[STREAMS[s] for s in here["stream"]], width=0.8)
        for row in here[here["gradient"] == 0].itertuples():
            ax.plot(row[2], 1, marker="x", color="#999999", markersize=4, transform=ax.get_xaxis_transform(),
                    clip_on=False)
        ax.set_yscale("log")
        ax.set(ylim=limits, ylabel="gradient")
        ax.set_title(kind, loc="left", pad=8)
    for name, offset in ("z", 0), ("y", 1):
        if name in set(table["stream"]):
            axes[0].text(1.0 - 0.06 * offset, 1.16, name, color=STREAMS[name], transform=axes[0].transAxes,
                         fontweight="bold", ha="right")
    axes[-1].set(xlabel="block pass (cross: no gradient comes here)")
    axes[-1].xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(12, integer=True))
    return figure


@styled
def attention_maps(weights, text, titles, note=""):
    """Attention as squares, a panel each: row i shows what position i takes from each position j.

    weights: arrays (T, T). text: the T characters, which stand at both sides.
    """
    T, columns = len(text), min(2, len(weights))
    rows = -(-len(weights) // columns)
    figure, axes = panels(2.75 * rows + 0.3 if columns == 2 else 4.2, rows, columns, note)
    for ax, weight, title in zip(axes, weights, titles):
        ax.imshow(weight, cmap=BLUES, vmin=0, vmax=1)
        ax.set_xticks(range(T), [shown(c) for c in text])
        ax.set_yticks(range(T), [shown(c) for c in text])
        ax.set(title=title, xlabel="looks at", ylabel="at this character")
        ax.tick_params(length=0)
    for ax in axes[len(weights):]:
        ax.axis("off")
    return figure


@styled
def character_grid(rows, labels, values, note="", title="", marked=None, scale=(0, 1), small=None):
    """A grid of characters, one row of them for each label, each cell as dark as its value.

    rows: strings of one length. values: array of the same shape. marked: array of booleans; a marked
    cell has a frame. small: an array of what stands small in each cell's corner.
    """
    height = len(rows)
    figure, (ax,) = panels(min(0.3 * height + 0.9, 6), note=note)
    values = np.asarray(values, dtype=float)
    ax.imshow(values, cmap=BLUES, vmin=scale[0], vmax=scale[1], aspect="auto")
    for r, row in enumerate(rows):
        for c, character in enumerate(row):
            share = (values[r, c] - scale[0]) / (scale[1] - scale[0])
            ax.text(c, r, shown(character), ha="center", va="center", fontsize=10,
                    color=on(BLUES(min(1.0, max(0.0, share)))[:3]))
            if small is not None:
                ax.text(c + 0.43, r + 0.4, str(small[r][c]), ha="right", va="bottom", fontsize=7,
                        color=on(BLUES(min(1.0, max(0.0, share)))[:3]))
            if marked is not None and marked[r][c]:
                ax.add_patch(matplotlib.patches.Rectangle((c - 0.46, r - 0.44), 0.92, 0.88, fill=False,
                                                          edgecolor="#fd8d3c", linewidth=1.6))
    ax.set_yticks(range(height), labels)
    ax.set_xticks([])
    ax.set(title=title)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


@styled
def matrix(values, labels, note="", title="", axis=""):
    """A square table of numbers from -1 to 1 as shades, its axes labelled; the numbers too where there is room."""
    figure, (ax,) = panels(4.3, note=note)
    values = np.asarray(values, dtype=float)
    ax.imshow(values, cmap=LinearSegmentedColormap.from_list("two", ["#d94801", "#ffffff", "#08306b"]),
              vmin=-1, vmax=1)
    if len(values) <= 8:
        for (r, c), value in np.ndenumerate(values):
            ax.text(c, r, f"{value:.1f}", ha="center", va="center", fontsize=9,
                    color="white" if abs(value) > 0.65 else "#222222")
    ax.set_xticks(range(len(labels)), labels)
    ax.set_yticks(range(len(labels)), labels)
    ax.set(title=title, xlabel=axis, ylabel=axis)
    ax.tick_params(length=0)
    return figure
