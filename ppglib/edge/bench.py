"""`python -m ppglib bench --edge`: from recordings to every table of the folder."""

import os
import time
from pathlib import Path

from ppglib.edge import streaming, table, tuned
from ppglib.edge.extra import PROGRAMS, needed, program
from ppglib.files import InputError
from ppglib.study import engine, studies
from ppglib.study.prepare import study_windows

TOOLS = ("onnx", "onnxruntime", "litert_torch", "ai_edge_quantizer", "ai_edge_litert", "tflite_micro", "ethosu.vela")


def main(out: Path, data: Path | None, work: Path, jobs: int, tune: bool = False) -> None:
    """Train what is not trained yet (into `work`), measure, and write the tables to `out`. tune: instead the table of
    what was tried on the tuning people, by which the family is fine-tuned.

    Raises InputError, before anything is trained, for missing recordings, tools and programs."""
    if data is None:
        raise InputError("The edge table is of networks that have not seen some people: name their recordings with --data.")
    for name in TOOLS:
        needed(name)
    for name in PROGRAMS:
        program(name)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the runtimes that are compared are a processor's
    study = studies.read(table.STUDY)
    windows = study_windows(study, data, work)
    if tune:
        return tuned.choose(out, study, windows, work, jobs)
    steps = {
        "networks of all sizes trained": lambda: engine.sweep(study, windows, work, jobs),
        "costs counted": lambda: table.price(out, study, jobs),
        "errors by all runtimes": lambda: table.tables(out, study, windows, work, jobs),
        "family fine-tuned and tested": lambda: tuned.main(out, study, windows, work, jobs),
        "streams trained and tested": lambda: streaming.main(out, data, jobs),
    }
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        engine.say(f"{name}: {(time.perf_counter() - started) / 60:.1f} minutes")
