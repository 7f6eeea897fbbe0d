"""One's own recordings as watches, loggers and spreadsheets make them, with values computed apart from the reader."""

import gzip
import unicodedata
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ppglib import recordings, simulate, windows
from ppglib.files import InputError
from ppglib.recordings import archives, columns, holes, stamps

RATE = 50.0
PERSON = simulate.person(0, 2.0)
TIME = np.arange(6000) / RATE
PPG = simulate.ppg(PERSON, RATE)[0]
BEATS = PERSON.r_peaks
TRUE = simulate.window_hr(PERSON, 57)
MIDDLE, HR = (BEATS[1:] + BEATS[:-1]) / 2, 60 / np.diff(BEATS)


def write(path, **columns_):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns_).to_csv(path, index=False)


def load(root, ppg=None, hr=None, labels="hr"):
    """The only recording of a folder with these tables."""
    write(root / "own/ann.ppg.csv", **(ppg or {"time": TIME, "ppg": PPG}))
    write(root / f"own/ann.{labels}.csv", **(hr or {"time": MIDDLE, "hr": HR}))
    (found,) = recordings.load("own", root)
    return found


def refused(root, message, **tables):
    with pytest.raises(InputError, match=message) as error:
        load(root, **tables)
    assert "fetch it again" not in str(error.value) and str(error.value).count("\n") == 0


def means(time, hr):
    return np.array([np.mean(hr[(time >= s) & (time < s + 8)]) for s in 2.0 * np.arange(57)])


# Labels


@pytest.mark.parametrize("sentinel", [0, -1, 255, 24, 999, np.inf])
def test_heart_rates_that_cannot_be_are_missing_counted_and_said(tmp_path, sentinel):
    bad = np.arange(len(HR)) % 5 == 0
    found = load(tmp_path, hr={"time": MIDDLE, "hr": np.where(bad, sentinel, HR)})
    np.testing.assert_allclose(found.hr, means(MIDDLE[~bad], HR[~bad]))
    assert f"{bad.sum()} of {len(HR)} heart rates cannot be" in " ".join(found.notes)
    refused(tmp_path, "heart rates cannot be", hr={"time": MIDDLE, "hr": np.where(bad, HR, sentinel)})


@pytest.mark.parametrize("factor", [0.5, 2])
def test_missed_and_doubled_beats_are_missing(tmp_path, factor):
    bad = np.isin(np.arange(len(HR)), [20, 60, 61, 110])
    found = load(tmp_path, hr={"time": MIDDLE, "hr": np.where(bad, HR * factor, HR)})
    np.testing.assert_allclose(found.hr, means(MIDDLE[~bad], HR[~bad]))
    assert "4 jumps" in found.notes[0]
    sparse = {"time": [0, 30, 60, 90], "hr": [60, 130, 62, 61]}  # half a minute apart, a heart can do that
    assert np.nanmax(load(tmp_path, hr=sparse).hr) == 130


def test_labels_of_windows_are_taken_as_they_are(tmp_path):
    start, value = 0.5 + 2.0 * np.arange(56), 60 + np.arange(56) / 10
    for stop in ({}, {"stop": start + 8}):
        found = load(tmp_path, hr={"start": start, **stop, "hr": value})
        np.testing.assert_array_equal(found.hr, value)
        np.testing.assert_allclose(found.ppg[0], PPG[25:])  # so that windows start where the labels do
    found = load(tmp_path, hr={"start": start[::4], "hr": value[::4]})
    np.testing.assert_array_equal(np.isfinite(found.hr), np.arange(len(found.hr)) % 4 == 0)
    mixed = np.sort(np.r_[start, start[:3] + 1])
    assert "3 of 59 labels start between" in load(tmp_path, hr={"start": mixed, "hr": 70.0}).notes[0]
    refused(tmp_path, "window of 60 s in row 2", hr={"start": start, "stop": start + 60, "hr": value})


