"""Where the passes go: one training call of each rung, traced pass by pass."""

import pandas as pd
import torch

from .instruments import hooked, received, trace
from .ladder import LADDER
from .runs import Run
from .tasks import TASKS

LEAVES = {"token_embedding.weight": "x", "position_embedding.weight": "x", "step_embedding.weight": "s",
          "y_init": "y", "z_init": "z"}


def sources(tensor, produced, leaves):
    """What a tensor was summed from -> (numbers of earlier passes, names of leaves), two sets.

    Walks autograd's graph back from it. produced: {grad_fn: number} of the passes before, at
    whose outputs the walk stops; leaves: {parameter: name} of those that it looks for.
    """
    passes, names, seen, front = set(), set(), set(), [tensor.grad_fn]
    while front:
        node = front.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in produced:
            passes.add(produced[node])
            continue
        if getattr(node, "variable", None) in leaves:
            names.add(leaves[node.variable])
        front += [parent for parent, _ in node.next_functions]
    return passes, names


def traced_call(run):
    """One forward and backward call on a batch of the run's task, at initialisation.

    -> (passes, trained, readout, leaves). passes: its trace. trained: for each, does autograd bring
    it a gradient that is not zero? readout: the tensor that the final norm takes. leaves:
    {parameter: name} of the inputs x, s, y, z.
    """
    model = run.build()
    tokens, targets = TASKS[run.task].problems(run.batch, run.length, torch.Generator().manual_seed(run.seed)).batch()
    readout = []
    with hooked([model.final_norm], lambda norm, inputs: readout.append(inputs[0]), before=True):
        passes, output = trace(model, tokens)
    trained = [gradient is not None and bool(gradient.any())
               for gradient in received(model.loss(output, targets), passes)]
    leaves = {parameter: LEAVES[name] for name, parameter in model.named_parameters() if name in LEAVES}
    return passes, trained, readout[0], leaves


def compute_placement(budget=12, rungs=None, **fields):
    """A table with one row per rung and nominal pass: what the pass reads, and whether it counts.

    rungs: keys of those to trace, default all. fields: those of `tarm.runs.Run`, of which task has no default.

    Columns: rung, pass (from 1), stream (h, z or y), reads (of x, y, z, h and the step
    embedding s), executed, gradient, and readout: is its output summed into what the head
    reads? Traced on one batch at initialisation; a pass that ACT leaves out has only the first two.
    """
    rows = []
    for rung in LADDER if rungs is None else rungs:
        fields["dropout"] = 0.0  # it changes nothing here but would draw from the global stream
        run = Run(rung=rung, budget=budget, **fields)
        passes, trained, _, _ = traced_call(run)
        # autograd's graph tells what is read only where the gradient is not cut
        graph, _, readout, leaves = traced_call(run.untruncated())
        produced = {this.output.grad_fn: i for i, this in enumerate(graph)}
        read, _ = sources(readout, produced, leaves)
        for i, this in enumerate(graph):
            earlier, names = sources(this.input, produced, leaves)
            reads = sorted(names | {graph[j].stream for j in earlier}, key=lambda name: ("xhyzs".find(name), name))
            rows.append([rung, i + 1, this.stream, " ".join(reads), True, trained[i], i in read])
        rows += [[rung, number, "", "", False, False, False] for number in range(len(passes) + 1, budget + 1)]
    return pd.DataFrame(rows, columns=["rung", "pass", "stream", "reads", "executed", "gradient", "readout"])
