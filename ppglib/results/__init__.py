"""Results of a study: its tables, intervals, verdicts and figures, read from CSVs and without torch."""

from ppglib.results.tables import load, load_paper

__all__ = ["load", "load_paper"]