def test_of_labels_of_windows_the_nearest_counts_and_none_that_lies_between_two(tmp_path):
    start, value = np.array([0, 2, 2.4, 4, 5.8, 9, 10, 12]), np.array([60.0, 70, 150, 80, 90, 160, 100, 110])
    found = load(tmp_path, hr={"start": start, "hr": value})
    np.testing.assert_array_equal(found.hr[:7], [60, 70, 80, 90, np.nan, 100, 110])
    assert "1 of 8 labels start between" in found.notes[0]


@pytest.mark.parametrize("bpm", [26.0, 249.0])
def test_slow_and_fast_hearts_are_hearts(tmp_path, bpm):
    found = load(tmp_path, hr={"time": MIDDLE, "hr": np.full(len(MIDDLE), bpm)})
    assert set(found.hr) == {bpm} and not found.notes


def test_beats_and_intervals(tmp_path):
    close = dict(atol=3, rtol=0)  # intervals that are not plausible are left out
    for labels, table in {
        "beats": {"time": BEATS},
        "hr": {"time": BEATS[1:], "rr": np.diff(BEATS) * 1000},
        "rr": {"rr": np.r_[BEATS[0], np.diff(BEATS)] * 1000},
    }.items():
        (tmp_path / "own/ann.hr.csv").unlink(missing_ok=True)
        found = load(tmp_path / labels, hr=table, labels=labels)
        assert np.isfinite(found.hr).mean() > 0.9
        np.testing.assert_allclose(found.hr[np.isfinite(found.hr)], TRUE[np.isfinite(found.hr)], **close)
    refused(tmp_path, "`rr` must be in ms", hr={"time": BEATS[1:], "rr": np.diff(BEATS)})


def test_an_ecg_gives_labels(tmp_path):
    time = np.arange(120 * 200) / 200
    ecg = sum(np.exp(-(((time - beat) / 0.015) ** 2)) for beat in BEATS)
    found = load(tmp_path, hr={"time": time, "ecg": ecg}, labels="ecg")
    good = np.isfinite(found.hr)
    assert good.mean() > 0.8 and np.abs(found.hr - TRUE)[good].max() < 3
    refused(tmp_path / "flat", "no heart rate within", hr={"time": time, "ecg": 0 * ecg}, labels="ecg")


def test_activity_is_what_fills_most_of_a_window(tmp_path):
    names = np.where(TIME < 31, "sit", np.where(TIME < 60, "walk", ""))
    found = load(tmp_path, ppg={"time": TIME, "ppg": PPG, "activity": names})
    start = 2.0 * np.arange(57)
    expected = np.where(start + 4 <= 31, "sit", np.where(start < 60, "walk", ""))
    assert (found.activity == expected).all()
    assert set(windows.build([found]).table.activity) == {"sit", "walk", ""}


# Holes and packets


def kept_seconds(recording):
    return set(windows.build([recording]).table.second)


def without(first, last):
    """Starts of windows that touch neither of the seconds [first, last)."""
    start = 2.0 * np.arange(57)
    return set(start[(start + 8 <= first) | (start >= last)])


@pytest.mark.parametrize("rate", [25, 250])
@pytest.mark.parametrize(("seconds", "kept"), [(0.2, True), (0.3, False)])
@pytest.mark.parametrize("how", ["rows", "cells", "zeros"])
def test_holes_are_judged_in_seconds(tmp_path, rate, seconds, kept, how):
    time, ppg = np.arange(120 * rate) / rate, simulate.ppg(PERSON, rate)[0] + 100
    lost = (time > 50 - 1e-9) & (time < 50 + seconds - 1e-9)
    tables = {"rows": (time[~lost], ppg[~lost]), "cells": (time, np.where(lost, np.nan, ppg))}
    tables["zeros"] = time, np.where(lost, 0, ppg)
    found = load(tmp_path, ppg=dict(zip(("time", "ppg"), tables[how])))
    seen = kept_seconds(found)
    assert len(seen) == 57 if kept else without(49.9, 50.5) <= seen <= without(50, 50.4)
    whole = windows.even_signal(load(tmp_path / "whole", ppg={"time": time, "ppg": ppg}))[0]
    signal = windows.even_signal(found)[0]
    away = np.abs(np.arange(len(signal)) / 25 - 50) > 2
    assert np.abs(signal - whole[: len(signal)])[away].max() < 0.1 * np.ptp(whole)


