"""Commands that run the notebooks to draw, show them as pages, or test what they show."""

import subprocess
import sys

from .. import paper
from ..store import PROJECT, Store, needs_clone
from ..studies import for_figures
from ..sweep import cores
from .options import choose_device, seed_list
from .training import train_and_report


def command_figures(arguments):
    seeds = seed_list(arguments.seeds)
    if arguments.profile == "paper" and not arguments.fresh:
        draw_from_records(arguments)
        return
    from .. import notebooks  # papermill is an extra

    store, left = train_and_report(for_figures(arguments.profile, seeds), arguments)
    if left:
        raise RuntimeError(f"{left} runs are not finished, so nothing is drawn: the same command goes on from there")
    run_notebooks(notebooks, arguments, store)
    if arguments.profile == "paper":
        draw(store.records(), store.root / "figures" / "paper")
    print(f"figures: {store.root / 'figures' / arguments.profile}")


def draw_from_records(arguments):
    """Draw the figures at published size from the committed records and those of the store, training nothing."""
    needs_clone("the paper profile")
    store = Store(arguments.store)
    draw(paper.gather(store), store.root / "figures" / "paper")
    print(f"figures of the committed records and those of {store.root}: {store.root / 'figures' / 'paper'}\n"
          "nothing was trained; --fresh (FRESH=1) trains the main study's missing runs, "
          "`python -m tarm sweep --study NAME` another's")


def draw(records, folder):
    for stem, ran in paper.draw(records, folder):
        print(f"{stem}: {ran} cells run" if ran else f"{stem}: nothing run yet", flush=True)


def command_notebooks(arguments):
    from .. import notebooks

    run_notebooks(notebooks, arguments, Store(arguments.store))


def command_site(arguments):
    from .. import notebooks, site

    paths = notebooks.numbered()
    if arguments.profile:
        store = Store(arguments.store)
        folder = store.root / "notebooks" / arguments.profile
        paths = [folder / path.name for path in paths]
        if missing := [path.name for path in paths if not path.exists()]:
            raise ValueError(f"{folder} lacks {', '.join(missing)}: "
                             f"{store.command('notebooks --profile ' + arguments.profile)} makes them")
    pages = site.build(paths, arguments.out)
    print(f"{len(pages)} pages: {arguments.out / 'index.html'}")


def run_notebooks(notebooks, arguments, store):
    if wrong := [pair for pair in arguments.parameter if "=" not in pair]:
        raise ValueError(f"parameter {wrong[0]!r} has no value: write {wrong[0]}=VALUE")
    parameters = dict(pair.split("=", 1) for pair in arguments.parameter)
    device = choose_device(arguments.device)
    for path, ran in notebooks.run_all(arguments.profile, device, store, arguments.notebook, parameters,
                                       arguments.jobs):
        print(f"{path.name}: {'run' if ran else 'unchanged'}", flush=True)


def command_test(arguments):
    """pytest, then every notebook against the outputs it shows; files side by side, one more than there are cores,
    since many a test waits for processes that it has started."""
    needs_clone("test")
    beside = ["-n", str(cores() + 1), "--dist", "loadfile"]
    strict = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/nbval.cfg",
              "--nbval-cell-timeout", "300", "notebooks"]
    for words in beside, beside + strict:
        done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=PROJECT)
        if done.returncode:
            raise RuntimeError(f"pytest {' '.join(words)} ended with {done.returncode}")
