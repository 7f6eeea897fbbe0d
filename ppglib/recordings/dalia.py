"""PPG-DaLiA (Reiss et al. 2019, UCI 495): 15 people, wrist BVP at 64 Hz, labels as published.

One pickle per person, read from the outer zip, from the data.zip inside it, or from the unpacked tree."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ppglib.files import InputError, short
from ppglib.recordings import archives, array_pickle
from ppglib.recordings.base import RATE_TOLERANCE, in_windows, nested, window_count
from ppglib.recordings.sources import how_to_get
from ppglib.windows import Recording

DATASET, EXCERPT = "ppg_dalia", "dalia_s6_stairs"
WINDOWED_RATE, OVERLAP, WINDOW = 32.0, 192, 256  # Hz and samples of the form that holds windows
BVP_RATE, ACTIVITY_RATE = 64.0, 4  # Hz
ACTIVITIES = "transient,sitting,stairs,table soccer,cycling,driving,lunch,walking,working".split(",")


def read(folder: Path) -> Iterator[Recording]:
    """Recordings of S1..S15, one at a time. The wrist BVP, and label and activity of each window."""
    with archives.members(folder) as found:
        people = archives.by_person(found, r"(S\d+)\.pkl")
        if not people:
            raise InputError(f"No S1.pkl in {folder}, its zips or its subfolders: {how_to_get(DATASET)}.")
        for person, member in people.items():
            yield _recording(person, member)


def _recording(person: str, member: archives.Member) -> Recording:
    with member.open() as stream:
        content = array_pickle.load(stream, member.name)
    subject = nested(content, member.name, "subject")
    if subject != person:
        said = short(subject) if isinstance(subject, str) else f"a {type(subject).__name__}"  # nested, it may have no end
        raise InputError(f"{member.name} says that it is {said}: is it a copy of that participant?")

    def column(*keys):
        name = f"{member.name}: {'/'.join(keys)}"
        array = array_pickle.to_numpy(nested(content, member.name, *keys), name)
        if array.ndim > 2 or array.size != len(np.atleast_1d(array)):
            raise InputError(f"{name} has shape {array.shape}, expected one column.")
        return array.reshape(-1)

    bvp, hr = column("signal", "wrist", "BVP").astype(np.float64), column("label").astype(np.float64)
    activity, r_peaks = column("activity"), column("rpeaks")
    seconds, active = len(bvp) / BVP_RATE, len(activity) / ACTIVITY_RATE
    if abs(active - seconds) > max(RATE_TOLERANCE * seconds, 1):
        found = f"{active:.0f} s of activity but {seconds:.0f} s of BVP"
        raise InputError(f"{member.name}: {found}, so the rates are not the published ones.")
    windows = window_count(len(bvp), BVP_RATE)
    if len(hr) != windows:
        raise InputError(f"{member.name} has {len(hr)} labels for {windows} windows of 8 s every 2 s.")
    names, notes = _activities(activity, windows, member.name), []
    if absent := [name for name in ACTIVITIES if name not in names]:
        notes.append(f"{person} has no {', '.join(absent)}.")
    if twice := int((np.diff(r_peaks) == 0).sum()):
        notes.append(f"{person} has {twice} duplicate R-peaks; the published labels are used, not these.")
    return Recording(DATASET, person, person, bvp[None], BVP_RATE, hr, activity=names, notes=tuple(notes))


def _activities(code: np.ndarray, windows: int, name: str) -> np.ndarray:
    """The activity that fills most of each window, (windows,) str."""
    known = np.isin(code, np.arange(len(ACTIVITIES)))
    if not known.all():
        raise InputError(f"{name} has activity {code[~known][0]}, expected 0 to {len(ACTIVITIES) - 1}.")
    time = np.arange(len(code)) / ACTIVITY_RATE
    counts = [in_windows(time[code == k], code[code == k], windows)[0] for k in range(len(ACTIVITIES))]
    return np.array(ACTIVITIES)[np.argmax(counts, axis=0)]


def excerpt(folder: Path) -> Iterator[Recording]:
    """The form in which public code keeps DaLiA: a pickle of 8-s windows `X` (n, channels, 256) at 32 Hz, of which the
    first channel is PPG, with heart rates `y`, people `groups` and `activity`. A recording is a stretch of windows that
    start 2 s apart."""
    with archives.members(folder) as found:
        (member, *others) = [member for member in found if member.path.endswith(".pkl")] or [None]
        if member is None or others:
            number = len(others) + bool(member)
            raise InputError(f"{folder} needs one .pkl file with windows of DaLiA, and has {number}: keep one.")
        with member.open() as stream:
            content = array_pickle.load(stream, member.name)
    keys = ("X", "y", "groups", "activity")
    x, hr, who, activity = (array_pickle.to_numpy(nested(content, member.name, k), f"{member.name}: {k}") for k in keys)
    if not all(values.size and values.ndim for values in (x, hr, who, activity)):
        raise InputError(f"{member.name} has nothing in one of {', '.join(keys)}: it is not the published form.")
    hr, who, activity = (values.reshape(len(values), -1)[:, 0] for values in (hr, who, activity))
    if x.ndim != 3 or x.shape[2] != WINDOW or {len(hr), len(who), len(activity)} != {len(x)} or not len(x):
        shape = f"X of shape {x.shape} and {len(hr)} labels, expected (n, channels, {WINDOW}) and n"
        raise InputError(f"{member.name} has {shape}: it is not the published form.")
    if not np.isin(activity, np.arange(len(ACTIVITIES))).all():
        raise InputError(f"{member.name} has other activities than 0 to {len(ACTIVITIES) - 1}: it is not as published.")
    ppg, names = x[:, 0].astype(np.float64), np.array(ACTIVITIES)[activity.astype(int)]
    anew = (ppg[1:, :OVERLAP] != ppg[:-1, -OVERLAP:]).any(axis=1) | (who[1:] != who[:-1])
    for number, rows in enumerate(np.split(np.arange(len(ppg)), np.flatnonzero(anew) + 1), 1):
        signal = np.concatenate([ppg[rows[0]], *ppg[rows[1:], OVERLAP:]])
        person = f"S{who[rows[0]]:g}"
        about = EXCERPT, person, f"{person} part {number}"
        yield Recording(*about, signal[None], WINDOWED_RATE, hr[rows].astype(np.float64), activity=names[rows])