def test_a_hole_reaches_from_its_first_lost_sample_to_its_last(tmp_path):
    lost = (np.arange(6000) >= 2500) & (np.arange(6000) < 2530)
    assert load(tmp_path, ppg={"time": TIME, "ppg": np.where(lost, np.nan, PPG)}).gaps == ((2500, 2530),)


@pytest.mark.parametrize("what", ["flat", "zeros", "wrap", "step"])
def test_what_is_no_pulse_is_a_hole_and_disturbs_nothing_around(tmp_path, what):
    raw = np.round(1000 * PPG)
    clean = load(tmp_path / "clean", ppg={"time": TIME, "ppg": raw})
    at = (TIME >= 50) & (TIME < 50.8)
    later = TIME >= 50
    made = {"flat": np.where(at, raw[2500], raw), "zeros": np.where(at, 0, raw + 20_000)}
    made |= {"wrap": np.where(later, raw - 2**20, raw), "step": np.where(later, raw + 200_000, raw)}
    found = load(tmp_path, ppg={"time": TIME, "ppg": made[what]})
    assert without(48, 52) <= kept_seconds(found) <= without(50, 50.1)
    one, other = (windows.even_signal(recording)[0] for recording in (clean, found))
    assert np.abs(one - other)[np.abs(np.arange(len(one)) / 25 - 50.4) > 3].max() < 0.05 * np.ptp(one)
    assert "left out" in found.notes[0]


def test_a_spike_is_bridged(tmp_path):
    found = load(tmp_path, ppg={"time": TIME, "ppg": np.where(TIME == 50, 65535, PPG)})
    assert len(kept_seconds(found)) == 57
    np.testing.assert_allclose(found.ppg[0, 2500], (PPG[2499] + PPG[2501]) / 2)


def test_what_lies_between_two_steps_for_less_than_half_a_second_is_no_signal():
    for seconds, kept in ((0.44, False), (3.0, True)):
        burst = (TIME >= 50) & (TIME < 50 + seconds)
        _, good, _ = holes.find(np.where(burst, PPG + 1e6, PPG), RATE)
        assert good[burst].any() == kept


