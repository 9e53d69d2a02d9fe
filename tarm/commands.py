"""What `python -m tarm` can do, a function per command; each takes the parsed arguments."""

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import torch
from filelock import FileLock

from . import gallery, table
from .architecture import Architecture, choose
from .decoding import complete, gumbel
from .evaluation import evaluate, evaluation_problems, metrics
from .ladder import LADDER
from .runs import Run, run_from
from .store import COMMITTED, PROJECT, Store, scores
from .streams import stream, training_stream
from .profiles import PROFILES
from .studies import STUDIES, Job, jobs, place
from .sweep import seconds_per_step, sweep
from .tasks import TASKS


def choose_device(name):
    """"auto" -> "cuda" or "mps" where there is one, else "cpu". Raises ValueError for one that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        if torch.device(name).type not in ("cpu", "cuda", "mps"):
            raise RuntimeError
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={name!r} is not here: use cpu, or auto to take what there is") from error
    return name


def seed_list(text):
    """"3" -> (0, 1, 2), a count; "0,4" or "4," -> a list."""
    parts = [part for part in text.split(",") if part]
    if not parts or not all(part.isdecimal() for part in parts) or parts == ["0"] and "," not in text:
        raise ValueError(f"seeds={text!r} are none: give a count such as 3, or a list such as 0,4")
    return tuple(map(int, parts)) if "," in text else tuple(range(int(text)))


def whole_number(name, text):
    if not text.isdecimal():
        raise ValueError(f"{name}={text!r} is not a whole number")
    return int(text)


def write_table(store):
    """Write the store's results.csv anew from its records, one process at a time."""
    store.root.mkdir(parents=True, exist_ok=True)
    with FileLock(store.root / "results.lock"):
        table.write(table.tidy(store.records()), store.root / "results.csv")


def train_and_report(these, arguments):
    """Run jobs in the store given, rewrite its table, and say what there is now."""
    store, device = Store(arguments.store), choose_device(arguments.device)
    # paths of this machine mean nothing on another: their last part says enough
    words = [Path(word).name if Path(word).is_absolute() else word for word in arguments.words]
    command = "python -m tarm " + shlex.join(words)
    print(f"device: {device}", flush=True)
    there = sum(store.has(job.run) for job in these)
    try:
        done = sweep(these, store, device, arguments.jobs, arguments.threads, command, arguments.minutes,
                     arguments.save_every)
    finally:
        write_table(store)
    print(f"{len(these)} runs: {there + done.elsewhere} there, {done.finished} trained now, {done.left} left, "
          f"{len(done.failed)} failed: {store.root}")
    if done.failed:
        raise RuntimeError(f"{len(done.failed)} runs failed, the first: {done.failed[0]}")
    return store, done.left


def command_train(arguments):
    given = {field.name: field_value(field, text) for field in fields(Run)
             if (text := getattr(arguments, field.name)) is not None}
    choose("task", arguments.task, TASKS)
    setting = PROFILES[arguments.profile][arguments.task]
    base = setting.fields if not {"budget", "steps"} & set(given) else {
        name: value for name, value in setting.fields.items() if name != "budget"}
    run = Run(**base | given)
    schedule = setting.schedule
    if run.length not in schedule.lengths:
        schedule = replace(schedule, lengths=(run.length,), final_lengths=())
    train_and_report([Job(run, schedule)], arguments)


def field_value(field, text):
    """A field of Run from text, in the field's type; ValueError names what it may not be."""
    if field.type is bool:
        choose(field.name, text, ("true", "false"))
        return text == "true"
    try:
        return (field.type if field.type in (str, float) else int)(text)  # int | None is int
    except ValueError as error:
        raise ValueError(f"{field.name}={text!r} is not a number") from error


def command_sweep(arguments):
    filters = {field.name: [field_value(field, text) for text in given.split(",")] for field in fields(Run)
               if field.name != "seed" and (given := getattr(arguments, field.name))}
    profiles = STUDIES[arguments.study].profiles
    profile = arguments.profile or ("cpu" if "cpu" in profiles else profiles[0])
    these = jobs(profile, arguments.study, seed_list(arguments.seeds), **filters)
    if arguments.dry_run:
        return list_with_estimate(these, arguments)
    train_and_report(these, arguments)


