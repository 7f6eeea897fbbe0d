"""Looking through people with the models that come along: what one says of a recording, drawn, and controls for it."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib import models, tracking, training
from ppglib.files import InputError
from ppglib.models.predict import describe
from ppglib.resnet1d import SIZES, Design
from ppglib.results import plots_of_people
from ppglib.results.frames import Table, captioned
from ppglib.results.kit import Plot
from ppglib.task import LENGTH, RATE, WINDOW_SECONDS, decode
from ppglib.windows import Windows, gather

KEY = ["dataset", "person", "recording"]


class Seen(NamedTuple):
    """A recording as a model sees it: a row a window in `table` (second, hr, argmax, median, low, high; BPM), their
    probabilities (N, 180), and the windows themselves, (N, 200)."""

    table: pd.DataFrame
    probabilities: np.ndarray
    ppg: np.ndarray


def recordings(windows: Windows) -> dict[str, np.ndarray]:
    """Rows of each recording in the order of time, by a name that tells it from all others."""
    table = windows.table
    groups = {key: rows.sort_values("second").index.to_numpy() for key, rows in table.groupby(KEY, sort=True)}
    people = pd.Series([key[:2] for key in groups]).value_counts()
    return {" ".join(key if people[key[:2]] > 1 else key[:2]): rows for key, rows in groups.items()}


def look(windows: Windows, person: str, model: str = "largest", track: str = "none") -> Seen:
    """What a model says of one recording. person: a name of `recordings`; model, track: as `ppglib.heart_rate`.

    Raises InputError for names that there are not."""
    known = recordings(windows)
    if person not in known:
        raise InputError(f"There is no person {person!r}: choose from {', '.join(known)}.")
    network, rows = models.load(model), known[person]
    table = windows.table.iloc[rows].reset_index(drop=True)
    said = training.predict(network, windows, rows)
    said = tracking.track(said, tracking.segments(table), models.tracking_model(network.about), track)
    found = describe(said, network.about["interval"][track])
    names = {"median": found["hr"], "low": found["low"], "high": found["high"], "argmax": decode(said)}
    return Seen(table.assign(**names), said, gather(windows.signal, table.start))


def draw(seen: Seen, minute: float = -1.0, label: str = "") -> Plot:
    """The recording over time, and below it the window whose middle is nearest to a minute; below 0: the worst one."""
    minute = worst(seen) if minute < 0 else minute
    at = int((seen.table.second + WINDOW_SECONDS / 2 - 60 * minute).abs().to_numpy().argmin())
    return plots_of_people.over_time(seen.table, seen.probabilities, seen.ppg[at], at, label)


def worst(seen: Seen) -> float:
    """The minute of the middle of the window where the median errs most."""
    at = (seen.table["median"] - seen.table.hr).abs().to_numpy().argmax()
    return float(seen.table.second.iloc[at] + WINDOW_SECONDS / 2) / 60


def everyone(windows: Windows, model: str = "largest", track: str = "none") -> pd.DataFrame:
    """A row a window of all people: columns of `Windows.table`, and decoded (BPM, median)."""
    parts = [look(windows, person, model, track).table for person in recordings(windows)]
    return pd.concat(parts, ignore_index=True).rename(columns={"median": "decoded"})


def family() -> Table:
    """The models that come along, cheapest first: what they cost and see, and how they err (BPM, median, with 95 %
    intervals) on people whom they were not trained on, each window alone and tracked."""
    rows = []
    for name in models.names():
        network = models.load(name)
        about, design, size = network.about, network.design, sum(p.numel() for p in network.parameters())
        row = {"name": name, "parameters": size, "mmacs": design.macs / 1e6, "field": min(design.field, LENGTH) / RATE}
        whole = [r for r in about["error"]["rows"] if r["dataset"] == "all"] or about["error"]["rows"]
        rows.append(row | {f"{r['track']}{end}": r[key] for r in whole for end, key in (("", "mae"), ("_low", "low"), ("_high", "high"))})
    data = pd.DataFrame(rows).sort_values("mmacs", ignore_index=True)
    shown = data.assign(mmacs=data.mmacs.map("{:.2g}".format))
    return captioned(data, family.__doc__, shown, none="each window alone", field="field (s)")


def designs() -> pd.DataFrame:
    """name and field (s) of the paper's smallest and largest networks, of some between, and of a model that comes along."""
    sizes = [n for n in SIZES if n in (1, 2, 4, 6, 12)]
    rows = [{"name": f"{n} block{'s' * (n > 1)}", "field": min(Design(n).field, LENGTH) / RATE} for n in sizes]
    return pd.DataFrame([*rows, {"name": "tiny", "field": min(models.load("tiny").design.field, LENGTH) / RATE}])


def controls(windows: Windows, model: str = "largest", person: str = "", minute: float = -1.0, track: str = "none", label: str = ""):
    """An ipywidgets box: choose model, person, tracking and moment, and `draw` follows. Drawn at once with what is given;
    minute: as for `draw`."""
    import ipywidgets  # JupyterLab alone needs it

    names = [*recordings(windows)]
    person, seen = person or names[0], lru_cache(16)(lambda *chosen: look(windows, *chosen))
    first = seen(person, model, track)
    last = (first.table.second.max() + WINDOW_SECONDS) / 60
    wide = {"style": {"description_width": "5em"}}
    choose = {
        "person": ipywidgets.Dropdown(options=names, value=person, description="Person", **wide),
        "model": ipywidgets.Dropdown(options=models.names(), value=model, description="Model", **wide),
        "track": ipywidgets.Dropdown(options=tracking.HOW, value=track, description="Tracking", **wide),
        "minute": ipywidgets.FloatSlider(worst(first) if minute < 0 else minute, min=0, max=last, step=1 / 30, description="Minute", continuous_update=False,
                                         readout_format=".2f", layout=ipywidgets.Layout(width="45em"), **wide),
    }  # fmt: skip
    picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", height="auto"))
    said = ipywidgets.Label()

    def show(_=None):
        chosen = seen(choose["person"].value, choose["model"].value, choose["track"].value)
        choose["minute"].max = (chosen.table.second.max() + WINDOW_SECONDS) / 60
        plot = draw(chosen, choose["minute"].value, label)
        picture.value, said.value = plot._repr_png_(), plot.title  # the title for who cannot see the picture

    for control in choose.values():
        control.observe(show, "value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([*choose.values()][:3]), choose["minute"], picture, said])