PACKETS = {
    "a second": np.floor(TIME),
    "13 rows": TIME[np.arange(6000) // 13 * 13],
    "bunched": TIME[np.arange(6000) // 10 * 10] + np.arange(6000) % 10 * 0.001,
    "late": (np.arange(6000) // 10 * 10) / RATE + np.random.default_rng(0).uniform(0, 0.12, 600).repeat(10),
    "last": TIME[np.minimum(np.cumsum(np.random.default_rng(1).integers(5, 40, 600)), 5999)][
        np.searchsorted(np.cumsum(np.random.default_rng(1).integers(5, 40, 600)), np.arange(6000))
    ],
}


@pytest.mark.parametrize("kind", PACKETS)
def test_packets_are_spread(tmp_path, kind):
    time, rate, note = stamps.of_samples("x", PACKETS[kind], 16, 1000)
    off = time - TIME
    assert rate == pytest.approx(RATE, rel=0.01) and "packets" in note
    assert np.ptp(off) < (0.1 if kind != "late" else 0.2) and np.abs(off).max() < 0.2
    found = load(tmp_path, ppg={"time": PACKETS[kind], "ppg": PPG})
    one = windows.even_signal(found)[0][50:2900]
    assert np.corrcoef(one, windows.even_signal(load(tmp_path / "even"))[0][50:2900])[0, 1] > 0.98


@pytest.mark.parametrize("side", ["left", "right"])
def test_samples_lie_between_the_stamps_of_their_packet_and_the_next_also_if_one_comes_early(side):
    """Stamps of last samples (left) or of first ones (right)."""
    size = np.random.default_rng(0).integers(10, 40, 100)
    stamp = (np.cumsum(size) - (1 if side == "left" else size)) / RATE
    stamp[50] -= 0.1
    time = stamps._spread("x", stamp, size, True)
    assert (np.diff(time) > 0).all()
    np.testing.assert_array_equal(np.searchsorted(stamp, time, side) - (side == "right"), np.arange(100).repeat(size))


def test_a_lost_packet_is_a_hole_and_a_wild_clock_is_named(tmp_path):
    lost = (TIME >= 50) & (TIME < 52)
    stamp = PACKETS["13 rows"][~lost]
    found = load(tmp_path, ppg={"time": stamp, "ppg": PPG[~lost]})
    assert without(49.5, 52.5) <= kept_seconds(found) <= without(50.3, 51.7)
    wild = np.sort(np.random.default_rng(0).uniform(0, 120, 600)).repeat(10)
    refused(tmp_path, "shared or bunched", ppg={"time": wild, "ppg": PPG})
    refused(tmp_path, "may begin or end", ppg={"time": TIME // 5 * 5, "ppg": PPG})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(16, 1000), st.integers(1, 6), st.sampled_from([0, 0.0137, 1.7e9]), st.booleans())
@example(1000, 6, 0, False)
@example(1000, 3, 1.7e9, False)
@example(800, 3, 0, True)
@example(16, 2, 0, False)
@example(145, 2, 0, False)
def test_rounded_stamps_tell_the_rate_also_beside_holes(rate, digits, start, hole):
    time = np.arange(int(60 * rate)) / rate
    time = time[(time < 20) | (time > 21)] if hole and digits > 2 else time  # shared stamps bear few holes
    stamp = np.round(start + time, digits)
    assert stamps.of_samples("x", stamp, 16, 1000)[1] == pytest.approx(rate, rel=3e-3)


@pytest.mark.parametrize("rate", [15.8, 1010.5])
def test_a_rate_just_beyond_the_limits_can_be_told_from_them(rate):
    with pytest.raises(InputError, match=f"x has {np.round(rate, 0 if rate > 16 else 1):g} samples a second"):
        stamps.of_samples("x", np.arange(2000) / rate, 16, 1000)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(0, 5), min_size=2, max_size=60), st.integers(1, 40))
def test_any_forward_clock_gives_rising_times_or_one_sentence(steps, repeat):
    stamp = np.repeat(np.cumsum(steps), repeat)
    try:
        time, rate, _ = stamps.of_samples("x", stamp, 16, 1000)
    except InputError as error:
        assert str(error).startswith("x")
    else:
        assert (np.diff(time) > 0).all() and 15.8 < rate < 1011 and len(time) == len(stamp)
        assert np.abs(time - stamp).max() < 5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.0, np.nan, np.inf, 1e6, 1e300]), min_size=1, max_size=80))
def test_any_signal_gives_finite_good_samples(values):
    level, good, lost = holes.find(np.array(values), 20.0)
    assert good.shape == level.shape and np.isfinite(level[good]).all()
    assert sum(lost.values()) == pytest.approx((~good).sum() / 20)


def test_hours_are_those_of_signal_and_a_pause_starts_another_recording(tmp_path):
    keep = (TIME < 40) | (TIME >= 50)
    for shift, parts in ((0, 1), (580, 1), (600, 2), (1e6, 2)):  # a hole of 10 s, and so much longer
        later = np.where(TIME >= 50, shift, 0)
        hr_time = MIDDLE + np.where(MIDDLE >= 50, shift, 0)
        write(tmp_path / "own/ann.ppg.csv", time=(TIME + later)[keep], ppg=PPG[keep])
        write(tmp_path / "own/ann.hr.csv", time=hr_time, hr=HR)
        made = windows.build(recordings.load("own", tmp_path))
        assert len(made.recordings) == parts and set(made.recordings.person) == {"ann"}
        signal = made.recordings.samples - made.recordings.missing
        assert signal.sum() / 25 == pytest.approx(110, abs=0.2)


