"""Run a list of jobs, several at a time; keep each as it finishes, and what is unfinished too."""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from concurrent import futures
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import NamedTuple

import torch
from filelock import Timeout
from tqdm import tqdm

from .architecture import at_least
from .checkpoint import SECONDS, Keeper
from .estimate import step_flop
from .evaluation import evaluate, evaluation_problems, latest_accuracy
from .ladder import LADDER
from .plugins import VARIABLE
from .store import flat, short
from .streams import training_stream
from .tasks import TASKS
from .training import Stopped, train

_progress = None  # in a worker process: the queue on which it reports

LINE_EVERY = 300  # seconds between two lines of progress where there is no terminal to show a bar

FINISHED, ELSEWHERE, STOPPED, BUSY, FAILED = "finished", "finished elsewhere", "stopped", "busy", "failed"


class Outcome(NamedTuple):
    """How one job ended: one of the five words above, and a line that says it."""

    word: str
    line: str


class Sweep(NamedTuple):
    """What a sweep did, in numbers of runs; and a line for each that failed.

    elsewhere: finished by another sweep meanwhile. left: stopped by the deadline, or still busy.
    """

    finished: int
    elsewhere: int
    left: int
    failed: list


def _start_worker(queue, threads):
    global _progress
    _progress = queue
    queue.cancel_join_thread()  # where nobody reads the queue any more, a worker ends all the same
    # else each worker starts a pool of processes of its own
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A worker whose sweep was killed stops too, rather than train on for nobody."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _unknown(runs):
    """The tasks and rungs of runs that a worker does not know."""
    return sorted({run.rung for run in runs} - set(LADDER) | {run.task for run in runs} - set(TASKS))


def stop(pool):
    """End a pool's processes at once, and no other process."""
    workers = list((pool._processes or {}).values())  # before Python 3.14 nothing public names them
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()


def evaluate_others(store, job, device):
    """Evaluate a run that is in the store with the numbers of steps that its record lacks, as training would have."""
    run, record = job.run, store.load(job.run.hash)
    model, last = store.model(record).to(device), len(record["losses"])
    problems = evaluation_problems(run, run.length, record["schedule"]["problems"], training_stream(run.seed))
    missing = [steps for steps in job.schedule.other_steps if steps not in store.other_steps(record)]
    store.add_other_steps(record, flat({steps: evaluate(model, problems, run.length, last, run.seed, steps)
                                        for steps in missing}))


def _run_job(job, store, device, command, deadline, save_every, recompute, compiled, wait):
    """Train one job, holding its lock, and save it; -> Outcome."""
    run = job.run
    name = f"{run.hash} {LADDER[run.rung].name}, {run.task}, seed {run.seed}"
    if deadline is not None and time.time() >= deadline:
        return Outcome(STOPPED, f"{name}: not begun, the time is up")
    patience = 0 if not wait else -1 if deadline is None else max(0, deadline - time.time())
    try:
        with store.lock(run.hash).acquire(timeout=patience):
            if store.has(*job):
                return Outcome(ELSEWHERE, f"{name}: another sweep has finished it")
            if store.has(run) and store.weights_path(run.hash).exists():
                evaluate_others(store, job, device)
                return Outcome(FINISHED, f"{name}: evaluated with the numbers of steps that were missing")
            store.clear(run.hash)
            earlier = store.load(run.hash) if store.has(run) else None  # of which the weights are not here
            schedule = job.schedule
            if earlier:  # trained again as it was: how often it is evaluated decides where `stop_at` ends it
                schedule = replace(schedule, **{field: earlier["schedule"][field] for field in ("every", "problems")})
            keeper = Keeper(store.unfinished_path(run.hash), run, schedule, deadline, save_every, device)
            result = train(run, schedule, device, _reporter(run, store, earlier), keeper, recompute, compiled)
            store.save(run, schedule, result, device, command, compiled)
    except Timeout:
        return Outcome(BUSY, f"{name}: another sweep is at it")
    except Stopped:
        return Outcome(STOPPED, f"{name}: the time is up, its progress is saved")
    except Exception as error:  # one run's failure is no reason to lose the others
        return Outcome(FAILED, f"{name}: {explain(error, run, device)}")
    finally:
        with contextlib.suppress(OSError):
            if store.has(*job):
                store.clear_finished(run.hash)  # the lock too: nobody needs it any more
    if result.diverged_at:
        return Outcome(FINISHED, f"{name}: diverged at step {result.diverged_at}")
    accuracy = latest_accuracy(result.scores, run.length)
    scored = f"not evaluated at length {run.length}" if accuracy is None else f"{accuracy:.1%} of characters"
    return Outcome(FINISHED, f"{name}: {scored} after {len(result.losses)} steps, "
                   f"{result.ledger['training_seconds']:.0f} s")


def _reporter(run, store, earlier):
    """The function that tells the parent how far a run is; it ends one whose losses are not its earlier record's."""
    done = 0

    def report(step, loss, accuracy):
        nonlocal done
        if earlier and earlier["losses"][step - 1:step] != [short(loss)]:
            raise ValueError(store.other_losses(run.hash))
        text = f"{run.rung} {run.task}: loss {loss:.3f}" + ("" if accuracy is None else f", accuracy {accuracy:.0%}")
        _progress.put((step - done, text))
        done = step

    return report


# how PyTorch says it of a CPU, on Windows and elsewhere, and of Apple's GPU
NO_MEMORY = "not enough memory", "can't allocate memory", "out of memory"


