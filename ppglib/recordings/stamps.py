"""When each sample was taken, from the time stamps of rows as watches and loggers write them: packets and rate."""

import numpy as np

from ppglib.files import InputError

LONGEST = 31 * 24.0  # hours
PACKET = 2.0  # seconds, the step of windows: no packet may be longer, as its stamp can be of its first sample or last
CLOSE = 0.25  # mean periods: stamps nearer than this came together
BUNCHED = 0.3  # share of such stamps from which on they are taken for packets
LATE = 0.5  # seconds that a packet may come late
ODD = 0.05  # share of packets that may not fit the time to the next
ROUNDED = (0.1, 0.01, 0.001)  # seconds to which loggers round
SLACK = 1.01  # beyond a limit of rates: what rounding may leave


def of_samples(name: str, stamp: np.ndarray, lowest: float, highest: float) -> tuple[np.ndarray, float, str]:
    """Time of each sample (s, increasing), rate (Hz) and a note. stamp: (n,) s, of each row.

    Samples that share a stamp, or come in bunches, are spread over their packet at the rate of the whole.
    Raises InputError for a clock that runs backwards or stands still, a rate outside [lowest, highest] Hz, and
    packets that cannot be spread."""
    step = np.diff(stamp)
    if len(stamp) < 2:
        raise InputError(f"{name} holds {len(stamp)} rows, too few for one window.")
    if len(back := np.flatnonzero(step < 0)):
        at = f"{stamp[back[0] + 1]:.9g} after {stamp[back[0]]:.9g}, does not at row {back[0] + 3}"
        raise InputError(f"{name}: time must increase from row to row, and with {at}.")
    if step.max() == 0:
        raise InputError(f"{name}: all rows have the same time {stamp[0]:.9g}, so no sample can be placed.")
    hours, near = (stamp[-1] - stamp[0]) / 3600, step[step <= PACKET]
    period = float(near.mean() if near.any() else step.mean())
    _check(name, max(1 / period, lowest) if near.any() else 1 / period, hours, lowest, highest)  # holes make it too low
    tight = step < CLOSE * period
    bunched = tight.mean() > BUNCHED
    time, note = stamp, ""
    if bunched or not step.all():
        first = np.flatnonzero(np.append(True, ~tight if bunched else step > 0))
        time = _spread(name, stamp[first], np.diff(first, append=len(stamp)), bunched)
        if bunched:
            each = f"{np.median(np.diff(first)):g} rows every {np.median(np.diff(stamp[first])):.3g} s"
            note = f"Samples come in packets, {each}, and are spread over them."
    step = np.diff(time)
    if not (step > 0).all():  # stamps nearer than a float64 can hold
        raise InputError(f"{name}: rows are too close in time near {stamp[np.argmin(step)]:.9g} to place samples.")
    rate = rate_of(time, stamp)
    if np.median(step) < period / 2 and not bunched:
        _refuse(name, "more than half of the samples are lost, or stamps come in bunches")
    _check(name, rate, hours, lowest, highest)
    return time, rate, note


def rate_of(time: np.ndarray, stamp: np.ndarray) -> float:
    """Samples a second where none is lost: by the mean of the steps near the median one, as rounding moves that.

    time: (n,) s. stamp: what the times come from; if rounded, true steps lie within its unit of the median one. Where a
    period is such a unit, as at 100 Hz with two decimals, single samples that are lost look like rounding."""
    step, rows = np.diff(time), np.diff(stamp)
    unit = next((unit for unit in ROUNDED if np.abs(rows / unit - np.round(rows / unit)).max() < 0.01), 0.0)
    middle = np.median(step)
    near = step[np.abs(step - middle) <= max(abs(middle) / 2, 1.01 * unit)]
    mean = near.mean() if len(near) else middle
    return float(1 / (mean if abs(mean - middle) > 1e-6 * abs(middle) else middle))  # the last bits of exact ones stay


def _check(name: str, rate: float, hours: float, lowest: float, highest: float) -> None:
    if not lowest / SLACK <= rate <= SLACK * highest or hours > LONGEST:
        needed = f"{lowest:g} to {highest:g} are needed, over at most {LONGEST:g} h, and `time` must be in seconds"
        if lowest <= 1000 * rate <= highest:
            needed += f", not in milliseconds, which would make it {1000 * rate:.3g}"
        raise InputError(f"{name} has {rate:.4g} samples a second over {hours:.3g} h: {needed}.")


def _spread(name: str, stamp: np.ndarray, size: np.ndarray, bunched: bool) -> np.ndarray:
    """Times of the samples of packets with these stamps and sizes, (sizes.sum(),)."""
    if len(stamp) < 3:
        _refuse(name, "there are too few different ones")
    apart, last = np.diff(stamp), np.cumsum(size) - 1
    if bunched and np.median(apart) > PACKET:
        _refuse(name, f"a packet of {np.median(apart):.3g} s may begin or end at its stamp")
    index, starts, fits = np.arange(last[-1] + 1), last - size + 1, []
    for ends in (False, True):  # stamps of first samples, or of last ones
        within = size[1:] if ends else size[:-1]
        period = np.median(apart / within)
        room = np.maximum(period, 0.1 * within * period)
        odd = np.abs(apart - within * period) > room
        fits.append((round(odd.mean(), 9), (apart < within * period - room).mean(), ends, period))
    _, wrong, ends, period = min(fits, key=lambda fit: fit[0])
    if bunched and wrong > ODD:  # packets come late and early: a steady clock without loss can still be told
        lines = [_line(stamp, at) for at in (starts, last)]
        off, period, origin = min(lines, key=lambda line: line[0])
        if off <= LATE:
            return origin + index * period
        each = f"about {np.median(size):g} rows every {np.median(apart):.3g} s"
        _refuse(name, f"{each}, and the time between packets does not fit their sizes")
    own = np.minimum(apart / (size[1:] if ends else size[:-1]), period)
    own = np.append(period, own) if ends else np.append(own, period)
    back = last if ends else starts
    packet = np.repeat(np.arange(len(size)), size)
    return stamp[packet] + (index - back[packet]) * own[packet]


def _line(stamp: np.ndarray, at: np.ndarray) -> tuple[float, float, float]:
    """How far the stamps of the samples `at` stray from a steady clock (s), its period and its origin."""
    half = max(1, len(at) // 2)
    period = np.median((stamp[half:] - stamp[:-half]) / (at[half:] - at[:-half]))
    late = stamp - at * period
    return round(np.ptp(late), 9), period, np.median(late)


def _refuse(name: str, why: str) -> None:
    raise InputError(f"{name}: time stamps are shared or bunched ({why}): save the time of each sample.")
