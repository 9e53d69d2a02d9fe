"""The store: one JSON record and one safetensors file per finished run, written atomically."""

import contextlib
import json
import math
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .evaluation import Score, curve
from .ladder import LADDER
from .runs import run_from
from .tasks import TASKS

SCHEMA = 1
PROJECT = Path(__file__).parent.parent
COMMITTED = PROJECT / "figures" / "data"


def needs_clone(what):
    """Raise ValueError where the package is installed without the project around it."""
    if not (PROJECT / "pyproject.toml").exists():
        raise ValueError(f"{what} needs the project's own files, and {PROJECT} has none: "
                         "take a clone of the project, and install it with pip install -e")


@contextlib.contextmanager
def written_whole(path):
    """A path to write to that becomes `path` only once everything is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def environment(device, compiled=False):
    """What a record says of the machine: versions, architecture, a CPU's vectors (AVX2, ...), cores,
    threads; no names or paths. compiled: only where it is so."""
    kind = torch.device(device).type
    found = {"python": platform.python_version(), "torch": torch.__version__, "system": platform.system(),
             "machine": platform.machine(), "vectors": torch.backends.cpu.get_cpu_capability(),
             "cores": os.cpu_count(), "threads": torch.get_num_threads(),
             "device": torch.cuda.get_device_name(device) if kind == "cuda" else kind}
    return found | ({"compiled": True} if compiled else {})


class NotKnown(ValueError):
    """A record's task or rung that is not registered here."""