def list_with_estimate(these, arguments):
    """Say what a sweep would train, and how long that takes going by a few steps of each kind."""
    store, device = Store(arguments.store), choose_device(arguments.device)
    torch.set_num_threads(arguments.threads or 1)
    per_step, total = {}, 0.0
    for job in these:
        if store.has(job.run):
            print(f"{'there':>7}  {job.run}")
            continue
        kind = replace(job.run, seed=0, steps=None)
        if kind not in per_step:
            per_step[kind] = seconds_per_step(kind, device)
        hours = per_step[kind] * job.run.training_steps / 3600
        total += hours
        print(f"{hours:>5.2f} h  {job.run}", flush=True)
    print(f"{total:.2f} hours of training on one {device} process of {torch.get_num_threads()} threads, "
          f"from 2 measured steps each; evaluation comes on top")


def command_figures(arguments):
    from . import notebooks  # papermill is an extra

    store, left = train_and_report(jobs(arguments.profile, "main", seed_list(arguments.seeds)), arguments)
    if left:
        raise RuntimeError(f"{left} runs are not finished, so nothing is drawn: the same command goes on from there")
    run_notebooks(notebooks, arguments, store)
    print(f"figures: {store.root / 'figures' / arguments.profile}")


def command_notebooks(arguments):
    from . import notebooks

    run_notebooks(notebooks, arguments, Store(arguments.store))


def command_site(arguments):
    from . import notebooks, site

    paths = notebooks.numbered()
    if arguments.profile:
        folder = Store(arguments.store).root / "notebooks" / arguments.profile
        paths = [folder / path.name for path in paths]
        if missing := [path.name for path in paths if not path.exists()]:
            raise ValueError(f"{folder} lacks {', '.join(missing)}: "
                             f"`python -m tarm notebooks --profile {arguments.profile}` makes them")
    pages = site.build(paths, arguments.out)
    print(f"{len(pages)} pages: {arguments.out / 'index.html'}")


def run_notebooks(notebooks, arguments, store):
    if wrong := [pair for pair in arguments.parameter if "=" not in pair]:
        raise ValueError(f"parameter {wrong[0]!r} has no value: write {wrong[0]}=VALUE")
    parameters = dict(pair.split("=", 1) for pair in arguments.parameter)
    device = choose_device(arguments.device)
    for path, ran in notebooks.run_all(arguments.profile, device, store, arguments.notebook, parameters):
        print(f"{path.name}: {'run' if ran else 'unchanged'}", flush=True)


def command_evaluate(arguments):
    store = Store(arguments.store)
    record = store.find(arguments.run)
    run = run_from(record["configuration"])
    model = store.model(record).to(choose_device(arguments.device))
    lengths = [whole_number("lengths", part) for part in (arguments.lengths or str(run.length)).split(",")]
    print(f"{run}\n{'length':>6} {'problems':8} {'decoding':8} {'count':>5} {'character':>9} {'sequence':>8} "
          f"{'first':>6} {'last':>6}")
    for length in lengths:
        problems = evaluation_problems(run, length, arguments.problems, training_stream(run.seed))
        for score in evaluate(model, problems, length, run.training_steps, run.seed):
            m = {name: value for name, (value, _) in metrics(score).items()}
            print(f"{length:>6} {score.problems:8} {score.decoding:8} {score.count:>5} {m['character']:>9.1%} "
                  f"{m['sequence']:>8.1%} {m['first']:>6.1%} {m['last']:>6.1%}")


def command_generate(arguments):
    store = Store(arguments.store)
    model = store.model(store.find(arguments.run)).to(choose_device(arguments.device))
    noise = None
    if arguments.sample:
        noise = gumbel((1, arguments.limit, model.architecture.vocabulary), stream(arguments.seed, "decoding"))
    print(complete(model, arguments.prompt, arguments.limit, noise))


def command_ladder(arguments):
    print(f"{'#':1} {'key':15} {'name':27} {'family':14} {'steps':>5} {'passes':>6} {'parameters':>11}  new on this rung")
    for number, (key, rung) in enumerate(LADDER.items(), 1):
        a = Architecture(rung=key, width=arguments.width, heads=arguments.heads, budget=arguments.budget,
                         context=arguments.context)
        print(f"{number:1} {key:15} {rung.name:27} {rung.family:14} {a.steps:>5} {a.budget:>6} "
              f"{a.count_parameters():>11,}  {rung.change}")


