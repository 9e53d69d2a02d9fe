"""What the chapters share: sources, claims, live models, readings, sliders, figures of insides."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from tarm import LADDER, build, chapters, insides, slides
from tarm.ladder import Iterative, IterativeStep
from tarm.runs import Run
from tarm.tasks import NEWLINE

RUN = Run(rung="iterative", task="copy", length=3, budget=2, width=16, heads=2, context=16, batch=4, training_steps=50)


def test_a_source_is_the_files_own_less_its_docstrings():
    text = chapters.without_docstring('def f(x):\n    """One\n    two."""\n    y = x\n    """three"""\n    return y')
    assert text == "def f(x):\n    y = x\n    return y"


def test_the_source_shown_is_code_that_runs(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data["text/plain"]))
    chapters.source(IterativeStep, Iterative.step)
    assert shown[0].startswith("# tarm/ladder/iterative_step.py: IterativeStep\n")
    assert "# tarm/ladder/iterative.py: Iterative.step\ndef step(self, " in shown[0] and '"""' not in shown[0]
    exec(shown[0], {"Iterative": Iterative})


def test_a_claim_that_fails_raises_unless_it_is_only_looked_at(capsys):
    chapters.claim("one is one", 1 == 1)
    chapters.claim("one is two", 1 == 2, asserted=False)
    with pytest.raises(AssertionError, match="not so: one is two"):
        chapters.claim("one is two", 1 == 2)
    assert capsys.readouterr().out.splitlines() == ["one is one: True", "one is two: not so here", "one is two: False"]


@pytest.mark.parametrize("profile, steps", [("smoke", [4]), ("cpu", [20, 40, 50])])
def test_a_live_model_takes_four_steps_at_smoke_size(profile, steps):
    result = chapters.live(RUN, profile, every=20)
    assert len(result.losses) == steps[-1]
    assert chapters.learning_curve(result, 3)["step"].tolist() == steps


def test_a_live_model_with_a_schedule_of_the_rate_takes_four_steps_too():
    assert len(chapters.live(replace(RUN, warmup=40, decay="cosine"), "smoke").losses) == 4


def test_readings_are_what_the_model_says_at_the_supervised_places():
    """The last state's share is the accuracy of the logits, counted here, the newline left out."""
    model = build("iterative", budget=3, width=16, heads=2, context=16).eval()
    seen = chapters.readings(model, "copy", 4, n=50)
    assert seen.streams == ["x", "h", "h", "h"] and seen.right.shape == (4, 50, 5) and len(seen.prompts) == 50
    tokens = torch.cat([torch.tensor([["0123456789|+=\n".index(c) for c in prompt] for prompt in seen.prompts]),
                        seen.answer[:, :-1]], dim=1)
    with torch.no_grad():
        guess = model(tokens).logits.argmax(-1)[:, 4:]
    assert seen.guess[-1].equal(guess)
    assert (seen.answer[:, -1] == NEWLINE).all()
    assert seen.share()["right"].iloc[-1] == pytest.approx((guess == seen.answer)[:, :-1].double().mean().item())


@pytest.mark.parametrize("newline", [True, False])
def test_a_share_does_not_count_the_newline(newline):
    """One problem of two digits and a newline, one digit right in x, both after the pass; as the evaluation counts."""
    right = torch.tensor([[[True, False, newline]], [[True, True, newline]]])
    seen = chapters.Readings(["x", "h"], right.long(), right.double(), right, ["12|"], right[0].long())
    assert seen.share().values.tolist() == [[0, "x", 0.5], [1, "h", 1.0]]


def test_the_table_of_names_is_the_ladder():
    assert chapters.names()["name"].tolist() == [rung.name for rung in LADDER.values()]
    assert chapters.published_sizes().loc["Dense Transformer", "parameters"] == "42,640,142"


