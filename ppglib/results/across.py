"""Across datasets: networks that never saw a set's recordings beside networks that saw some of its people."""

import pandas as pd

from ppglib.results import bootstrap
from ppglib.results import evidence as ev
from ppglib.results.bootstrap import error_interval, interval
from ppglib.results.controls import compare, frame
from ppglib.results.tables import Results, main_split

PREFIX = "without-"


def held_out(results: Results, recipe: str) -> list[str]:
    """Sets that some networks of this recipe were tested on without training on them."""
    splits = results.runs[results.runs.recipe == recipe].split
    return sorted({s.removeprefix(PREFIX) for s in splits if s.startswith(PREFIX)})


def table(results: Results, recipe: str) -> pd.DataFrame:
    """One row per held-out set, strategy and size, and baseline, in BPM with limits: everyone, held_out, in_domain, gap.

    At the largest teacher. everyone: all people of the set. in_domain: the same condition under the split by
    person (`tables.main_split`), where other people of the set were trained on. held_out and gap = held_out -
    in_domain are over the people (`both` of them) whom both were tested on, paired."""
    own, rows = results.runs[results.runs.recipe == recipe], []
    for dataset in held_out(results, recipe):
        main = main_split(own[own.split != PREFIX + dataset], recipe)
        runs = own[own.split.isin([PREFIX + dataset, main])]
        people = results.people[(results.people.dataset == dataset) & results.people.run_id.isin(runs.run_id)]
        known = people[people.run_id.isin(runs[runs.split != PREFIX + dataset].run_id)].person.unique()
        every = bootstrap.draws(runs, people)
        both = bootstrap.draws(runs, people[people.person.isin(known)]) if len(known) else every
        for key in (k for k in every.index if k[1] == PREFIX + dataset and k[4] in (0, own.teacher.max())):
            inside = both.reindex([(recipe, main, *key[2:])]).iloc[0]  # NaN if it was not run
            values = every.loc[key], both.loc[key], inside, both.loc[key] - inside
            limits = [limit for value in values[:3] for limit in error_interval(value)] + [*interval(values[3])]
            rows.append((dataset, *key[2:], people.person.nunique(), len(known), *limits))
    columns = ["dataset", "strategy", "student", "teacher", "people", "both"]
    values = ("everyone", "held_out", "in_domain", "gap")
    columns += [name + end for name in values for end in ("", "_low", "_high")]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(tested=table.people, simulated=bool(results.name))


def gains(results: Results, recipe: str) -> pd.DataFrame:
    """What a teacher is worth on a set that neither it nor its student has seen: strategy - scratch (BPM).

    One row per held-out set, strategy and student, and one for "all" n of them, paired by person, with the
    effect to reading of a `controls.Row`. Seeds are those of the recipe's repeated networks."""
    rows, students = [], []
    for dataset in held_out(results, recipe):
        own = ev.ours(results, recipe, PREFIX + dataset)
        for strategy in sorted({k for k, _, teacher in own.mae.index if teacher}):
            found = ev.pairs(own.mae, strategy, "scratch", {ev.top(own.mae)})
            chosen = {str(pair[0][1]): [pair] for pair in found} | ({"all": found} if found else {})
            rows += [compare(own, dataset, strategy, some) for some in chosen.values()]
            students += chosen
    table = frame(rows, "dataset", "strategy")
    table.insert(2, "student", students)
    return table