def command_list(arguments):
    records = Store(arguments.store).records()
    if arguments.json:
        for record in records:
            print(json.dumps({"run": record["run"], **record["configuration"], **record["ledger"],
                              "diverged_at": record["diverged_at"], "accuracy": final_accuracy(record)}))
        return
    print(f"{'run':12} {'rung':14} {'task':8} {'length':>6} {'seed':>4} {'width':>5} {'passes':>6} {'executed':>8} "
          f"{'weighted':>8} {'trained':>7} {'accuracy':>8} {'seconds':>7}  differs from published in")
    for record in sorted(records, key=lambda r: (r["configuration"]["task"], list(LADDER).index(
            r["configuration"]["rung"]), r["configuration"]["seed"])):
        run, ledger = run_from(record["configuration"]), record["ledger"]
        accuracy = final_accuracy(record)
        shown = "diverged" if accuracy is None else f"{accuracy:.1%}"
        print(f"{run.hash:12} {run.rung:14} {run.task:8} {run.length:>6} {run.seed:>4} {run.width:>5} {run.budget:>6} "
              f"{ledger['executed_passes']:>8.1f} {ledger['weighted_passes']:>8.1f} {ledger['trained_passes']:>7.1f} "
              f"{shown:>8} {ledger['training_seconds']:>7.0f}  {table.variant(run).replace('published', '-')}")


def final_accuracy(record):
    """Greedy character accuracy on unseen problems of the training length at the last step, or None."""
    run = run_from(record["configuration"])
    for score in scores(record):
        if (score.step, score.length, score.problems, score.decoding) == (
                run.training_steps, run.length, "unseen", "greedy"):
            return metrics(score)["character"][0]
    return None


def command_merge(arguments):
    store, other = Store(arguments.store), Store(arguments.folder)
    if not (other.root / "records").is_dir():
        raise ValueError(f"{other.root} is not a store: it has no folder records")
    taken, refused = 0, []
    for path in sorted((other.root / "records").glob("*.json")):
        if store.record_path(path.stem).exists():
            continue
        try:
            store.take(other, other.load(path.stem))
            taken += 1
        except ValueError as error:
            refused.append(str(error))
    write_table(store)
    print(f"{taken} records taken from {other.root} into {store.root}, {len(refused)} refused")
    if refused:
        raise ValueError("; ".join(refused))


def confirmed(question):
    try:
        return input(question).strip() == "y"
    except EOFError:  # nobody is there to answer
        return False


def command_rm(arguments):
    store = Store(arguments.store)
    records = [store.find(prefix) for prefix in arguments.run]
    for record in records:
        print(run_from(record["configuration"]))
    if not arguments.yes and not confirmed(f"remove these {len(records)} runs from {store.root}? [y/N] "):
        print("nothing was removed")
        return
    for record in records:
        store.remove(record["run"])
    write_table(store)


def command_test(arguments):
    """pytest, then every notebook against the outputs it shows."""
    strict = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval.cfg",
              "--nbval-cell-timeout", "300", "notebooks"]
    for words in [], strict:
        done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=PROJECT)
        if done.returncode:
            raise RuntimeError(f"pytest {' '.join(words)} ended with {done.returncode}")


def command_export(arguments):
    store, committed = Store(arguments.store), Store(COMMITTED)
    taken = [record for record in store.records()
             if place(run_from(record["configuration"]))[0] == arguments.profile]
    if not taken:
        raise ValueError(f"{store.root} has no finished run of profile {arguments.profile}: "
                         f"`python -m tarm figures --profile {arguments.profile}` makes them")
    for record in taken:
        committed.take(store, record, weights=False)
    whole = table.tidy(committed.records())
    table.write(whole, COMMITTED / "results.csv.gz")
    if arguments.profile == "cpu":  # the committed figures are those of the cpu profile
        for stem in gallery.RESULTS:
            try:
                rows, _, figure = gallery.result_figure(stem, whole, "cpu")
            except ValueError as error:  # not all tasks have been run
                print(f"{stem} is not drawn: {error}")
            else:
                gallery.save(figure, rows, stem, COMMITTED.parent)
        for stem in gallery.DRAWN_BY_CHAPTERS:
            for path in (store.root / "figures" / "cpu").rglob(f"{stem}.*"):
                shutil.copyfile(path, COMMITTED.parent / path.relative_to(store.root / "figures" / "cpu"))
    print(f"{len(taken)} records of profile {arguments.profile}, {len(whole)} rows in all: {COMMITTED}")