def test_committed_values_are_one_a_seed():
    assert len(chapters.committed("ar_trm", "copy")) == len(chapters.ledgers("ar_trm", "copy")) >= 3
    assert chapters.ledgers("ar_trm", "copy")["nominal_passes"].unique().tolist() == [24]


def test_a_slider_needs_nothing_from_elsewhere_and_has_a_word_for_every_frame():
    frames = [slides.guesses([("12|", "12", [True, False], [0.9, 0.5])], f"frame {n}") for n in range(3)]
    page = slides.slides(frames, ["one", "two", "three"], "what moves")
    assert page.count("<svg ") == 3
    assert re.findall('data-label="(.*?)"', page) == ["one", "two", "three"]
    assert re.findall("aria-label='(.*?)'", page) == ["frame 0", "frame 1", "frame 2"]
    assert not re.search(r"src=|href=|import ", page)
    assert set(re.findall(r"https?://[^'\"]+", page)) == {"http://www.w3.org/2000/svg"}
    assert page.count("display:none") == 2  # without scripts the last frame is seen
    with pytest.raises(ValueError, match="3 frames with 2 labels"):
        slides.slides(frames, ["one", "two"], "what moves")


@pytest.mark.parametrize("colour, share, mixed", [
    ("#000000", 0, "#ffffff"), ("#000000", 1, "#000000"), ("#ff0000", 0.5, "#ff8080")])
def test_a_colour_is_blended_over_white(colour, share, mixed):
    assert slides.blend(colour, share) == mixed


def test_streams_are_told_apart_without_colour():
    """By luminance, or by their dashes."""
    def luminance(colour):
        return sum(w * int(colour[i:i + 2], 16) / 255 for w, i in ((0.299, 1), (0.587, 3), (0.114, 5)))

    names = list(insides.STREAMS)
    for i, one in enumerate(names):
        for other in names[i + 1:]:
            apart = abs(luminance(insides.STREAMS[one]) - luminance(insides.STREAMS[other]))
            assert apart > 0.15 or insides.DASHES[one] != insides.DASHES[other]


TABLE = pd.DataFrame({"pass": [1, 2, 3], "stream": list("zzy"), "size": [1.0, 2.0, 4.0], "gradient": [0.0, 1e-3, 1e-1],
                      "what": ["a"] * 3})


@pytest.mark.parametrize("draw", [
    lambda: insides.lines(TABLE, "pass", "size", "stream", log=True),
    lambda: insides.lines(TABLE, "pass", "size", "stream"),
    lambda: insides.stack(TABLE, "pass", {"size": ("size", None), "gradient": ("gradient", (0, 1))}, "stream"),
    lambda: insides.agreement(TABLE, "size", "size", "stream"),
    lambda: insides.gradient_bars(TABLE), lambda: insides.attention_maps([np.eye(3)], "12|", ["head 1"]),
    lambda: insides.character_grid(["12", "3\n"], ["a", "b"], [[0, 1], [0.5, 0.2]], marked=[[True, False]] * 2),
    lambda: insides.matrix(np.eye(3), "abc"), lambda: insides.placement(chapters.traced("dual_ut", budget=6))])
def test_figures_are_narrow_enough_for_a_telephone(draw):
    figure = draw()
    assert isinstance(figure, Figure) and figure.get_figwidth() <= insides.WIDTH
    texts = [text for ax in figure.axes for text in (*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels())]
    assert min(text.get_fontsize() for text in texts) >= 7


def test_a_line_has_its_name_at_its_end():
    figure = insides.lines(TABLE, "pass", "size", "stream")
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["y", "z"]


