"""Where the passes go: one training call of each rung, traced pass by pass."""

import pandas as pd
import torch

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

    -> (passes, readout, leaves). passes: a dict for each, with its stream, its input and output
    tensors, and gradient: does autograd bring one that is not zero? readout: the tensor that
    the final norm takes. leaves: {parameter: name} of the inputs x, s, y, z.
    """
    model = run.build(run.seed)
    passes, readout = [], []

    def before(block, inputs):
        h, stream = (*inputs, "h")[:2]
        passes.append({"stream": stream, "input": h, "gradient": False})

    def after(block, inputs, output):
        this = passes[-1]
        this["output"] = output
        if output.requires_grad:
            output.register_hook(lambda gradient: this.update(gradient=bool(gradient.any())))

    for block in model.block:
        block.register_forward_pre_hook(before)
        block.register_forward_hook(after)
    model.final_norm.register_forward_pre_hook(lambda norm, inputs: readout.append(inputs[0]))
    tokens, targets = TASKS[run.task].problems(run.batch, run.length, torch.Generator().manual_seed(run.seed)).batch()
    model.loss(model(tokens), targets).backward()
    leaves = {parameter: LEAVES[name] for name, parameter in model.named_parameters() if name in LEAVES}
    return passes, readout[0], leaves


def compute_placement(budget=12, rungs=None, **fields):
    """A table with one row per rung and nominal pass: what the pass reads, and whether it counts.

    rungs: keys of those to trace, default all.

    Columns: rung, pass (from 1), stream (h, z or y), reads (of x, y, z, h and the step
    embedding s), executed, gradient, and readout: is its output summed into what the head
    reads? Traced on one batch at initialisation; a pass that ACT leaves out has only the first two.
    """
    rows = []
    for rung in LADDER if rungs is None else rungs:
        fields["dropout"] = 0.0  # it changes nothing here but would draw from the global stream
        run = Run(rung=rung, budget=budget, **fields)
        passes, _, _ = traced_call(run)
        # autograd's graph tells what is read only where the gradient is not cut
        graph, readout, leaves = traced_call(run.untruncated())
        produced = {traced["output"].grad_fn: i for i, traced in enumerate(graph)}
        read, _ = sources(readout, produced, leaves)
        for i, (this, traced) in enumerate(zip(passes, graph)):
            earlier, names = sources(traced["input"], produced, leaves)
            reads = names | {passes[j]["stream"] for j in earlier}
            rows.append([rung, i + 1, this["stream"], " ".join(sorted(reads, key=lambda name: ("xhyzs".find(name), name))), True,
                         this["gradient"], i in read])
        rows += [[rung, number, "", "", False, False, False] for number in range(len(passes) + 1, budget + 1)]
    return pd.DataFrame(rows, columns=["rung", "pass", "stream", "reads", "executed", "gradient", "readout"])
