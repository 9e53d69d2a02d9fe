"""The command line: python -m tarm COMMAND; each command has --help with an example."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from . import bench, checking, commands
from .checkpoint import SECONDS
from .commands.options import add_filters, add_run_options, positive
from .plugins import VARIABLE, load_plugins
from .profiles import PROFILES
from .studies import STUDIES


class Parser(argparse.ArgumentParser):
    """Answers a mistake with one line, not with the usage of every option first."""

    def error(self, message):
        if "arguments: --plugin" in message or "--study: invalid choice" in message:
            message += "; what is your own comes with --plugin FILE.py, before the command"
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser():
    top = Parser(prog="python -m tarm", description="Tiny Autoregressive Recursive Models.", allow_abbrev=False)
    top.add_argument("--plugin", action="append", default=[], metavar="FILE.py",
                     help="run this file first, which registers a task, rung or study of one's own")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text, example, trains=False, device="auto", profile="cpu", store="$TARM_STORE, or .tarm"):
        sub = subparsers.add_parser(name, help=text, description=text, epilog=f"example: python -m tarm {example}")
        if store:
            sub.add_argument("--store", type=Path, help=f"folder of the runs (default: {store})")
        if device:
            sub.add_argument("--device", default=device, help=f"auto, cpu, cuda, mps (default: {device})")
        if trains:
            sub.add_argument("--profile", choices=PROFILES, default=profile, help="size of the runs (default: cpu)")
            sub.add_argument("--jobs", type=int,
                             help="runs trained, or notebooks run, at a time (default: one per core; on a GPU one run)")
            sub.add_argument("--threads", type=int, help="threads of each (default: 1)")
            sub.add_argument("--save-every", type=positive, default=SECONDS, metavar="SECONDS",
                             help=f"seconds between two saves of an unfinished run (default: {SECONDS})")
            sub.add_argument("--recompute", action="store_true",
                             help="run block passes again in backward: less memory, more time, the same numbers")
            sub.add_argument("--compile", action="store_true",
                             help="train through torch.compile: up to an eighth faster on the GPU where it was tried, "
                             "with other rounding and other dropout masks")
            sub.add_argument("--minutes", type=positive,
                             help="stop after that time; the same command goes on from there")
        return sub

    seeds = {"default": "1", "help": "a count (3: seeds 0, 1, 2) or a list (0,4); default 1"}
    sub = command("figures", "train what is missing of the main study and of a part of the cross, "
                  "then run all notebooks, which draw the figures (`notebooks` runs single ones); "
                  "at the paper profile draw from the records", "figures --profile smoke", trains=True)
    sub.add_argument("--seeds", **seeds)
    sub.add_argument("--fresh", action="store_true",
                     help="at the paper profile, which else is drawn from records and trains nothing: "
                     "train, as the others do")
    sub.set_defaults(notebook=(), parameter=())
    sub = command("sweep", "train the runs of a study that the store does not have yet",
                  "sweep --profile smoke --rung ar_trm,universal --task copy", trains=True, profile=None)
    sub.add_argument("--study", choices=STUDIES, default="main",
                     help="list of runs, by the name of its function in tarm/studies/ or as a plugin registered it "
                     "(default: main; the others exist at certain profiles, "
                     "cpu or the first of which is then the default)")
    sub.add_argument("--seeds", **seeds)
    sub.add_argument("--dry-run", action="store_true", help="list the runs, and estimate the hours from a few steps")
    add_filters(sub)
    sub = command("train", "train one run: the profile's, with the fields given changed",
                  "train --profile smoke --rung universal --task copy", trains=True)
    add_run_options(sub)
    sub = command("evaluate", "decode problems with a trained run, and score them",
                  "evaluate c9508eb77157 --lengths 4,5")
    sub.add_argument("run", help="the run's hash, or its beginning")
    sub.add_argument("--lengths", help="operand lengths, separated by commas (default: the training length)")
    sub.add_argument("--problems", type=int, default=100, help="problems per length (default: 100)")
    sub.add_argument("--steps", metavar="N,M",
                     help="steps of the recurrence, fewer or more than trained (default: as trained)")
    sub = command("generate", "complete a prompt with a trained run", "generate c9508eb77157 '1234|'")
    sub.add_argument("run", help="the run's hash, or its beginning")
    sub.add_argument("prompt", help="characters of the vocabulary, such as 12+34=")
    sub.add_argument("--limit", type=int, default=64, help="most characters to write (default: 64)")
    sub.add_argument("--sample", action="store_true", help="sample at temperature 1 (default: greedy)")
    sub.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    sub = command("notebooks", "run the numbered notebooks on the store's runs", "notebooks 01 --profile smoke")
    sub.add_argument("notebook", nargs="*", help="beginnings of names, such as 01 (default: all)")
    sub.add_argument("--profile", choices=PROFILES, default="cpu", help="whose runs (default: cpu)")
    sub.add_argument("--jobs", type=int, help="notebooks run at a time (default: one per core)")
    sub.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE",
                     help="a notebook's parameter")
    sub = command("site", "the notebooks as web pages, to be read without Jupyter",
                  "site --out pages", device=None)
    sub.add_argument("--profile", choices=PROFILES,
                     help="show the notebooks as run with this profile (default: as committed)")
    sub.add_argument("--out", type=Path, default=Path("site"),
                     help="folder of the pages, replaced if there is one (default: site)")
    sub = command("bench", "measure what training and decoding cost on this machine",
                  "bench --profile smoke --pairs 1 --problems 4 --part matmul,steps", store=None)
    sub.add_argument("--profile", choices=PROFILES, default="cpu", help="size of the runs (default: cpu)")
    sub.add_argument("--pairs", type=int, default=3, help="times that everything is measured (default: 3)")
    sub.add_argument("--problems", type=int, default=100, help="problems that we decode at once (default: 100)")
    sub.add_argument("--threads", type=int, default=1, help="threads that PyTorch may use (default: 1)")
    sub.add_argument("--part", metavar="A,B",
                     help=f"only these of {', '.join(part.__name__ for part in bench.PARTS)}; saves nothing")
    sub.add_argument("--out", type=Path, default=Path(".tarm/bench"),
                     help="folder of table and figure (default: .tarm/bench)")
    sub = command("ladder", "the seven rungs: passes and parameters", "ladder --width 64 --heads 4",
                  device=None, store=None)
    for name, default in ("width", 384), ("heads", 6), ("budget", 24), ("context", 180):
        sub.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    sub = command("list", "the recorded runs", "list --store figures/data --study three_passes", device=None)
    sub.description += (". Passes are means per token over training: executed, those that ran; weighted, up to the "
                        "last step that the readout weighs; trained, those whose output there received a gradient")
    sub.add_argument("--study", choices=STUDIES, help="only runs of this study, which may be in others too")
    sub.add_argument("--profile", choices=PROFILES, help="only runs of studies at this profile")
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    sub = command("merge", "take the records of another store in", "merge other/.tarm", device=None)
    sub.add_argument("folder", type=Path, help="the other store")
    sub = command("rm", "remove runs from the store, after asking", "rm c9508eb77157 --yes", device=None)
    sub.add_argument("run", nargs="+", help="hashes, or their beginnings")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    command("test", "run the tests, then every notebook against the outputs it shows", "test",
            device=None, store=None)
    sub = command("export", "copy a profile's records into figures/data, and draw the committed figures anew",
                  "export --profile cpu", device=None)
    sub.add_argument("--profile", choices=PROFILES, default="cpu", help="whose (default: cpu)")
    sub.add_argument("--replace", action="store_true",
                     help="put yours in the place of records that are committed with other losses")
    sub = command("check-records", "take the first training steps of recorded runs again, and compare the losses; "
                  "on the CPU and in figures/data unless said otherwise",
                  "check-records 3c99494164ee", device="cpu", store="figures/data")
    sub.add_argument("run", nargs="*", help="hashes, or their beginnings "
                     "(default: the cheapest record of each study and precision)")
    sub.add_argument("--steps", type=int, default=checking.STEPS,
                     help=f"training steps of each (default: {checking.STEPS})")
    command("verdict", "compare the committed records with the paper's numbers: figures/verdict.md and the README; "
            "with --store print it only", "verdict", device=None, store="figures/data")
    return top


def use_plugins(words):
    """Load the files of --plugin before the other options are read, since these may name what they add."""
    first = Parser(prog="python -m tarm", add_help=False, allow_abbrev=False)
    first.add_argument("--plugin", action="append", default=[])
    files = [str(Path(name).resolve()) for name in first.parse_known_args(words)[0].plugin]
    if files:
        os.environ[VARIABLE] = os.pathsep.join(filter(None, [os.environ.get(VARIABLE), *files]))
        load_plugins()


def main(words=None):
    """Run one command; -> exit code. An error of the user's is one line, without a traceback."""
    words = sys.argv[1:] if words is None else words
    try:
        use_plugins(words)
        arguments = parser().parse_args(words)
        arguments.words = words
        commands.call(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        trains = {"figures", "sweep", "train"} & set(words)
        print("interrupted" + "; finished runs are kept, and an unfinished one as it was saved last (--save-every): "
              "the same command goes on from there" * bool(trains), file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads on
        # what is still to be written goes nowhere
        with contextlib.suppress(OSError):  # a stream without a descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # the exit code of SIGPIPE
    except ModuleNotFoundError as error:
        print(f"tarm: {error}: the notebooks' packages come with pip install -e '.[test]'", file=sys.stderr)
        return 1
    except (ValueError, RuntimeError, OSError) as error:
        print(f"tarm: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # not every terminal has every sign
    sys.exit(main())