def explain(error, run, device):
    """One line on what went wrong, with the way out where it is known."""
    text = str(error).strip().split("\n")[0]
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in text for words in NO_MEMORY):
        return (f"out of memory on {device} with batch={run.batch}, width={run.width}, budget={run.budget}: "
                "lower one of them, add --recompute, or train fewer runs at a time with --jobs")
    if isinstance(error, (ValueError, OSError)):
        return text
    if "torch._dynamo" in sys.modules and isinstance(error, torch._dynamo.exc.TorchDynamoException):
        return f"{text}: leave out --compile, which needs a C++ compiler, or one that PyTorch knows for {device}"
    return f"{type(error).__name__}: {text}"


def cores():
    """How many cores this process may use, on Linux those that it is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cost(job):
    """FLOP of a job's training, to begin with the longest."""
    return job.run.training_steps * step_flop(job.run)


def sweep(jobs, store, device="cpu", workers=None, threads=None, command="", minutes=None, save_every=SECONDS,
          recompute=False, compiled=False):
    """Run the jobs that the store does not have yet; -> Sweep. A run that it has without some of the `other_steps`
    of its schedule is evaluated with them where its weights are there, and trained again where not.

    workers: processes at a time (default: one per core on a CPU, one on a GPU). threads: of
    each (default 1: models this small gain little from more, and the numbers of a run then do
    not depend on how many others are left). minutes: after that time the runs are saved and left.
    recompute: less memory for more time; compiled: through torch.compile (see `tarm.training.Progress`).
    A finished run is in the store at once, and an unfinished one saved every `save_every`
    seconds, so that an interrupted sweep started again goes on from there. Sweeps on one store share the
    work: a run that another one holds is taken up last, when that one has finished it or died.

    A script calls it under `if __name__ == "__main__":`, since the processes that train import the script.
    Raises ValueError for runs of tasks or rungs that they do not know, and RuntimeError where one of them is killed;
    a run that fails is named in the Sweep.
    """
    jobs = list(jobs)
    for job in jobs:
        if store.has(*job):
            store.clear_finished(job.run.hash)
    missing = sorted((job for job in jobs if not store.has(*job)), key=cost, reverse=True)
    for name, number in ("jobs", workers), ("threads", threads):
        if number is not None:
            at_least(1, name, number)
    if not missing:
        return Sweep(0, 0, 0, [])
    workers = min(workers or (cores() if device == "cpu" else 1), len(missing))
    deadline = None if minutes is None else time.time() + 60 * minutes
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    bar = tqdm(total=sum(job.run.training_steps for job in missing), unit="step", disable=None, dynamic_ncols=True)
    follower = threading.Thread(target=_follow, args=(queue, bar), daemon=True)
    follower.start()
    outcomes, started = [], False
    try:
        with ProcessPoolExecutor(workers, context, _start_worker, (queue, threads or 1)) as pool:
            try:
                strange, started = pool.submit(_unknown, [job.run for job in missing]).result(), True
                if strange:
                    raise ValueError(f"{', '.join(strange)}: registered here, "
                                     "but a process that trains does not know it; "
                                     f"put it into a file of its own that --plugin or {VARIABLE} names")
                for wait in (False, True):
                    waiting, running, missing = missing[::-1], {}, []
                    while waiting or running:
                        # no more than workers, so that an interrupt leaves none to be begun
                        while waiting and len(running) < workers:
                            job = waiting.pop()
                            task = pool.submit(_run_job, job, store, device, command, deadline,
                                               save_every, recompute, compiled, wait)
                            running[task] = job
                        for future in futures.wait(running, return_when=futures.FIRST_COMPLETED).done:
                            job, outcome = running.pop(future), future.result()
                            tqdm.write(outcome.line)
                            if outcome.word == BUSY and not wait:
                                missing.append(job)
                            else:
                                outcomes.append(outcome)
            except BaseException:  # stop at once: what the workers had saved is kept
                stop(pool)
                raise
    except BrokenProcessPool as error:
        if not started:
            raise RuntimeError("the processes that train could not start, perhaps for want of memory; "
                               "or a script that calls sweep does not do it under `if __name__ == \"__main__\":`, "
                               "as it has to, since each of them imports it") from error
        raise RuntimeError("a training process was killed, perhaps for want of memory (then use fewer --jobs); "
                           "what it had saved is kept, and the same command goes on from there") from error
    finally:
        queue.put(None)
        follower.join(timeout=10)  # a worker that was killed may hold the queue's lock for good
        queue.cancel_join_thread()
        bar.close()
    words = [outcome.word for outcome in outcomes]
    return Sweep(words.count(FINISHED), words.count(ELSEWHERE), words.count(STOPPED) + words.count(BUSY),
                 [outcome.line for outcome in outcomes if outcome.word == FAILED])


def _follow(queue, bar):
    """Move the bar as the workers report, until None comes; without a terminal, a line every few minutes."""
    done, said = 0, time.monotonic()
    while (message := queue.get()) is not None:
        steps, text = message
        done += steps
        bar.set_postfix_str(text, refresh=False)
        bar.update(steps)
        if bar.disable and time.monotonic() - said >= LINE_EVERY:
            with contextlib.suppress(OSError):  # a full disk or a closed pipe is no reason to stop reading
                print(f"{done} of {bar.total} steps; {text}", flush=True)
            said = time.monotonic()