# Files


def people_of(root):
    return [(found.person, found.name) for found in recordings.load("own", root)]


def test_sessions_belong_to_one_person(tmp_path):
    hr, half = {"time": MIDDLE, "hr": HR}, slice(0, 3000)
    for k, stem in enumerate(("ann.run.", "ann.walk.", "bo/", "cy/day1.", "cy/day2/", "Cy/day3.")):
        write(tmp_path / f"own/{stem}ppg.csv", time=TIME[half], ppg=PPG[half] + k)
        write(tmp_path / f"own/{stem}hr.csv", **hr)
    expected = [("ann", "ann.run"), ("ann", "ann.walk"), ("bo", "bo")]
    found = people_of(tmp_path)
    assert found[:3] == expected and [name.lower() for _, name in found[3:]] == ["cy.day1", "cy.day2", "cy.day3"]
    assert len({person for person, _ in found}) == 3


def test_endings_unicode_and_files_of_no_use(tmp_path):
    folder = tmp_path / "own"
    composed, decomposed = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    write(folder / f"{composed}.PPG.CSV", time=TIME, ppg=PPG)
    write(folder / f"{decomposed}.hr.csv", time=MIDDLE, hr=HR)
    write(folder / "bo.ppg.csv", time=TIME, ppg=-PPG)
    (folder / "bo.ppg.csv.gz").write_bytes(gzip.compress((folder / "bo.ppg.csv").read_bytes()))
    (folder / "bo.ppg.csv").unlink()
    pd.DataFrame({"Time": MIDDLE, "HR": HR}).set_index("Time").to_parquet(folder / "bo.hr.PARQUET")
    for junk in ("._bo.hr.csv", ".DS_Store", "._bag.zip", "notes.txt", "bo.acc.csv"):
        (folder / junk).write_bytes(b"\0\5")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("__MACOSX/._cy.ppg.csv", "x")
        archive.writestr("readme.md", "x")
        archive.writestr("more/di.ppg.csv", pd.DataFrame({"time": TIME, "ppg": 2 * PPG}).to_csv())
        archive.writestr("more/di.hr.csv", pd.DataFrame({"time": MIDDLE, "hr": HR}).to_csv())
    found = list(recordings.load("own", tmp_path))
    assert [one.person for one in found] == ["bo", "di", composed]
    assert found[0].notes == ("Not used: bo.acc.csv, readme.md, notes.txt.",) and not found[1].notes
    np.testing.assert_allclose(found[0].hr, means(MIDDLE, HR))


@pytest.mark.parametrize("zone", ["", "+09:00"])
def test_dates_and_time_zones(tmp_path, zone):
    def text(seconds, zone):
        hours = 9 if zone == "+09:00" else 0
        date = pd.Timestamp("2025-03-30") + pd.to_timedelta(np.round(seconds, 6) + 3600 * hours, unit="s")
        return [stamp.isoformat() + zone for stamp in date]

    labels = {"time": text(MIDDLE, "Z" if zone else ""), "hr": HR}
    found = load(tmp_path, {"time": text(TIME, zone), "ppg": PPG}, labels)
    assert found.time is None and found.rate == pytest.approx(RATE)
    np.testing.assert_allclose(found.hr, means(MIDDLE, HR))
    write(tmp_path / "own/ann.hr.csv", time=MIDDLE, hr=HR)
    with pytest.raises(InputError, match="use one clock"):
        list(recordings.load("own", tmp_path))
    folder = tmp_path / "parquet/own"
    folder.mkdir(parents=True)
    for what, seconds, column in (("ppg", TIME, PPG), ("hr", MIDDLE, HR)):
        date = pd.Timestamp("2025-03-30", tz="Asia/Seoul" if zone else None) + pd.to_timedelta(seconds, unit="s")
        pd.DataFrame({"time": date, what: column}).to_parquet(folder / f"ann.{what}.parquet")
    np.testing.assert_allclose(next(recordings.load("own", folder.parent)).hr, means(MIDDLE, HR))