def test_names_that_would_overlap_are_spread_about_their_lines():
    """Three ends at 0.30, 0.32 and 0.34: the middle name stays, the others move by a name's height; one far off stays.
    A line leads to each that moved."""
    ends = [0.30, 0.34, 0.32, 0.9]
    table = pd.DataFrame([(n, end, f"l{k}") for k, end in enumerate(ends) for n in (1, 2)], columns=["n", "v", "what"])
    figure = insides.lines(table, "n", "v", "what", limits=(0, 1))
    names = {text.get_text(): text.xyann[1] for text in figure.axes[0].texts if text.get_text()}
    assert names == pytest.approx({"l0": 0.32 - 0.075, "l2": 0.32, "l1": 0.32 + 0.075, "l3": 0.9})
    leading = sorted((text.xy[1], text.xyann[1]) for text in figure.axes[0].texts if not text.get_text())
    assert leading == [pytest.approx((0.30, 0.32 - 0.075)), pytest.approx((0.34, 0.32 + 0.075))]


def test_on_a_logarithmic_axis_too():
    """Two ends at 1 and 1.1 of an axis of three decades: the names stand 0.075 of them apart, a line leads to each."""
    table = pd.DataFrame([(n, end, f"l{end}") for end in (1.0, 1.1) for n in (1, 2)], columns=["n", "v", "what"])
    texts = insides.lines(table, "n", "v", "what", limits=(0.03, 30), log=True).axes[0].texts
    low, high = sorted(text.xyann[1] for text in texts if text.get_text())
    assert math.log10(high / low) == pytest.approx(3 * 0.075) and low * high == pytest.approx(1.1)
    assert sorted(text.xy[1] for text in texts if not text.get_text()) == [1.0, 1.1]


def test_a_level_and_a_place_can_be_marked_and_ticks_end_with_the_data():
    ax, = insides.lines(TABLE, "pass", "size", "stream", level=(0.5, "chance"), at=2).axes
    *_, dashed, upright = ax.lines
    assert list(dashed.get_ydata()) == [0.5, 0.5] and list(upright.get_xdata()) == [2, 2]
    assert "chance" in [text.get_text() for text in ax.texts]
    assert set(ax.get_xticks()) == {1, 2, 3}


def test_stacked_panels_show_a_column_each():
    figure = insides.stack(TABLE, "pass", {"size": ("a", None), "gradient": ("b", (0, 1))}, "stream", log=("size",))
    drawn = [[line.get_ydata().tolist() for line in ax.lines] for ax in figure.axes]
    assert drawn == [[[1, 2], [4]], [[0, 1e-3], [1e-1]]]
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "linear"]


def test_in_agreement_marks_lie_on_the_line():
    ax, = insides.agreement(TABLE, "size", "size", "stream").axes
    line, *marks = ax.lines
    assert line.get_xdata().tolist() == line.get_ydata().tolist() == [0.5, 8]
    assert ([mark.get_xdata().tolist() for mark in marks] == [mark.get_ydata().tolist() for mark in marks]
            == [[1, 2], [4]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["z", "y"]


def test_a_frame_of_shares_has_bars_as_high_as_their_logarithms():
    """On a scale of 70 from 1e-8 to 1 a share of 1e-4 is half as high, 1e-9 a stump; filled are those in the window."""
    frame = slides.shares([("one", [1, 1e-4, 1e-9], 2, "#123456", True)], "three bars")
    bars = re.findall(r"height='([\d.]+)' rx='2' fill='(\S+)'", frame)
    assert [(float(height), fill) for height, fill in bars] == [(70, "#ffffff"), (35, "#123456"), (2, "#123456")]
    assert frame.count("<text") == 4 and "1e-08" in frame and "aria-label='three bars'" in frame


def test_on_a_linear_scale_they_are_as_high_as_they_say():
    """On a linear scale of 70 that goes to the next of 0.25, 0.5 and 1."""
    frame = slides.shares([("one", [0.4, 0.2], 1, "#123456", False)], "two bars")
    assert [float(height) for height in re.findall(r"height='([\d.]+)' rx='2'", frame)] == [56, 28]
    assert re.findall(r">([\d.]+)</text>", frame) == ["0.5", "0.25", "0"]
