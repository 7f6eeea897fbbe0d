"""From the samples of a sensor to windows, as a device does it: C code, and what it costs to know no future.

A window can be filtered forwards and backwards once it is complete, which is what the models that come with the library
learned from; or each sample as it comes, by the same band-pass in one direction (`PPG_CAUSAL`), which delays and bends
the pulse, and needs less memory."""

import numpy as np
import scipy  # its parts are loaded when they are first used

from ppglib.edge.c_code import PARTS, number
from ppglib.files import InputError
from ppglib.models.cut import finer
from ppglib.models.predict import HIGHEST_RATE, LOWEST_RATE
from ppglib.task import BAND, LENGTH, RATE, STEP_SECONDS
from ppglib.windows import _filter


def files_of(rate: float) -> dict[str, str]:
    """Name -> content of ppg_signal.h and ppg_signal.c, for a sensor of `rate` Hz. InputError for a rate out of range."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise InputError(f"A sensor of {rate:g} Hz is not provided for: choose from {LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz.")
    fine = finer(rate)
    sos, state = _filter(RATE * fine)
    settled = ",\n    ".join(f"{{{', '.join(map(number, row))}}}" for row in state)
    rows = ",\n    ".join(f"{{{', '.join(map(number, row))}}}" for row in sos[:, [0, 1, 2, 4, 5]])
    header = f"""/* Samples of {rate:g} Hz to windows for ppg_network.h, and logits to a heart rate: made by ppglib.

   struct ppg_stream s; ppg_start(&s); then for each sample: if (ppg_push(&s, sample) && ppg_window(&s, window)), call
   ppg_logits(window, logits); and ppg_median(logits) is the heart rate in BPM. Samples come evenly, in any unit; after a
   gap begin anew by ppg_start. With PPG_CAUSAL each sample is filtered as it comes, else each window forwards and
   backwards, which is what a network that comes with ppglib has learned from. */
#ifndef PPG_SIGNAL_H
#define PPG_SIGNAL_H

#include <stdint.h>

#include "ppg_network.h"

#ifndef PPG_CAUSAL
#define PPG_CAUSAL 0
#endif

#define PPG_INPUT_MILLIHERTZ {round(rate * 1000)}u
#define PPG_FINER {fine} /* samples are interpolated to an even grid so many times as fine as that of a window */
#define PPG_GRID (PPG_RATE * PPG_FINER) /* Hz */
#define PPG_STEP {round(STEP_SECONDS * RATE)} /* samples of a window between two windows */
#define PPG_SECTIONS {len(sos)}
#define PPG_PADDING {int(RATE * fine / BAND[0]) * 2} /* two periods of the lower edge of the band */
#define PPG_KEPT (PPG_SAMPLES * (PPG_CAUSAL ? 1 : PPG_FINER))

struct ppg_stream {{
    float ring[PPG_KEPT + 1], state[PPG_SECTIONS][2], origin, before;
    uint32_t phase, count, kept, first;
    int begun;
}};

void ppg_start(struct ppg_stream *);
int ppg_push(struct ppg_stream *, float sample); /* 1 if a window is complete: after 8 s, then every 2 s */
int ppg_window(const struct ppg_stream *, float window[PPG_SAMPLES]); /* 0 if there is no pulse in it */
float ppg_median(const float logits[PPG_BINS]); /* BPM */

#endif
"""
    tables = f"""
/* {BAND[0]:g} to {BAND[1]:g} Hz, Butterworth, order 4: b0, b1, b2, a1, a2; and the state after a constant input of 1. */
static const float ppg_sections[PPG_SECTIONS][5] = {{
    {rows}}};
static const float ppg_settled[PPG_SECTIONS][2] = {{
    {settled}}};
"""
    code = (PARTS / "ppg_signal.c").read_text()
    return {"ppg_signal.h": header, "ppg_signal.c": code.replace("/* TABLES */\n", tables)}


def causal(ppg: np.ndarray, rate: float, numbers: np.ndarray) -> np.ndarray:
    """Windows `numbers` (N,) of samples `ppg` (n,) at `rate` Hz, filtered in one direction: (N, 200) float32.

    As the C code does it with PPG_CAUSAL, in float64."""
    fine = finer(rate)
    grid = np.arange(int((len(ppg) - 1) / rate * RATE * fine + 1e-6) + 1) / (RATE * fine)
    x, (sos, settled) = np.interp(grid, np.arange(len(ppg)) / rate, ppg - ppg[0]), _filter(RATE * fine)
    filtered = scipy.signal.sosfilt(sos, x, zi=settled * x[0])[0][::fine]
    first = np.asarray(numbers)[:, None] * round(STEP_SECONDS * RATE)
    return filtered[first + np.arange(LENGTH)].astype(np.float32)