class Store:
    """A folder of records/HASH.json, weights/HASH.safetensors and unfinished/HASH.safetensors.

    The folder is $TARM_STORE, or `.tarm` in the current directory. A record that is there is a
    finished run: weights are written before it.
    """

    def __init__(self, root=None):
        self.root = Path(root or os.environ.get("TARM_STORE") or ".tarm")

    def record_path(self, run_hash):
        return self.root / "records" / f"{run_hash}.json"

    def weights_path(self, run_hash):
        return self.root / "weights" / f"{run_hash}.safetensors"

    def unfinished_path(self, run_hash):
        return self.root / "unfinished" / f"{run_hash}.safetensors"

    def lock(self, run_hash):
        """The lock that whoever trains the run holds; the system frees it when its holder dies."""
        path = self.unfinished_path(run_hash).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    @contextlib.contextmanager
    def alone(self, run_hash):
        """With the lock of a run, whose file is gone afterwards. Raises ValueError where a sweep holds it."""
        try:
            with self.lock(run_hash).acquire(timeout=0):
                yield
                self.unfinished_path(run_hash).with_suffix(".lock").unlink(missing_ok=True)
        except Timeout as error:
            raise ValueError(f"a sweep is at {run_hash}: stop it first, or wait until it has finished") from error

    def has(self, run, schedule=None):
        """Is the run finished; where a schedule is given, with all of its other_steps? A run that diverged has none."""
        if not self.record_path(run.hash).exists() or schedule is None or not schedule.other_steps:
            return self.record_path(run.hash).exists()
        try:
            record = self.load(run.hash)
        except ValueError:  # named where the records are read
            return True
        return bool(record["diverged_at"]) or set(schedule.other_steps) <= self.other_steps(record)

    def other_steps(self, record):
        """The numbers of steps, other than it was trained with, that a record has evaluations of."""
        return {evaluation["steps"] for evaluation in record.get("other_steps", ())}

    def add_other_steps(self, record, found):
        """Write a record anew, with evaluations (as `flat` makes them) beside those it has."""
        record = record | {"other_steps": record.get("other_steps", []) + found}
        record["schedule"] = record["schedule"] | {"other_steps": sorted(self.other_steps(record))}
        self.write(record)

    def save(self, run, schedule, result, device, command, compiled=False):
        """Write a finished run's weights and then its record, and drop what was saved on the way.

        Where there is a record of the run already, only what it lacks is added, weights and evaluations with other
        numbers of steps. Raises ValueError where that one has other losses.
        """
        losses = [*map(short, result.losses)]
        earlier = self.load(run.hash) if self.record_path(run.hash).exists() else None
        if earlier and earlier["losses"] != losses:
            raise ValueError(self.other_losses(run.hash))
        with written_whole(self.weights_path(run.hash)) as part:
            save_file(apart(result.model.state_dict()), part, metadata={"run": run.hash})
        record = {
            "schema": SCHEMA, "run": run.hash, "configuration": asdict(run), "schedule": asdict(schedule),
            "environment": environment(device, compiled), "command": command,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "diverged_at": result.diverged_at, "ledger": result.ledger,
            "losses": losses,
            "evaluations": [score._asdict() for score in result.scores],
            "other_steps": flat(result.other_steps)}
        if earlier:
            known = self.other_steps(earlier)
            self.add_other_steps(earlier, [one for one in record["other_steps"] if one["steps"] not in known])
        else:
            self.write(record)
        self.unfinished_path(run.hash).unlink(missing_ok=True)

    def other_losses(self, run_hash):
        """What is wrong with training a run again whose record has other losses, and the way out."""
        return (f"{self.record_path(run_hash)} has other losses than the run has here, "
                "as another machine's have: it is left as it is; train into another --store")

    def write(self, record):
        """Write a record, a key a line."""
        with written_whole(self.record_path(record["run"])) as part:
            lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
            part.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8", newline="\n")

    def load(self, run_hash):
        """The record of one run, a dict. Raises ValueError where the file is not there, or not a whole record
        of this schema whose configuration has the hash it is named by.

        Its configuration lacks fields that did not exist yet when it was made: `tarm.runs.run_from` reads it as a Run.
        """
        path = self.record_path(run_hash)
        if not path.exists():
            raise ValueError(f"there is no record {path}: {self.command('list')} "
                             "names those that are there")
        way_out = f"{self.command(f'rm {run_hash}')} removes it"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["schema"] > SCHEMA:
                way_out = "update tarm"
            if record["schema"] != SCHEMA:
                raise ValueError(f"schema {record['schema']}, this tarm reads {SCHEMA}")
            if absent := [record["configuration"][kind] for kind, known in (("task", TASKS), ("rung", LADDER))
                          if record["configuration"][kind] not in known]:
                way_out = "name its file with --plugin FILE.py, or update tarm"
                raise NotKnown(f"{', '.join(absent)} comes from a plugin, or from a newer tarm")
            if missing := {"configuration", "schedule", "ledger", "evaluations", "losses", "diverged_at"} - set(record):
                raise ValueError(f"it lacks {', '.join(sorted(missing))}")
            try:
                actual = run_from(record["configuration"]).hash
            except ValueError:
                way_out = f"update tarm if a newer one made it, else {way_out}"
                raise
            if not actual == record["run"] == run_hash:
                raise ValueError(f"its configuration has the hash {actual}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"it lacks {error}" if isinstance(error, KeyError) else error
            kind = NotKnown if isinstance(error, NotKnown) else ValueError
            raise kind(f"{path} is not a record that can be used ({what}): {way_out}") from error
        return record

    def usable(self, runs=None):
        """(records that can be used, in the order of their hashes; an error for each that cannot). runs: the hashes of
        those to look at, default all."""
        records, refused = [], []
        for path in sorted((self.root / "records").glob("*.json")):
            if runs is not None and path.stem not in runs:
                continue
            try:
                records.append(self.load(path.stem))
            except ValueError as error:
                refused.append(error)
        return records, refused

    def records(self):
        """All records, in the order of their hashes. Those of a task or rung that is not registered here
        are left out, and the first of each named on standard error. Raises ValueError where others cannot be used."""
        records, refused = self.usable()
        if damaged := name_unknown(refused):
            raise damaged[0]
        return records

    def parts(self, run_hash):
        """The files that a killed sweep may have left half written of a run."""
        return [*self.root.glob(f"*/.{run_hash}.*.part")]

    def command(self, words):
        """A command on this store, as messages name it."""
        return f"`python -m tarm {words} --store {shlex.quote(str(self.root))}`"

    def clear(self, run_hash):
        """Remove `parts`: for whoever is about to begin the run anew, and holds its lock."""
        for path in self.parts(run_hash):
            path.unlink(missing_ok=True)

    def clear_finished(self, run_hash):
        """Remove the half-written files, the unfinished file and the lock of a finished run; nothing while another
        process holds the lock, since it may be completing the run."""
        unfinished = self.unfinished_path(run_hash)
        lock = unfinished.with_suffix(".lock")
        left = [*self.parts(run_hash), *(path for path in (unfinished, lock) if path.exists())]
        if left:
            with contextlib.suppress(OSError), self.lock(run_hash).acquire(timeout=0):
                for path in (*left, lock):
                    path.unlink(missing_ok=True)

    def find(self, prefix):
        """The one record whose hash begins with `prefix`. Raises ValueError unless there is one."""
        return self.load(self.find_hash(prefix))

    def find_hash(self, prefix):
        """The one hash that begins with `prefix`, its record usable or not. Raises ValueError unless there is one."""
        if not prefix:
            raise ValueError("the run's name is empty: give its hash, or the beginning of it")
        found = sorted(path.stem for path in (self.root / "records").glob("*.json") if path.stem.startswith(prefix))
        if len(found) != 1:
            raise ValueError(f"{len(found)} runs in {self.root} begin with {prefix!r}: "
                             f"{self.command('list')} names all that are there")
        return found[0]

    def model(self, record):
        """The trained model of a record, on the CPU, in evaluation mode. Nothing is unpickled.

        Raises ValueError where its weights are not there or cannot be used.
        """
        path = self.weights_path(record["run"])
        model = run_from(record["configuration"]).build()
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, OSError, RuntimeError) as error:
            if path.exists():
                way_out = f"remove the run with {self.command('rm ' + record['run'])} and train it again"
            elif self.root.resolve() == COMMITTED.resolve():
                way_out = "most committed records come without; train the run in a store of your own"
            else:
                way_out = ("train the run in another --store and `python -m tarm merge` that one, "
                           "which adds weights of the same training")
            raise ValueError(f"{path} are not the weights of this run ({str(error).splitlines()[0]}): "
                             f"{way_out}") from error
        return model.eval()

    def take(self, other, record, weights=True):
        """Copy a record from another store, with its weights where they are there and wanted. Weights that are here
        stay with a record of the same training, and go with one of another."""
        run_hash = record["run"]
        source, path = other.weights_path(run_hash), self.weights_path(run_hash)
        if weights and source.exists():
            copy_whole(source, path)
        elif path.exists() and not self.alike(record):
            with self.alone(run_hash):
                path.unlink()
        copy_whole(other.record_path(run_hash), self.record_path(run_hash))

    def alike(self, record):
        """Is the run here, with the same training?"""
        try:
            return self.load(record["run"])["losses"] == record["losses"]
        except (ValueError, OSError):
            return False

    def complete(self, other, theirs, weights=True):
        """Take what a run that is here lacks and the other store's record of the same training has, evaluations with
        other numbers of steps and, where they are wanted, its weights; -> was there anything? None where the losses
        differ: that is another training."""
        ours = self.load(theirs["run"])
        if ours["losses"] != theirs["losses"]:
            return None
        source, path = (store.weights_path(theirs["run"]) for store in (other, self))
        lacks_weights = weights and source.exists() and not path.exists()
        if lacks_weights:
            copy_whole(source, path)
        missing = [one for one in theirs.get("other_steps", ()) if one["steps"] not in self.other_steps(ours)]
        if missing:
            self.add_other_steps(ours, missing)
        return lacks_weights or bool(missing)

    def remove(self, run_hash):
        """Remove a run: its record first, then its weights. Raises ValueError where a sweep is training it."""
        with self.alone(run_hash):
            for path in self.record_path, self.weights_path, self.unfinished_path:
                path(run_hash).unlink(missing_ok=True)


