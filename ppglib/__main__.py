"""The command line: `ppglib COMMAND` or `python -m ppglib COMMAND`; `--help` lists them."""

import argparse
import atexit
import gc
import logging
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from ppglib.files import ROOT, InputError, instead_of, library_version

EXAMPLES = """examples:
  ppglib reproduce                              a demo on simulated people
  ppglib fetch open                             59 people into data/raw
  ppglib sweep --study open --data data/raw     train what is not trained yet
  ppglib status                                 how far it is, how long it takes
  ppglib check --data mydata                    what own recordings are worth
  ppglib reproduce --study own --data mydata    train and test on them
  ppglib predict mine.csv --plot                heart rate from a file"""


TRACK = "over consecutive windows: online as a watch can, smooth with the whole recording, for fewer jumps (none)"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all went well, 2 with one sentence for wrong input, 1 for a failed notebook."""
    if arguments is None:
        atexit.register(gc.freeze)  # else Python looks through all that PyTorch made before it ends, for half a second
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for chatty in ("papermill", "traitlets"):  # on every cell, and on figures without alternative text
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        options = parsed(sys.argv[1:] if arguments is None else arguments)
        if getattr(options, "jobs", 1) is None:
            options.jobs = import_module("joblib").cpu_count()  # slow to import
        if getattr(options, "jobs", 1) < 1:  # before anything is written
            raise InputError(f"--jobs must be at least 1, not {options.jobs}.")
        with quiet_threads():
            return options.command(options) or 0
    except InputError as error:
        print(f"ppglib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ppglib: stopped; what is finished is kept, start again to go on.", file=sys.stderr)
        return 130


@contextmanager
def quiet_threads() -> Iterator[None]:
    """After Ctrl-C the threads of pools trip over what was taken from them; that is not to be shown."""

    def stop(*_):
        threading.excepthook = lambda _: None
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT), threading.excepthook
    if own := threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if own:
            signal.signal(signal.SIGINT, before[0])
            threading.excepthook = before[1]


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What was typed; InputError for an unknown command or option, with the one that may be meant."""
    top, commands = parser()
    if arguments and not arguments[0].startswith("-"):
        name = arguments[0]
        if name not in commands:
            raise InputError(f"There is no command {name!r}: {instead_of(name, commands)}")
        known = re.findall(r"--[\w-]+", commands[name].format_usage()) + ["--help"]
        for given in (text.split("=")[0] for text in arguments if text.startswith("--")):
            if not any(option.startswith(given) for option in known):
                raise InputError(f"{name} has no option {given!r}: {instead_of(given, known)}")
    return top.parse_args(arguments)


class Parser(argparse.ArgumentParser):
    """Of a value that is none of the choices it says which one may be meant."""

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            name = max(action.option_strings, key=len, default=action.dest)
            raise InputError(f"There is no {name} {value!r}: {instead_of(value, action.choices)}")


def parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    program = "python -m ppglib" if Path(sys.argv[0]).name == "__main__.py" else "ppglib"
    top = argparse.ArgumentParser(
        program, description="Distil heart-rate networks, and measure.", epilog=EXAMPLES,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=16),
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"ppglib {library_version()}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(function, *parents) -> argparse.ArgumentParser:
        p = commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__, parents=parents)
        p.set_defaults(command=function)
        return p

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--study", default="demo", help="demo, open, own, paper, smoke ... or the path of a .toml file (demo)")
    place.add_argument("--data", type=Path, help="folder that holds one folder per dataset")
    place.add_argument("--out", type=Path, help="folder to write to (out/STUDY)")
    study = argparse.ArgumentParser(add_help=False, parents=[place])
    jobs = "processes of one thread each (as many as cores); on a GPU, groups of networks side by side"
    study.add_argument("--jobs", type=int, help=jobs)
    study.add_argument("--dask", metavar="tcp://HOST:PORT", help="Dask scheduler; its workers see --out")

    add = command(predict).add_argument
    add("path", type=Path, help="CSV or Parquet file with columns ppg and time, or a folder of them")
    add("--model", default="largest", help="name or path of a model (largest)")
    add("--track", choices=["none", "online", "smooth"], default="none", help=TRACK)
    add("--rate", type=float, help="samples a second, for files without the column time")
    add("--ppg", default="", metavar="COLUMN", help="its name, if it is not ppg")
    add("--time", default="", metavar="COLUMN", help="its name, if it is not time")
    add("--out", type=Path, help="table to write (NAME.heart_rate.csv here)")
    add("--plot", action="store_true", help="a figure beside it")
    add = command(evaluate).add_argument
    add("--data", type=Path, nargs="+", required=True, help="folders that hold one folder per dataset")
    add("--dataset", nargs="+", default=["own"], help="sets with known heart rates (own)")
    add("--model", default="largest", help="name or path of a model (largest)")
    add("--track", choices=["none", "online", "smooth"], default="none", help=TRACK)
    add("--out", type=Path, default=Path("out/evaluate"), help="folder to write to (out/evaluate)")
    add = command(reproduce, study).add_argument
    add("--only", metavar="04,05", help="only these notebooks, by number (04 or 4)")
    add("--results", type=Path, help="show the tables in this folder instead of training")
    add("-p", dest="given", action="append", default=[], metavar="NAME=VALUE", help="a notebook parameter")
    add = command(sweep, study).add_argument
    add("--predictions", action="store_true", help="keep what each network says of each test window (Parquet)")
    add = command(status).add_argument
    add("--study", help="one study, split by split (all that are in out)")
    add("--out", type=Path, help="its folder (out/STUDY)")
    command(tune, study)
    add = command(track, place).add_argument
    add("--fit", action="store_true", help="instead, try models of tracking on the tuning people that a study tests")
    add = command(report).add_argument
    add("--results", type=Path, default=ROOT / "data/results/open", help="folder (data/results/open)")
    add = command(fetch).add_argument
    add("group", choices=["open", "open_all", "paper"])
    add("--only", metavar="DATASET", help="only this set")
    add("--data", type=Path, default=Path("data/raw"), help="folder to write to (data/raw)")
    add("--yes", action="store_true", help="do not ask before a large download")
    add = command(check).add_argument
    add("--data", type=Path, required=True, help="folder that holds one folder per dataset")
    add("--dataset", default="own", help="the set to check (own)")
    add = command(ship).add_argument
    add("--data", type=Path, required=True, help="folder that holds one folder per dataset")
    add("--out", type=Path, default=Path("out/models"), help="folder to write to (out/models)")
    add("--look", action="store_true", help="instead, write external.csv: their errors on sets that nothing was chosen on")
    add("--jobs", type=int, help="processes of one thread each (as many as cores)")
    add = command(export).add_argument
    add("model", help="name or path of a model")
    add("--to", required=True, choices=["onnx", "onnx-int8", "tflite-int8", "c", "c-int8"])
    add("--out", type=Path, help="new folder to write to (out/export/MODEL-TO)")
    add("--data", type=Path, help="for int8: recordings of the training people, to calibrate by")
    add("--rate", type=float, default=25, help="for c: samples of the sensor a second (25)")
    measure = command(bench)
    add = measure.add_mutually_exclusive_group(required=True).add_argument
    add("--inference", action="store_true", help="time and memory of nine sizes (Table 3)")
    add("--train", action="store_true", help="windows per second, plain loop beside ours")
    add("--edge", action="store_true", help="what networks cost on microcontrollers, and int8; needs --data")
    add("--predict", action="store_true", help="windows per second of a heart rate, beside neurokit2")
    add = measure.add_argument
    add("--device", choices=["cpu", "cuda"], default="cpu")
    add("--data", type=Path, help="with --train: recordings, to compare what both loops learn; with --edge: to train")
    add("--out", type=Path, help="folder for the CSVs (out/compute, out/training, out/models, out/edge/results)")
    add("--tune", action="store_true", help="with --edge: instead what was tried for int8 on the tuning people")
    add("--jobs", type=int, help="with --edge: processes of one thread each (as many as cores)")
    return top, commands.choices


def predict(options: argparse.Namespace) -> None:
    """heart rate from recordings of your own"""
    from ppglib.models import program

    o = options
    program.main(o.path, o.model, o.track, o.rate, o.ppg, o.time, o.out, o.plot)


def evaluate(options: argparse.Namespace) -> None:
    """errors of a model on recordings with known heart rates"""
    from ppglib.models import evaluate

    evaluate.main(options.model, options.track, options.dataset, options.data, options.out)


def prepared(options: argparse.Namespace):
    """The study, its windows and its folder; processes and scheduler too where the command has them."""
    from ppglib.study import studies
    from ppglib.study.prepare import study_windows

    study, out = studies.read(options.study), out_of(options)
    workers = [getattr(options, name) for name in ("jobs", "dask") if hasattr(options, name)]
    return study, study_windows(study, options.data, out), out, *workers


def out_of(options: argparse.Namespace) -> Path:
    return (options.out or Path("out") / Path(options.study).stem).resolve()


