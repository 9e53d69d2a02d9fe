"""Run the numbered notebooks with papermill, parameterised, and only where something changed."""

import hashlib
import json
import multiprocessing
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import papermill

from .architecture import at_least
from .plugins import plugin_files
from .store import COMMITTED, PROJECT
from .sweep import cores, stop

NOTEBOOKS = PROJECT / "notebooks"


def numbered(folder=NOTEBOOKS):
    """The notebooks in reading order. Raises ValueError where there are none."""
    found = sorted(folder.glob("[0-9]*.ipynb"))
    if not found:
        raise ValueError(f"no notebooks in {folder}: run from a clone of the project, installed with pip install -e")
    return found


def contents(files):
    """A hash of what these files hold."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(notebook, parameters, inputs):
    """A hash of what a notebook's result depends on: source, parameters, other inputs (the `contents` of files)."""
    cells = nbformat.read(notebook, as_version=4).cells
    whole = [[[cell.cell_type, cell.source] for cell in cells], parameters, inputs]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def run_notebook(notebook, parameters, folder, inputs=""):
    """Run one notebook into `folder`, unless the same source, parameters and inputs made what is there; -> was it run?

    inputs: the `contents` of files. Raises ValueError for a parameter that the notebook does not have. A notebook that
    fails leaves its partial copy as NAME.failed.ipynb and raises RuntimeError with the cell's error.
    """
    known = papermill.inspect_notebook(str(notebook))
    if unknown := set(parameters) - set(known):
        raise ValueError(f"{notebook.name} has no parameter {', '.join(sorted(unknown))}: "
                         f"it has {', '.join(known) or 'none'}")
    def drawn():
        return sorted(path.name for path in Path(parameters.get("figures") or folder).glob("*")
                      if path.suffix in (".svg", ".png"))

    output, part = folder / notebook.name, folder / f"{notebook.stem}.failed.ipynb"
    current = fingerprint(notebook, parameters, inputs)
    if output.exists():
        made = nbformat.read(output, as_version=4).metadata.get("tarm", {})
        if made.get("inputs") == current and set(made["figures"]) <= set(drawn()):
            return False
    folder.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(notebook, part, parameters, kernel_name="python3", cwd=notebook.parent,
                                   progress_bar=sys.stderr.isatty(), log_output=False,
                                   extra_arguments=["--IPKernelApp.log_level=CRITICAL"])  # a cell's error comes back
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{notebook.name} failed in cell {error.exec_count} "
                           f"({error.ename}: {error.evalue}); what it did until then is in {part}") from error
    done = nbformat.read(part, as_version=4)
    done.metadata["tarm"] = {"inputs": current, "figures": drawn()}
    nbformat.write(done, part)
    shutil.move(part, output)
    return True


def run_all(profile, device, store, chosen=(), parameters=None, workers=None):
    """Run the notebooks, each with those of its parameters that are given; yields (path, was it run?), in order.

    profile, device, data (the store's folder) and figures (where they go) are passed to every
    notebook that has them; `parameters` come on top. chosen: beginnings of names, default all. workers: how many run at
    a time (default: one per core; they read what is there, and none waits for another's figures). Raises ValueError for
    a name or parameter that no notebook has, before any of them runs.
    """
    if workers is not None:
        at_least(1, "jobs", workers)
    root = store.root.resolve()
    every = numbered()
    if unmatched := [name for name in chosen if not any(path.name.startswith(name) for path in every)]:
        raise ValueError(f"no notebook begins with {', '.join(unmatched)}: "
                         f"there are {', '.join(path.name for path in every)}")
    every = [path for path in every if not chosen or path.name.startswith(tuple(chosen))]
    given = {"profile": profile, "device": device, "data": str(root),
             "figures": str(root / "figures" / profile)} | (parameters or {})
    known = {path: set(papermill.inspect_notebook(str(path))) for path in every}
    if unknown := set(parameters or {}) - set().union(*known.values()):
        raise ValueError(f"no notebook has a parameter {', '.join(sorted(unknown))}: "
                         f"there are {', '.join(sorted(set().union(*known.values())))}")
    inputs = contents([*Path(__file__).parent.rglob("*.py"), *COMMITTED.rglob("*.csv*"),
                       *(path for file in plugin_files() for path in {file, *file.parent.glob("*.py")}),
                       *root.glob("records/*.json"),
                       *(path for kind in ("records/*.json", "weights/*.safetensors") for path in
                         (*COMMITTED.glob(kind), *NOTEBOOKS.glob(f"*/{kind}")))])  # committed models
    with ProcessPoolExecutor(min(workers or cores(), len(every)), multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run_notebook, path,
                               {name: value for name, value in given.items() if name in known[path]},
                               root / "notebooks" / profile, inputs) for path in every]
        try:
            for path, future in zip(every, running):
                yield path, future.result()
        except BaseException:  # begin no other, and do not wait for those that run: their kernels end with them
            stop(pool)
            raise
