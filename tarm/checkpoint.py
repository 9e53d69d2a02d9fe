"""Unfinished runs: saved every few minutes as safetensors, taken up again bit by bit the same."""

import json
import time
from dataclasses import asdict
from functools import partial

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .evaluation import Score
from .store import apart, written_whole
from .training import Stopped

SCHEMA = 3
SECONDS = 120  # between two saves


class Keeper:
    """Saves the progress of one run to `path` and gives it back; see `tarm.training.train`.

    deadline: the time.time() at which to save and raise Stopped, or None. seconds: between two
    saves. The file holds tensors and JSON only, so that loading it runs no code. It goes on with the kind of device it
    was begun on, whose random streams it has; `other_steps` are evaluated in the end only, and may be others.
    """

    def __init__(self, path, run, schedule, deadline=None, seconds=SECONDS, device="cpu"):
        self.path, self.deadline, self.seconds = path, deadline, seconds
        times = {name: value for name, value in asdict(schedule).items() if name != "other_steps"}
        self.header = json.loads(json.dumps({"schema": SCHEMA, "run": run.hash, "schedule": times,
                                             "device": torch.device(device).type}))
        self.saved = time.monotonic()

    def visit(self, progress):
        """Called between two training steps: save where it is time, stop where the time is up."""
        stop = self.deadline is not None and time.time() >= self.deadline
        if stop or time.monotonic() - self.saved >= self.seconds:
            self.save(progress)
            self.saved = time.monotonic()
        if stop:
            raise Stopped

    def save(self, progress):
        """Write the progress, replacing what was saved before only when all of it is written."""
        progress.settle()
        progress.look_at_memory()
        tensors = {f"model/{name}": value for name, value in progress.model.state_dict().items()}
        for index, values in progress.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": value for name, value in values.items()}
        tensors |= {f"random/{name}": get() for name, (get, _) in random_streams(progress).items()}
        rest = {"step": progress.step, "losses": progress.losses, "scores": progress.scores,
                "ledger": progress.ledger.counts(), "measured": progress.measured, "compiled": progress.compiled}
        with written_whole(self.path) as part:
            save_file(apart(tensors), part,
                      metadata={"header": json.dumps(self.header), "progress": json.dumps(rest)})

    def resume(self, progress):
        """Bring a fresh progress to where the file left it; nothing happens where there is none.

        Raises ValueError where the file is not a whole one of this run, schedule, kind of device and schema, or was
        compiled where this one is not, or the reverse.
        """
        if not self.path.exists():
            return
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
            header, rest = json.loads(metadata["header"]), json.loads(metadata["progress"])
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is not an unfinished run ({error}): remove it to start anew") from error
        if header != self.header:
            raise ValueError(f"{self.path} was begun as {header}, not as {self.header}: remove it to start anew")
        if rest["compiled"] != progress.compiled:
            raise ValueError(f"{self.path} was begun {'with' if rest['compiled'] else 'without'} --compile, "
                             "which rounds otherwise and draws other dropout masks: go on like that, "
                             "or remove it to start anew")
        progress.model.load_state_dict(part_of(tensors, "model"))
        state = {}
        for name, value in part_of(tensors, "optimiser").items():
            index, key = name.split("/")
            state.setdefault(int(index), {})[key] = value
        progress.optimiser.load_state_dict(progress.optimiser.state_dict() | {"state": state})
        for name, (_, restore) in random_streams(progress).items():
            restore(tensors[f"random/{name}"])
        progress.step, progress.losses, progress.measured = rest["step"], rest["losses"], rest["measured"]
        progress.scores = [Score(*score) for score in rest["scores"]]
        progress.ledger.continue_from(rest["ledger"])


def part_of(tensors, kind):
    return {name.removeprefix(f"{kind}/"): value for name, value in tensors.items() if name.startswith(f"{kind}/")}


def random_streams(progress):
    """{name: (get, set)} of the states of all streams that training draws from, dropout's global one included."""
    device = next(progress.model.parameters()).device
    dropout = {"cpu": (torch.get_rng_state, torch.set_rng_state),
               "cuda": (partial(torch.cuda.get_rng_state, device), partial(torch.cuda.set_rng_state, device=device)),
               "mps": (torch.mps.get_rng_state, torch.mps.set_rng_state)}[device.type]
    return {"problems": (progress.problems.get_state, progress.problems.set_state),
            "exploration": (progress.exploration.get_state, progress.exploration.set_state),
            "dropout" if device.type == "cpu" else f"dropout_{device.type}": dropout}
