"""Commands that look after a store: list, merge, rm, export."""

import json
import shutil
import sys

from .. import gallery, paper, table, verdict
from ..evaluation import latest_accuracy
from ..ladder import LADDER
from ..plugins import VARIABLE, plugin_files
from ..runs import run_from
from ..store import COMMITTED, Store, name_unknown, needs_clone, scores
from ..studies import place, within
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
    damaged = table.refresh(store)
    also = f", {completed} completed that were there without weights or evaluations" if completed else ""
    print(f"{taken} records taken from {other.root} into {store.root}{also}, {same} there already, "
          f"{len(refused)} refused")
    if otherwise:
        print(f"of these with the same losses and other evaluations, and left as they are: {otherwise}")
    if kept:
        print(f"there with other losses, as another machine has them, and left as they are: {kept}")
    named = dict.fromkeys(map(str, refused))
    others = [error for error in damaged if str(error) not in named]
    if refused:
        raise ValueError("; ".join([*named, *map(str, others)]))
    complain(others)


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
    if errors := [*busy, *map(str, name_unknown(table.refresh(store)))]:
        raise ValueError("; ".join(errors))


def command_export(arguments):
    needs_clone("export")
    if files := plugin_files():
        raise ValueError("export is for the project's own runs, and would commit those of "
                         f"{', '.join(map(str, files))}: leave --plugin and {VARIABLE} out")
    store, committed = Store(arguments.store), Store(COMMITTED)
    taken = [record for record in store.records()
             if place(run_from(record["configuration"]))[0] == arguments.profile]
    if not taken:
        raise ValueError(f"{store.root} has no finished run of profile {arguments.profile}: "
                         f"`python -m tarm sweep --profile {arguments.profile}` makes them")
    kept_there = 0
    for record in taken:
        there = committed.record_path(record["run"]).exists()
        if there and committed.complete(store, record, weights=False) is not None:
            continue
        if there and not arguments.replace:
            kept_there += 1
        else:
            committed.take(store, record, weights=False)
    records = committed.records()
    results = table.tidy(records, abridged=True)
    table.write_by_study(results, COMMITTED)
    verdict.write(records, COMMITTED.parent.parent)
    if arguments.profile == "cpu":  # the committed figures are those of the cpu profile
        for stem, draw in gallery.FIGURES.items():
            try:
                rows, _, figure = draw(gallery.of_main_seeds(results), "cpu")
            except ValueError as error:  # not all of it has been run
                print(f"{stem} is not drawn: {error}")
            else:
                gallery.save(figure, rows, stem, COMMITTED.parent)
        for stem in gallery.DRAWN_BY_CHAPTERS:
            for path in (store.root / "figures" / "cpu").rglob(f"{stem}.*"):
                shutil.copyfile(path, COMMITTED.parent / path.relative_to(store.root / "figures" / "cpu"))
    if arguments.profile == "paper":
        drawn = [stem for stem, _ in paper.draw(records, COMMITTED.parent / "paper", empty=False)]
        print(f"drawn in figures/paper: {', '.join(drawn) or 'nothing, since no cell of its figures has been run'}")
    if kept_there:
        print(f"committed with other losses, as another machine has them, and left as they are: {kept_there} "
              "(--replace puts yours in their place)")
    print(f"{len(taken)} records of profile {arguments.profile}, {len(results)} rows in all: {COMMITTED}")
