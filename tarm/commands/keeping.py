"""Commands that look after a store: list, merge, rm."""

import json
import sys

from .. import table
from ..evaluation import latest_accuracy
from ..ladder import LADDER
from ..runs import run_from
from ..store import Store, scores
from ..studies import within
from .options import complain


def command_list(arguments):
    store = Store(arguments.store)
    if not store.root.is_dir():
        print(f"there is no store at {store.root}", file=sys.stderr)
    records, refused = store.usable()
    if arguments.study or arguments.profile:
        records = [record for record in records
                   if within(run_from(record["configuration"]), arguments.study, arguments.profile)]
    show(records, arguments.json)
    complain(refused)


def show(records, as_json):
    if as_json:
        for record in records:
            print(json.dumps({"run": record["run"], **record["configuration"], **record["ledger"],
                              "diverged_at": record["diverged_at"], "accuracy": final_accuracy(record)}))
        return
    print(f"{'run':12} {'rung':14} {'task':8} {'length':>6} {'training_steps':>14} {'seed':>4} {'width':>5} "
          f"{'passes':>6} {'executed':>8} {'weighted':>8} {'trained':>7} {'accuracy':>8} {'seconds':>7}  "
          "differs from published in")
    for record in sorted(records, key=lambda r: (r["configuration"]["task"], list(LADDER).index(
            r["configuration"]["rung"]), r["configuration"]["seed"])):
        run, ledger = run_from(record["configuration"]), record["ledger"]
        accuracy = final_accuracy(record)
        shown = "diverged" if record["diverged_at"] else "-" if accuracy is None else f"{accuracy:.1%}"
        print(f"{run.hash:12} {run.rung:14} {run.task:8} {run.length:>6} {run.training_steps:>14} {run.seed:>4} "
              f"{run.width:>5} {run.budget:>6} {ledger['executed_passes']:>8.1f} {ledger['weighted_passes']:>8.1f} "
              f"{ledger['trained_passes']:>7.1f} {shown:>8} {ledger['training_seconds']:>7.0f}  "
              f"{table.variant(run).replace('published', '-')}")
    hours = sum(record["ledger"]["training_seconds"] for record in records) / 3600
    print(f"{len(records)} run{'s' * (len(records) != 1)}, {hours:.1f} hours of training")


def final_accuracy(record):
    """Greedy character accuracy on unseen problems of the training length at a run's end, or None where it diverged or
    was not evaluated at that length."""
    if record["diverged_at"]:
        return None
    return latest_accuracy(scores(record), record["configuration"]["length"])


def command_merge(arguments):
    store, other = Store(arguments.store), Store(arguments.folder)
    if not (other.root / "records").is_dir():
        raise ValueError(f"{other.root} is not a store: it has no folder records")
    taken, completed, kept, same, otherwise, refused = 0, 0, 0, 0, 0, []
    for path in sorted((other.root / "records").glob("*.json")):
        try:
            record = other.load(path.stem)
            if not store.record_path(path.stem).exists():
                store.take(other, record)
                taken += 1
            else:
                found = store.complete(other, record)
                kept += found is None
                completed += bool(found)
                same += found is False
                otherwise += found is False and store.load(path.stem)["evaluations"] != record["evaluations"]
        except ValueError as error:
            refused.append(error)
    also = f", {completed} completed that were there without weights or evaluations" if completed else ""
    print(f"{taken} records taken from {other.root} into {store.root}{also}, {same} there already, "
          f"{len(refused)} refused")
    if otherwise:
        print(f"of these with the same losses and other evaluations, and left as they are: {otherwise}")
    if kept:
        print(f"there with other losses, as another machine has them, and left as they are: {kept}")
    if refused:
        raise ValueError("; ".join(dict.fromkeys(map(str, refused))))


def confirmed(question):
    try:
        return input(question).strip() == "y"
    except EOFError:  # nobody is there to answer
        return False


def command_rm(arguments):
    store = Store(arguments.store)
    hashes = [store.find_hash(prefix) for prefix in arguments.run]
    for run_hash in hashes:
        try:
            print(run_from(store.load(run_hash)["configuration"]))
        except ValueError as error:
            print(error)
    if not arguments.yes and not confirmed(f"remove {'these' if len(hashes) > 1 else 'this'} "
                                           f"from {store.root}? [y/N] "):
        print("nothing was removed")
        return
    busy = []
    for run_hash in hashes:
        try:
            store.remove(run_hash)
        except ValueError as error:
            busy.append(str(error))
    if busy:
        raise ValueError("; ".join(busy))