def shown(path: Path) -> Path:
    """A path as it is shown: from where one is, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def reproduce(options: argparse.Namespace) -> int:
    """run the notebooks of a study, from recordings to claims"""
    from ppglib.reproduce import NotebookError, reproduce

    if wrong := [text for text in options.given if "=" not in text]:
        raise InputError(f"-p takes NAME=VALUE, not {wrong[0]!r}.")
    given, o = dict(text.split("=", 1) for text in options.given), options
    data, results = (path and path.resolve() for path in (o.data, o.results))
    only = o.only.split(",") if o.only else None
    try:
        index = reproduce(o.study, data, out_of(o), only, o.jobs, o.dask, results, given)
    except NotebookError as error:
        print(f"ppglib: {error}", file=sys.stderr)
        return 1
    print(f"Done: {shown(index)}")
    return 0


def sweep(options: argparse.Namespace) -> None:
    """train the networks of a study that are not trained yet"""
    from ppglib.recordings import people
    from ppglib.study import engine, predictions, prepare, records
    from ppglib.study import status as words

    study, windows, out, *_ = everything = prepared(options)
    if "own" in study.datasets:
        show_people(people.table(windows))
    engine.sweep(*everything)
    if options.predictions:
        predictions.write(study, windows, out)
    tables = records.tables(study, windows, out) | {"windows": prepare.summary(windows)}
    records.save_tables(tables, out / "results")
    print(words.best(tables["runs"], study), f"Tables: {shown(out / 'results')}", sep="\n")


def status(options: argparse.Namespace) -> None:
    """how far studies are, and how long the rest of them takes"""
    from ppglib.study import status, studies

    if options.study:
        folder = options.out or Path("out") / Path(options.study).stem
        print(status.one(studies.read(options.study), folder, options.study))
    else:
        print(status.every(options.out or Path("out")))


def tune(options: argparse.Namespace) -> None:
    """choose rate, dropout, epochs, temperatures and sigma of a study, or check those of one of designs"""
    from ppglib import files
    from ppglib.study import tuning

    study, windows, out, *workers = prepared(options)
    table = (tuning.check if study.designs else tuning.tune)(study, windows, out, *workers)
    files.write_table(out / "results/tuning.csv", table)
    print(table[table.chosen].to_string(index=False))


def track(options: argparse.Namespace) -> None:
    """track what the networks of a study predict over consecutive windows, for tables of their errors"""
    from ppglib import files
    from ppglib.study import authors, prepare, tracked

    study, windows, out = everything = prepared(options)
    if options.fit:
        table = tracked.fit(*everything)
        files.write_table(out / "results/tracking.csv", table)
        print(table[table.chosen].to_string(index=False))
        return
    files.write_table(out / "results/tracked.csv", tracked.table(*everything))
    theirs = authors.table(study, windows, prepare.recordings_folder(study, options.data, out))
    if len(theirs):
        files.write_table(out / "results/authors.csv", theirs)


def report(options: argparse.Namespace) -> None:
    """write the findings and tables of a study as a page beside its CSVs"""
    from ppglib.bench.costs import one_window
    from ppglib.results import load_paper, report

    print(report.write(options.results, load_paper(), one_window(ROOT / "data/results/compute")))


def fetch(options: argparse.Namespace) -> None:
    """download recordings"""
    from ppglib.recordings.fetch import fetch

    fetch(options.group, options.data, options.only, options.yes)


def check(options: argparse.Namespace) -> int:
    """show what recordings are worth, and all that is wrong with them"""
    from ppglib.recordings import people

    table, problems, notes = people.check(options.dataset, options.data)
    show_people(table)
    for title, sentences in {"Notes": notes, "Problems": problems}.items():
        if sentences:
            print(f"\n{title}:", *sentences, sep="\n  ")
    return 2 if problems else 0


def show_people(table) -> None:
    """What each person's recordings are worth, as `ppglib.recordings.people.table` gives it."""
    if len(table):
        print(table.to_string(index=False, float_format="{:.4g}".format))


def ship(options: argparse.Namespace) -> None:
    """train the models that come with the library, and say how they err"""
    from ppglib import files, recordings
    from ppglib.study import look, shipped, studies

    if options.look:
        files.write_table(options.out / "external.csv", look.table(options.data))
        return
    names = studies.read(shipped.STUDY).datasets
    shipped.make([r for name in names for r in recordings.load(name, options.data)], options.out, options.jobs)


def export(options: argparse.Namespace) -> None:
    """write a model as ONNX, TFLite or C, for a microcontroller"""
    from ppglib import models, recordings
    from ppglib.edge.export import export

    found = None
    if options.to.endswith("int8") and options.data:
        found = [r for name in models.load(options.model).about["datasets"] for r in recordings.load(name, options.data)]
    folder = options.out or Path("out/export") / f"{Path(options.model).stem}-{options.to}"
    print(*export(options.model, options.to, folder, found, options.rate), sep="\n")


def bench(options: argparse.Namespace) -> None:
    """measure what networks cost"""
    from ppglib.bench import gpu_training, inference, predicting, training

    if options.edge:
        from ppglib.edge import bench as edge

        edge.main(options.out or Path("out/edge/results"), options.data, Path("out/edge"), options.jobs, options.tune)
    elif options.inference:
        inference.main(options.out or Path("out/compute"), options.device)
    elif options.predict:
        predicting.main(options.out or Path("out/models"))
    elif options.device == "cuda":
        gpu_training.main(options.out or Path("out/training"))
    else:
        training.main(options.out or Path("out/training"), options.data)


if __name__ == "__main__":
    sys.exit(main())
