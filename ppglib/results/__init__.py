"""Results of a study: its tables, intervals, verdicts and figures, read from CSVs and without torch."""

from importlib import import_module

from ppglib.results.tables import load, load_paper

__all__ = ["load", "load_paper", "plots"]


def __getattr__(name: str):
    if name == "plots":  # matplotlib is loaded with the first figure
        return import_module("ppglib.results.plots")
    raise AttributeError(f"ppglib.results has no {name!r}: it has {', '.join(__all__)}")