def name_unknown(refused):
    """Name the first of each kind of NotKnown among some errors on standard error; -> the other errors."""
    alike = {}
    for error in refused:
        if isinstance(error, NotKnown):
            alike.setdefault(str(error.__cause__), []).append(error)
    for first, *more in alike.values():
        print(f"left out: {first}" + (f" (and {len(more)} more like it)" if more else ""), file=sys.stderr)
    return [error for error in refused if not isinstance(error, NotKnown)]


def apart(tensors):
    """{name: tensor} as safetensors takes them: on the CPU, whole, and no two of one memory, as tied weights have."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}


def copy_whole(source, path):
    """Copy a file so that it is there whole or not at all."""
    with written_whole(path) as part:
        shutil.copyfile(source, part)


def short(loss):
    """A loss as a record has it, of five digits; None where it is not finite."""
    return float(f"{loss:.5g}") if math.isfinite(loss) else None


def flat(other_steps):
    """{steps: Scores} -> the list that a record holds."""
    return [{"steps": steps} | score._asdict() for steps, found in other_steps.items() for score in found]


def scores(record):
    """The evaluations of a record, as Scores."""
    return [Score(**evaluation) for evaluation in record["evaluations"]]


def trajectory(record):
    """{training step: character accuracy (greedy, unseen) at the training length} of a record, in order; a run that
    diverged ends with 0."""
    length, last = (record["configuration"][field] for field in ("length", "training_steps"))
    return curve(scores(record), length) | ({last: 0.0} if record["diverged_at"] else {})
