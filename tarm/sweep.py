"""Run a list of jobs, several at a time, and keep each as it finishes."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch
from tqdm import tqdm

from .evaluation import character_accuracy
from .ladder import LADDER
from .training import train

_progress = None  # in a worker process: the queue on which it reports


def _start_worker(queue, threads):
    global _progress
    _progress = queue
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A worker whose sweep was killed stops too, rather than train on for nobody."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _run_job(job, store, device, command):
    """Train one job and save it; -> the line that says how it went."""
    done = 0

    def report(step, loss, accuracy):
        nonlocal done
        _progress.put((step - done, f"{job.run.rung} {job.run.task}: loss {loss:.3f}" +
                       ("" if accuracy is None else f", accuracy {accuracy:.0%}")))
        done = step

    result = train(job.run, job.schedule, device, report)
    store.save(job.run, job.schedule, result, device, command)
    run = job.run
    name = f"{run.hash} {LADDER[run.rung].name}, {run.task}, seed {run.seed}"
    if result.diverged_at:
        return f"{name}: diverged at step {result.diverged_at}"
    last = [score for score in result.scores if score.step == run.training_steps]
    accuracy = character_accuracy(last, run.length)
    return f"{name}: {accuracy:.1%} of characters after {run.training_steps} steps, {result.ledger['training_seconds']:.0f} s"


def cost(job):
    """A rough measure of a job's work, to begin with the longest: passes times tokens."""
    return job.run.budget * job.run.training_steps * job.run.batch * job.run.width**2


def sweep(jobs, store, device="cpu", workers=None, threads=None, command=""):
    """Run the jobs that the store does not have yet; -> how many were run.

    workers: processes at a time (default: one per core on a CPU, one on a GPU). threads: of
    each (default: they share the cores). A finished run is in the store at once, so that an interrupted sweep
    started again repeats none.
    """
    todo = sorted((job for job in jobs if not store.has(job.run)), key=cost, reverse=True)
    cores = os.cpu_count() or 1
    workers = min(workers or (cores if device == "cpu" else 1), max(1, len(todo)))
    if not todo:
        return 0
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    bar = tqdm(total=sum(job.run.training_steps for job in todo), unit="step", disable=None, dynamic_ncols=True)
    follower = threading.Thread(target=_follow, args=(queue, bar), daemon=True)
    follower.start()
    with ProcessPoolExecutor(workers, context, _start_worker, (queue, threads or max(1, cores // workers))) as pool:
        futures = [pool.submit(_run_job, job, store, device, command) for job in todo]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                tqdm.write(f"[{done}/{len(todo)}] {future.result()}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            queue.put(None)
            follower.join()
            bar.close()
    return len(todo)


def _follow(queue, bar):
    """Move the bar as the workers report, until None comes."""
    while (message := queue.get()) is not None:
        steps, text = message
        bar.set_postfix_str(text, refresh=False)
        bar.update(steps)
