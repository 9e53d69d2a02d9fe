"""What all figures are drawn with: style, bars, curves, and labels that keep clear of each other.

Tables of points have the columns rung, mean, low, high, values (one a seed) and seeds, as
`tarm.statistics.over_seeds` makes them. Colours and names come from `tarm.LADDER`.
"""

import functools
import textwrap

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from .ladder import LADDER

WIDTH = 7.2  # inches of every figure: its letters can still be read where the picture is 390 pixels wide
STYLE = {
    "font.size": 10, "axes.titlesize": 10.5, "axes.labelsize": 9.5, "axes.titleweight": "bold",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#888888",
    "xtick.color": "#444444", "ytick.color": "#444444",
    "axes.axisbelow": True, "svg.hashsalt": "tarm", "svg.fonttype": "path", "figure.dpi": 100,
}
MARKERS = dict(zip(LADDER, "osD^vPX"))  # a rung that somebody adds gets a star
CHANCE = {"color": "#999999", "linewidth": 1, "linestyle": (0, (3, 2))}
NOTE_WIDTH = 115  # characters in a line of the note
NOT_RUN, NOT_RUN_COLOUR = "not\u00a0run", "#888888"  # one word, where lines are broken
DIVERGED = "diverged"
LINE = 0.085      # height of a line of a label beside curves, in units of their y axis


def new(height, rows=1, columns=1, note="", width=WIDTH, note_size=8.5, **options):
    """(figure, axes in a list), with the note that says what the figure shows below them. Sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).flatten().tolist()
    lines = [textwrap.fill(line, NOTE_WIDTH) for line in note.splitlines()]
    figure.supxlabel("\n".join(lines), fontsize=note_size, color="#666666", x=0.01, ha="left")
    return figure, axes


def grid(count, columns, row_height, room, note, xlabel, ylabel):
    """(figure, axes in a list) of so many panels, `columns` a row, that share their axes; named at the left and below.

    room: inches of height beside the rows.
    """
    rows = -(-count // columns)
    figure, axes = new(row_height * rows + room, rows, columns, note, sharex=True, sharey=True)
    for ax in axes[count:]:
        ax.remove()
    for ax in axes[:count:columns]:
        ax.set_ylabel(ylabel)
    for ax in axes[:count][-columns:]:
        ax.set_xlabel(xlabel)
    return figure, axes[:count]


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
    """Show the shares on an axis as percent, whose sign stands in the axis' label."""
    axis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, decimals=0, symbol=""))
    axis.axes.set(**limits)
    axis.grid(color="#eeeeee")


def stop_axis(axes, start, stop, end):
    """Let the x axis run from start to `end`, but show it, its label and title only up to stop, where the data ends."""
    axes.set_xlim(start, end)
    axes.spines["bottom"].set_bounds(start, stop)
    for text in axes.xaxis.label, axes.title:
        text.set_x((stop - start) / (end - start) / 2)


def spread(heights, sizes, low, high):
    """Move the centres of things of these sizes as little as need be, so that none overlap and all are in [low, high].

    heights in rising order; what is next to each other ends side by side around its mean. Lists of numbers.
    """
    groups = []  # of things that touch: [centre, size, how many]
    for height, size in zip(heights, sizes):
        groups.append([min(max(height, low + size / 2), high - size / 2), size, 1])
        while len(groups) > 1 and groups[-2][0] + groups[-2][1] / 2 > groups[-1][0] - groups[-1][1] / 2:
            (a, a_size, a_count), (b, b_size, b_count) = groups[-2:]
            centre = (a * a_count + b * b_count) / (a_count + b_count)
            size = a_size + b_size
            groups[-2:] = [[min(max(centre, low + size / 2), high - size / 2), size, a_count + b_count]]
    placed = []
    for centre, size, count in groups:
        edge = centre - size / 2
        for own in sizes[len(placed):len(placed) + count]:
            placed.append(edge + own / 2)
            edge += own
    return placed


