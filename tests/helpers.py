"""What several files of tests use."""

from dataclasses import asdict, replace
from itertools import combinations

import matplotlib
import torch

from tarm.drawing import CHANCE
from tarm.evaluation import DECODINGS, PROBLEMS, Score


@torch.no_grad()
def identity(model):
    """Silence attention and MLP, so that the pre-norm block returns what it reads."""
    for block in model.block:
        for layer in (block.attention.out, block.mlp["out"]):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    return model


def published_record(run, right, steps, length=10, seed=0, **fields):
    """A record of a run of the paper: of 100 problems, the first character of each answer is right in right[i] at
    steps[i], sampled and seen; in 1 more, greedy and unseen; the other 10 characters of a sum always are."""
    run = replace(run, seed=seed, **fields)
    scores = [Score(step, length, problems, decoding, 100, [k + (problems == "unseen")] + [100] * 10, 0)._asdict()
              for step, k in zip(steps, right) for problems in PROBLEMS for decoding in DECODINGS]
    return {"run": run.hash, "configuration": asdict(run), "evaluations": scores}


def text_of(figure):
    """Everything written in a figure, in one line."""
    return " ".join(" ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text)).split())


def chance_lines(artist):
    return [line for line in artist.findobj(matplotlib.lines.Line2D) if line.get_color() == CHANCE["color"]]


def texts(figure):
    """{text: its box in pixels} of everything written in a figure; where a text stands twice, (text, n)."""
    figure.draw_without_rendering()
    drawn = [text for text in figure.findobj(matplotlib.text.Text) if text.get_visible() and text.get_text().strip()]
    return {(text.get_text(), n): text.get_window_extent() for n, text in enumerate(drawn)}


def overlaps(figure):
    boxes, lines = texts(figure), [(line.get_transform().transform_path(line.get_path()))
                                   for line in chance_lines(figure)]
    pairs = [(a, b) for (a, one), (b, two) in combinations(boxes.items(), 2)
             if min(one.x1, two.x1) - max(one.x0, two.x0) > 1 and min(one.y1, two.y1) - max(one.y0, two.y0) > 1]
    crossed = [text for text, box in boxes.items() for line in lines if line.intersects_bbox(box, filled=False)]
    outside = [text for text, box in boxes.items()
               if not (box.x0 > -1 and box.y0 > -1 and box.x1 < figure.bbox.x1 + 1 and box.y1 < figure.bbox.y1 + 1)]
    return pairs, crossed, outside
