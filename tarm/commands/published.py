"""Commands about the published sizes: the verdicts on the paper's numbers, and records that are checked."""

from .. import verdict
from ..store import COMMITTED, Store


def command_verdict(arguments):
    """Rewrite figures/verdict.md and the README's table from the committed records, or print those of another store."""
    if arguments.store:
        print(verdict.whole_page(verdict.compare(Store(arguments.store).records())))
        return
    table = verdict.write(Store(COMMITTED).records(), COMMITTED.parent.parent)
    print("\n".join(verdict.summary(table)))
    print(f"written: {COMMITTED.parent / 'verdict.md'}, and the README")