def name_end(axes, name, end, place, colour, leads=True, **text):
    """Write a line's name right of `place` (x, y); a thin line leads there from an end at another height."""
    beside = matplotlib.transforms.offset_copy(axes.transData, axes.figure, 10, 0, units="points")
    axes.annotate(name, place, xytext=place, textcoords=beside, color=colour, va="center",
                  annotation_clip=False, **text)
    (_, from_y), (_, to_y) = axes.transLimits.transform([axes.transScale.transform(point) for point in (end, place)])
    if leads and abs(from_y - to_y) > 0.02:
        axes.annotate("", end, xytext=place, textcoords=beside, annotation_clip=False, arrowprops={
            "arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 2, "shrinkB": 2})


def label_lines(axes, lines, width):
    """Write each line's name at its right end, in lines of `width` characters, spread so that no two overlap.

    lines: (x, y, text, colour), y None where there is no line but its name.
    """
    lines = sorted(lines, key=lambda line: line[1] or 0)
    names = [textwrap.fill(text, width, break_on_hyphens=False) for _, _, text, _ in lines]
    sizes = [LINE * (1 + name.count("\n")) for name in names]
    heights = spread([y or 0 for _, y, _, _ in lines], sizes, *axes.get_ylim())
    for (x, y, _, colour), name, height in zip(lines, names, heights):
        name_end(axes, name, (x, y or 0), (x, height), colour, leads=y is not None, fontsize=9, linespacing=1.0)


def counted(name, seeds, none=NOT_RUN):
    """A name and, in brackets, its number of seeds; "UT: not run" where there is none."""
    return f"{name} ({seeds})" if seeds else f"{name}: {none}"


def none_of(point):
    """What a point without a value says: nothing was run, or all that was diverged."""
    return DIVERGED if point["diverged"] else NOT_RUN


def curves(axes, points, x, width, say_seeds=False):
    """One line per rung over the column x, its interval as a band, its name at the end.

    A rung that has not been run has its name only, in grey. say_seeds: each name with its number of seeds.
    """
    ends = []
    for rung, line in points.groupby("rung", sort=False):
        entry, seeds, line = LADDER[rung], line["seeds"].max(), line.sort_values(x)
        if not seeds:
            ends.append((line[x].iloc[-1], None, counted(entry.short, 0, none_of(line.iloc[0])), NOT_RUN_COLOUR))
            continue
        if line["seeds"].min() > 1:  # each seed as a thin line
            for values in zip(*line["values"]):
                axes.plot(line[x], values, color=entry.colour, linewidth=0.6, alpha=0.45)
        axes.plot(line[x], line["mean"], color=entry.colour, marker=MARKERS.get(rung, "*"),
                  markersize=3.5, linewidth=1.5)
        low, high = (line[end].clip(0, 1) for end in ("low", "high"))  # Student's t knows nothing of where shares end
        axes.fill_between(line[x], low, high, color=entry.colour, alpha=0.18, linewidth=0)
        ends.append((line[x].iloc[-1], line["mean"].iloc[-1],
                     counted(entry.short, seeds) if say_seeds else entry.short, entry.colour))
    label_lines(axes, ends, width)


def bars(axes, points, places):
    """One horizontal bar per rung at places[rung], a dot for each of several seeds, and the mean in a column.

    The level of chance, where points have one, is dashed. A bar that has not been run is left out, in words;
    where numbers of seeds differ each bar has its own in brackets.
    """
    differ = points["seeds"].nunique() > 1
    place = [places[rung] for rung in points["rung"]]
    high = points["high"].clip(upper=1.05)  # short of the numbers
    error = [points["mean"] - points["low"], high - points["mean"]]  # nan draws nothing
    axes.barh(place, points["mean"].fillna(0), color=[LADDER[rung].colour for rung in points["rung"]],
              height=0.72, xerr=error, error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#222222"})
    for y, (_, point) in zip(place, points.iterrows()):
        mean, values = point["mean"], point["values"]
        if not values:
            axes.text(0.28, y, none_of(point), va="center", fontsize=8.5, color=NOT_RUN_COLOUR)
            continue
        if len(values) > 1:
            axes.plot(values, [y] * len(values), linestyle="", marker="o", markersize=3.5, markerfacecolor="white",
                      markeredgecolor="#222222", markeredgewidth=0.7, clip_on=False, zorder=5)
        axes.text(1, y, f"{mean:.0%}" + (f" ({len(values)})" if differ else ""), transform=axes.get_yaxis_transform(),
                  ha="right", va="center", fontsize=9.5)
    for level in points["chance"].dropna().unique():
        axes.axvline(level, zorder=3, **CHANCE)
    percent(axes.xaxis, xticks=(0, 0.5, 1))
    axes.tick_params(left=False)


def on(colour):
    """Black or white, whichever can be read on this colour."""
    r, g, b = matplotlib.colors.to_rgb(colour)
    return "white" if 0.299 * r + 0.587 * g + 0.114 * b < 0.6 else "#222222"
