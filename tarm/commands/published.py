"""Commands that make what is committed: records, tables, figures, and the verdicts on the paper's numbers."""

import shutil

from .. import gallery, paper, table, verdict
from ..plugins import VARIABLE, plugin_files
from ..runs import run_from
from ..store import COMMITTED, Store, needs_clone
from ..studies import place


def command_verdict(arguments):
    """Rewrite figures/verdict.md and the README's table from the committed records, or print those of another store."""
    if arguments.store:
        if not (records := Store(arguments.store).records()):
            raise ValueError(f"{arguments.store} has no records that can be judged here: name a folder that holds runs")
        print(verdict.whole_page(verdict.compare(records), arguments.store))
        return
    needs_clone("verdict without --store")
    found = verdict.write(Store(COMMITTED).records(), COMMITTED.parent.parent)
    print("\n".join(verdict.summary(found)))
    print(f"written: {COMMITTED.parent / 'verdict.md'}, and the README")


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
                         f"{store.command('sweep --profile ' + arguments.profile)} makes them")
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