def test_durations_are_seconds_also_after_a_day(tmp_path):
    write(tmp_path / "own/ann.hr.csv", time=100_000 + MIDDLE, hr=HR)
    time = pd.to_timedelta(np.round(100_000 + TIME, 6), unit="s")
    pd.DataFrame({"time": time, "ppg": PPG}).to_parquet(tmp_path / "own/ann.ppg.parquet")
    (found,) = recordings.load("own", tmp_path)
    assert found.rate == pytest.approx(RATE)
    np.testing.assert_allclose(found.hr, means(MIDDLE, HR))


@pytest.mark.parametrize("many", [1e3, 1e6, 1e9])
def test_labels_may_count_since_1970_in_other_units_than_the_signal(tmp_path, many):
    start = 2.0 * np.arange(57)
    stamps_ = {name: np.round((1.7e9 + at) * many).astype(np.int64) for name, at in (("start", start), ("stop", start + 8))}
    found = load(tmp_path, {"time": np.round((1.7e9 + TIME) * 1e3).astype(np.int64), "ppg": PPG}, stamps_ | {"hr": TRUE})
    assert found.rate == pytest.approx(RATE)
    np.testing.assert_allclose(found.hr, TRUE)


def test_spreadsheets(tmp_path):
    (tmp_path / "own").mkdir()
    rows = "\r\n".join(f"{t:.3f};{p:.4f};;".replace(".", ",") for t, p in zip(TIME, PPG))
    (tmp_path / "own/ann.ppg.csv").write_bytes(f"\ufeffTime;PPG ;;\r\n{rows}\r\n;;;\r\n".encode())
    write(tmp_path / "own/ann.hr.csv", time=MIDDLE, hr=HR)
    (found,) = recordings.load("own", tmp_path)
    np.testing.assert_allclose(found.ppg[0], PPG.round(4))


