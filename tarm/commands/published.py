"""Commands about the published sizes: the verdicts on the paper's numbers, and records that are checked."""

from .. import checking, verdict
from ..architecture import at_least
from ..store import COMMITTED, Store, needs_clone
from .options import choose_device


def command_verdict(arguments):
    """Rewrite figures/verdict.md and the README's table from the committed records, or print those of another store."""
    if arguments.store:
        print(verdict.whole_page(verdict.compare(Store(arguments.store).records())))
        return
    needs_clone("verdict without --store")
    table = verdict.write(Store(COMMITTED).records(), COMMITTED.parent.parent)
    print("\n".join(verdict.summary(table)))
    print(f"written: {COMMITTED.parent / 'verdict.md'}, and the README")


def command_check_records(arguments):
    """Take records' first steps again, a line each. RuntimeError where a loss differs, or none can be compared."""
    if not arguments.store:
        needs_clone("check-records without --store")
    store, device = Store(arguments.store or COMMITTED), choose_device(arguments.device)
    at_least(1, "steps", arguments.steps)
    records = [store.find(prefix) for prefix in arguments.run] or checking.selection(store.records())
    if not records:
        raise ValueError(f"{store.root} has no records to check")
    different = compared = 0
    for record in records:
        done = checking.check(record, arguments.steps, device)
        compared += done.largest is not None
        different += done.largest is not None and not done.agrees
        print(done, flush=True)
    if not compared:
        raise RuntimeError(f"none of {len(records)} records could be compared on {device}: each line says why")
    if different:
        raise RuntimeError(f"{different} of {len(records)} records differ: other versions or another "
                           "kind of machine can be the cause; each record names its own under environment")
