"""What a model's file says of it: its errors on people whom it was not trained on, and a card to read."""

import numpy as np
import pandas as pd

from ppglib import tracking
from ppglib.models.predict import calibrate, describe
from ppglib.resnet1d import Design, ResNet1D
from ppglib.results import agreement
from ppglib.tracking import HOW


def held_out(probabilities: np.ndarray, table: pd.DataFrame, moves: tracking.Model, protocol: str) -> dict:
    """"error", "range", "interval" and "tracking" of a model for `ppglib.models.save`, from held-out people.

    probabilities: (N, 180), each window's by a network that was not trained on its person. table: of these
    windows (dataset, person, recording, second, hr). moves: as `ppglib.tracking.fit` finds them. protocol: who
    was held out, in a sentence. Errors are of the median, in BPM, with 95 % intervals over people; beside them is
    what `ppglib.results.agreement.table` says. "in_band" is of the people whom "interval" was made on."""
    hr, runs, rows, bands = table.hr.to_numpy(), tracking.segments(table), [], {}
    for how in HOW:
        found = tracking.track(probabilities, runs, moves, how)
        bands[how] = calibrate(found, hr)
        errors = table[["dataset", "person"]].assign(truth=hr, **describe(found, bands[how]))
        groups = [*errors.groupby("dataset"), *([("all", errors)] if errors.dataset.nunique() > 1 else [])]
        rows += [{"dataset": name, "track": how} | _error(group) for name, group in groups]
    seen = np.round(np.quantile(hr, [0.005, 0.995])).tolist()
    error, moves = {"protocol": protocol, "rows": rows}, moves._asdict()
    return {"error": error, "range": seen, "interval": bands, "tracking": moves}


def _of_paces(about: dict) -> str:
    if "counts" not in about:
        return ""
    of, slowed = about["counts"], about["error"]["slowed"]
    interval = "" if slowed["low"] is None else f" [{slowed['low']:.2f}, {slowed['high']:.2f}]"
    return f"""Beside {of["recorded"]:,} recorded windows the model was trained on {of["changed"]:,} of the same recordings slowed \
down or sped up, below {of["below"]} or above {of["above"]} BPM, on {of["disturbed"]:,} with steps of gain, drift and noise, \
and on {of["simulated"]:,} of simulated pulses. \
{slowed["windows"]:,} windows of the held-out people, their recordings slowed below {of["below"]} BPM, have an MAE of \
{slowed["mae"]:.2f}{interval} BPM (no tracking). Nobody was recorded at rest.

"""


def of_slowed(probabilities: np.ndarray, table: pd.DataFrame, band: dict) -> dict:
    """The errors of held-out people whose recordings were slowed, each window alone: see `held_out`."""
    return _error(table[["dataset", "person"]].assign(truth=table.hr.to_numpy(), **describe(probabilities, band)))


def _error(errors: pd.DataFrame) -> dict:
    told = agreement.summary(errors, "hr", True)
    names = {"mae": "mae", "low": "mae_low", "high": "mae_high"}
    names |= {name: name for name in ("bias", "limits_low", "limits_high", "within_5", "mae_surer_half", "in_band")}
    numbers = {name: None if np.isnan(told[column]) else round(float(told[column]), 4) for name, column in names.items()}
    return {"people": told["people"], "windows": len(errors)} | numbers


def card(name: str, about: dict) -> str:
    """A model card (Mitchell et al. 2019) in Markdown, from what the model's file says."""
    design = Design(**about["design"])
    size = sum(p.numel() for p in ResNet1D(**about["design"]).parameters())
    taught = f", taught by {about['teacher']}" if about["teacher"] else ""
    low, high = about["range"]
    band = " to ".join(f"{edge:g}" for edge in about["band"])
    rows = [
        "| {dataset} | {track} | {people} | {windows} | {mae:.2f}".format(**r)
        + (" |" if r["low"] is None else f" [{r['low']:.2f}, {r['high']:.2f}] |")  # of few people nothing can be told
        for r in about["error"]["rows"]
    ]
    return f"""# {name}

Heart rate from {about["samples"] / about["rate"]:g} s of wrist PPG, every {about["step"]:g} s: a ResNet1D of \
{design.blocks} blocks, {size:,} parameters and {design.macs:,} multiply-accumulates a window.

**Not a medical device.** For research and teaching. It must not be used to diagnose, to treat or to raise alarms.

- Input: PPG at {about["rate"]} Hz, {band} Hz ({about["filter"]}), {about["normalization"]}.
- Output: {about["bins"]} probabilities of 1 BPM each from {about["lowest"]} BPM on; the heart rate is their \
{about["decoder"]}.
- Trained by {about["strategy"]}{taught} on {", ".join(about["datasets"])}; their licence: {about["licence"]}.
- Windows {about["windows"][:16]}, weights {about["weights"][:16]}, ppglib {about["library"]}.

## Errors on people whom it was not trained on

{about["error"]["protocol"]} MAE in BPM, with 95 % intervals over people.

| set | tracking | people | windows | MAE |
|---|---|---|---|---|
{chr(10).join(rows)}

{_of_paces(about)}## Limits

99 % of these windows, of people in exercise, have a heart rate from {low:.0f} to {high:.0f} BPM. Outside of that, at \
rest above all, the model may be far off and sure of it: a slow pulse can be taken for one twice as fast. The \
people are few. Other places of the body, ages, skin tones, arrhythmia and medication were not tested. Steps in the rhythm of the heart can be taken \
for it. The band holds the heart rate in 80 % of the windows of people as these; for one person it may hold fewer. On phone cameras \
at rest and on wrists in heavy motion the models of the library were tested after everything was chosen: errors are larger there, \
for some people by tens of BPM, and the band holds less often (`external.csv` in data/README.md).
"""
