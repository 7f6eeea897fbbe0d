"""The command line: python -m ppglib fetch | sweep | tune | bench | reproduce."""

import argparse
import logging
import sys
from pathlib import Path

import joblib

from ppglib.files import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all went well, 2 with one sentence for wrong input, 1 for a failed notebook."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for chatty in ("papermill", "traitlets"):  # on every cell, and on figures without alternative text
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        if getattr(options, "jobs", 1) < 1:  # before anything is written
            raise InputError(f"--jobs must be at least 1, not {options.jobs}.")
        return options.command(options) or 0
    except InputError as error:
        print(f"ppglib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ppglib: stopped; what is finished is kept, start again to go on.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m ppglib", description="Distil heart-rate networks, and measure it."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    p = commands.add_parser("reproduce", help="run the notebooks of a study, from recordings to claims")
    study_options(p)
    p.add_argument("--only", metavar="04,05", help="only these notebooks, by number")
    p.add_argument("--results", type=Path, help="show the tables in this folder instead of training")
    p.add_argument(
        "-p", dest="given", action="append", default=[], metavar="NAME=VALUE", help="a notebook parameter"
    )
    p.set_defaults(command=reproduce)

    p = commands.add_parser("sweep", help="train the networks of a study that are not trained yet")
    study_options(p)
    p.set_defaults(command=run_sweep)

    p = commands.add_parser("tune", help="choose rate, dropout, epochs, temperatures and sigma of a study")
    study_options(p)
    p.set_defaults(command=tune)

    p = commands.add_parser("fetch", help="download recordings")
    p.add_argument("group", choices=["open", "paper"])
    p.add_argument("--only", metavar="DATASET", help="only this set")
    p.add_argument("--data", type=Path, default=Path("data/raw"), help="folder to write to (data/raw)")
    p.add_argument("--yes", action="store_true", help="do not ask before a large download")
    p.set_defaults(command=fetch)

    p = commands.add_parser("bench", help="measure what networks cost")
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--inference", action="store_true", help="time and memory of nine sizes (Table 3)")
    what.add_argument(
        "--train", action="store_true", help="windows per second of training, plain loop beside ours"
    )
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--data", type=Path, help="with --train: recordings, to compare what both loops learn")
    p.add_argument("--out", type=Path, help="folder for the CSVs (out/compute; with --train out/training)")
    p.set_defaults(command=bench)
    return top


def study_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--study", default="demo", help="demo, open, paper, smoke or the path of a .toml file")
    p.add_argument("--data", type=Path, help="folder that holds one folder per dataset")
    p.add_argument("--out", type=Path, help="folder to write to (out/STUDY)")
    p.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="processes of one thread each")
    p.add_argument(
        "--dask", metavar="tcp://HOST:PORT", help="a Dask scheduler whose workers see the out folder"
    )


def out_of(options: argparse.Namespace) -> Path:
    return (options.out or Path("out") / Path(options.study).stem).resolve()


def reproduce(options: argparse.Namespace) -> int:
    from ppglib.reproduce import NotebookError, reproduce

    pairs = [text.partition("=") for text in options.given]
    for name, equals, _ in pairs:
        if not equals:
            raise InputError(f"-p takes NAME=VALUE, not {name!r}.")
    try:
        index = reproduce(
            options.study,
            options.data and options.data.resolve(),
            out_of(options),
            options.only.split(",") if options.only else None,
            options.jobs,
            options.dask,
            options.results and options.results.resolve(),
            {name: value for name, _, value in pairs},
        )
    except NotebookError as error:
        print(f"ppglib: {error}", file=sys.stderr)
        return 1
    print(f"Done: {index}")
    return 0


def run_sweep(options: argparse.Namespace) -> None:
    from ppglib.study import prepare, records, studies
    from ppglib.study.engine import sweep
    from ppglib.study.prepare import study_windows

    study, out = studies.read(options.study), out_of(options)
    windows = study_windows(study, options.data, out)
    sweep(study, windows, out, options.jobs, options.dask)
    tables = records.tables(study, windows, out) | {"windows": prepare.summary(windows)}
    records.save_tables(tables, out / "results")


def tune(options: argparse.Namespace) -> None:
    from ppglib import files
    from ppglib.study import studies
    from ppglib.study.prepare import study_windows
    from ppglib.study.tuning import tune

    study, out = studies.read(options.study), out_of(options)
    windows = study_windows(study, options.data, out)
    table = tune(study, windows, out, options.jobs, options.dask)
    files.write_table(out / "results" / "tuning.csv", table)
    print(table[table.chosen].to_string(index=False))


def fetch(options: argparse.Namespace) -> None:
    from ppglib.recordings.fetch import fetch

    fetch(options.group, options.data, options.only, options.yes)


def bench(options: argparse.Namespace) -> None:
    out = options.out or Path("out/training" if options.train else "out/compute")
    if options.inference:
        from ppglib.bench import inference

        inference.main(out, options.device)
    else:
        from ppglib.bench import training

        training.main(out)
        if options.data:
            from ppglib.bench import equality

            equality.main(out, options.data)


if __name__ == "__main__":
    sys.exit(main())
