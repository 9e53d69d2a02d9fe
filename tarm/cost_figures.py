"""Figures on what training and decoding cost; each takes a table and returns a Figure."""

from .drawing import new, percent, styled
from .ladder import LADDER

ARITHMETICS = {"float32": ("#2878b8", "o", 0.13), "bf16": ("#d94801", "s", -0.13)}
SHARES = (0, 0.2, 0.4, 0.6, 0.8, 1)


def keep_seen_ticks(ax):
    """Of the x axis; matplotlib puts one more at either end, outside."""
    low, high = ax.get_xlim()
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])


def shares(rows, precision):
    """(widths, the shares of the peak, measured beside each step, that a step reaches there)."""
    share = rows[rows["part"] == f"share by width, {precision}"]
    return share["x"], share["value"]


@styled
def bench(rows):
    """How many times as fast as published, and how much of the machine's peak; rows as `tarm.bench` measures them."""
    figure, (step, evaluation, rate) = new(3.6, 1, 3)
    places = {rung: -i for i, rung in enumerate(LADDER)}
    # bf16 where it is of use
    measured = {name: style for name, style in ARITHMETICS.items() if (rows["part"] == f"step, {name}").any()}
    for ax, part in (step, "step"), (evaluation, "evaluation"):
        for name, (colour, marker, aside) in measured.items():
            here = rows[rows["part"] == f"{part}, published / {name}"]
            y = [places[rung] + aside for rung in here["subject"]]
            ax.hlines(y, here["low"], here["high"], color=colour, linewidth=1.5, alpha=0.5)
            ax.plot(here["value"], y, marker, color=colour, label=name)
        ax.set(title={"step": "training step", "evaluation": "decoding"}[part], xlabel="times as fast\nas published")
        ax.set_xlim(0)
        keep_seen_ticks(ax)
        ax.set_ylim(-len(places) - 1.2, 0.6)  # with room for the legend below the rungs
        ax.legend(loc="lower left", frameon=False, fontsize=9, borderaxespad=0)
    step.set_yticks(list(places.values()), [LADDER[rung].short for rung in places])
    evaluation.set_yticks(list(places.values()), [])
    for name, (colour, marker, _) in measured.items():
        x, share = shares(rows, name)
        rate.plot(x, share, f"{marker}-", color=colour)
        rate.annotate(name, (x.iloc[-1], share.iloc[-1]), (0, 10 if name == "float32" else -18),
                      textcoords="offset points", color=colour, ha="right")
    rate.set(title="share of the peak", xlabel="width", ylabel="% of what a large product reaches")
    keep_seen_ticks(rate)
    percent(rate.yaxis, ylim=(0, 1.05), yticks=SHARES)
    return figure


@styled
def precisions(points):
    """Accuracy over training in each precision, a panel per rung, a line and marker per seed.

    One row per rung, seed, precision and step: value (a share).
    """
    figure, axes = new(3.1, 1, points["rung"].nunique(), sharey=True)
    markers = dict(zip(sorted(points["seed"].unique()), "osD^v"))
    for ax, (rung, here) in zip(axes, points.groupby("rung", sort=False)):
        for (seed, precision), line in here.groupby(["seed", "precision"]):
            ax.plot(line["step"], line["value"], "--" if precision == "bf16" else "-",
                    marker=markers[seed], markersize=3.5, color=ARITHMETICS[precision][0], linewidth=1.3,
                    label=f"{precision}, seed {seed}")
        ax.set(title=LADDER[rung].name, xlabel="training steps")
        keep_seen_ticks(ax)
        percent(ax.yaxis, ylim=(0, 1.04), yticks=SHARES)
    axes[0].set_ylabel("characters right, %")
    axes[-1].legend(loc="lower right", frameon=False, fontsize=9)
    return figure