WRONG = [
    ("time,ppg\n", "has no rows"),
    ("", "has no rows"),
    ("time,ppg\n0,1\n0.02,oops\n", "'ppg' holds text 'oops' in row 3"),
    ("time,ppg\n0,1\n\nsoon,2\n", "'time' holds text 'soon' in row 4, expected seconds or dates"),
    ("time,ppg\n2025-01-01T10:00:00Z,1\n2025-01-01T10:00:01,1\n", "with a time zone in some rows only"),
    ("time,ppg\n0,1\n5,1\n4,1\n", "with 4 after 5, does not at row 4"),
    ("time,ppg\n3,1\n3,2\n3,4\n", "all rows have the same time 3"),
    ('time,ppg\n0,"1\n', "save it again as CSV"),
    ("time,ppg\n0,015625,1030,580\n", "row 2 has more cells than the 2 that the first line names: .* use semicolons"),
    ("time,ppg\n0,1\n\n0,02,1\n", "row 4 has more cells"),
    ("time,ppg,\n0,02,1\n", "row 2 has more cells than the 2"),
    ("time,ppg,note\n0,1,hello, world\n", "put texts with commas in quotes"),
    ("time;ppg\n0;1\n1;2; run\n", "row 3 has more cells"),
    ("0,1030\n0.02,1031\n", "has no header line: .* such as `time,ppg`"),
    ("2025-01-31T10:00:00.5+01:00\t 1e-3\n", "has no header line: .* such as `time\tppg`"),
    ("\ntime,ppg\n0,1\n", "begins with the line '': delete it"),
    (";;\ntime;ppg;\n0;1;\n", "begins with the line ';;': delete it"),
    ("sep=;\ntime;ppg\n0;1\n", "begins with the line 'sep=;': delete it"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_one_sentence_with_row_and_value(tmp_path, text, message):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/ann.ppg.csv").write_text(text)
    write(tmp_path / "own/ann.hr.csv", time=MIDDLE, hr=HR)
    with pytest.raises(InputError, match=message) as error:
        list(recordings.load("own", tmp_path))
    assert "fetch it again" not in str(error.value)


@pytest.mark.parametrize("rows", [10, 6000])  # shorter and longer than what a header may have
def test_lines_that_end_as_on_old_macs(tmp_path, rows):
    text = pd.DataFrame({"time": TIME, "ppg": 1000 * PPG})[:rows].to_csv(index=False)
    tables = []
    for name, end in (("new", b"\n"), ("old", b"\r"), ("dos", b"\r\n")):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(text.encode().replace(b"\n", end))
        tables.append(columns.read(archives.file(path), "time", "ppg"))
    assert len(tables[0]) == rows
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


def test_labels_with_decimal_commas_are_not_cut_to_their_whole_numbers(tmp_path):
    write(tmp_path / "own/ann.ppg.csv", time=TIME, ppg=PPG)
    (tmp_path / "own/ann.hr.csv").write_text("time,hr\n0,60\n1,90,5\n")
    with pytest.raises(InputError, match=r"ann\.hr\.csv: row 3 has more cells than the 2 that the first line names"):
        list(recordings.load("own", tmp_path))


@pytest.mark.parametrize("end", ["", ",", ", ", ",,,", ',""'])
@pytest.mark.parametrize("first", ["", ","])
def test_separators_at_the_end_of_rows_add_no_cells(tmp_path, end, first):
    rows = "".join(f"{t!r},{p!r}{end}\n" for t, p in zip(TIME.tolist(), PPG.tolist()))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/ann.ppg.csv").write_text(f"time,ppg{first}\n{rows}")
    write(tmp_path / "own/ann.hr.csv", time=MIDDLE, hr=HR)
    (found,) = recordings.load("own", tmp_path)
    np.testing.assert_allclose(found.ppg[0], PPG)


# Proportion


@pytest.mark.parametrize("step", [1e-6, 1e-9, 1e-3 / 1.1])
def test_a_rate_that_no_ppg_has_is_refused_at_once(tmp_path, step):
    for start in (0.0, 1.7e9):
        stamp = start + np.arange(2500) * step
        refused(tmp_path, "samples a second|same time|too close", ppg={"time": stamp, "ppg": PPG[:2500]})


def test_what_is_out_of_proportion_is_refused_before_it_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    write(folder / "ann.hr.csv", time=MIDDLE, hr=HR)

    def message(path, content):
        path.write_bytes(content)
        with pytest.raises(InputError, match="out of proportion") as error:
            list(recordings.load("own", tmp_path))
        path.unlink()
        return str(error.value)

    assert "header" in message(folder / "ann.ppg.csv", b"time,ppg," + b"x," * 10**7)
    assert "2001 columns" in message(folder / "ann.ppg.csv", b"time" + b",x" * 2000 + b"\n")
    path = tmp_path / "wide.parquet"
    pd.DataFrame({"time": TIME, "ppg": 1.0}).to_parquet(path)
    whole, packed = path.read_bytes(), gzip.compress(b"time,ppg\n" + b"0,1\n" * 10**5)
    monkeypatch.setattr(columns, "LARGEST", 50_000)
    assert "GB when read" in message(folder / "ann.ppg.parquet", whole)
    assert "more than" in message(folder / "ann.ppg.csv.gz", packed)


def test_only_columns_that_are_used_are_read(tmp_path, monkeypatch):
    write(tmp_path / "own/ann.ppg.csv", time=TIME, note="long text", ppg=PPG)
    write(tmp_path / "own/ann.hr.csv", time=MIDDLE, hr=HR)
    real, asked = pd.read_csv, []
    monkeypatch.setattr(pd, "read_csv", lambda *a, **how: asked.append(how.get("usecols")) or real(*a, **how))
    list(recordings.load("own", tmp_path))
    assert asked[-2:] == [[0, 2, 3], [0, 1, 2]]  # and what is beyond the header


def test_no_grid_is_finer_than_the_data_carry(tmp_path):
    pairs = np.repeat(np.arange(2000) * 500.0, 2) + np.tile([0, 0.002], 2000)
    refused(tmp_path, "that is no signal", ppg={"time": pairs, "ppg": PPG[:4000]})
