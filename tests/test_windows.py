"""Windows: counts on the published sets, what is dropped and why, and what training is given."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.io

from ppglib.beyond import OFFSETS, dense
from ppglib.files import InputError
from ppglib.recordings import load
from ppglib.task import LENGTH
from ppglib.windows import Recording, build, gather

RATES = [25.0, 50.0, 64.0, 125.0, 128.0]


def recording(ppg, rate=50.0, hr=None, person="1", **more):
    ppg = np.atleast_2d(ppg)
    windows = int((ppg.shape[1] / rate - 8) // 2 + 1)
    hr = np.full(windows, 80.0) if hr is None else np.asarray(hr, float)
    return Recording("own", person, f"r{person}", ppg, rate, hr, **more)


def noise(seconds, rate=50.0, seed=0):
    return np.random.default_rng(seed).normal(size=round(seconds * rate))


def reasons(windows):
    return windows.dropped.set_index("reason").windows.to_dict()


# --- counts on the published files, from scipy.io alone ------------------------------------------


def count_spc(folder):
    for n in range(1, 13):
        stem = f"{folder}/Training_data/DATA_{n:02d}_TYPE{1 if n == 1 else 2:02d}"
        sig = scipy.io.loadmat(f"{stem}.mat")["sig"]
        yield f"train{n:02d}", sig[1:3], 125, scipy.io.loadmat(f"{stem}_BPMtrace.mat")["BPM0"][:, 0]


def count_bami1(folder):
    for n in range(1, 25):
        content = scipy.io.loadmat(f"{folder}/Subject_{n}.mat")
        beats = list(zip(content["timeECG"][:, 0], content["bpmECG"][:, 0]))
        labels = []
        for start in range(0, 840 - 8 + 1, 2):
            inside = [bpm for at, bpm in beats if start <= at < start + 8]
            labels.append(np.mean(inside) if len(inside) >= 2 else np.nan)
        yield f"{n:02d}", content["sigPPG"], 50, labels


def count_bami2(folder):
    for n in range(1, 24):
        content = scipy.io.loadmat(f"{folder}/BAMI2_{n}.mat")
        labels = list(content["bpm_ecg"][:, 0]) + [np.nan]
        yield f"{n:02d}", content["rawPPG"], 50, [np.nan, *labels[1:]]


@pytest.mark.parametrize(
    "dataset, count, people",
    [("spc2015", count_spc, 12), ("bami1", count_bami1, 24), ("bami2", count_bami2, 23)],
)
def test_counts_on_the_published_sets(dataset, count, people, shared):
    folder = shared("data/open")
    kept, lost = [], {}
    for person, ppg, rate, labels in count(folder / dataset):
        mean = ppg.astype(float).mean(axis=0)
        assert len(labels) == (len(mean) - 8 * rate) // (2 * rate) + 1
        for i, hr in enumerate(labels):
            piece = mean[2 * rate * i : 2 * rate * i + 8 * rate]
            reason = (
                "no label"
                if np.isnan(hr)
                else "HR outside [30, 210)"
                if not 30 <= hr < 210
                else "zero variance"
                if np.ptp(piece) == 0
                else None
            )
            if reason:
                lost[reason] = lost.get(reason, 0) + 1
            else:
                kept.append((person, 2.0 * i, hr))
    windows = build(load(dataset, folder))
    assert windows.table.person.nunique() == len(windows.recordings) == people
    assert windows.dropped.groupby("reason").windows.sum().to_dict() == lost
    assert list(windows.table.person) == [person for person, _, _ in kept]
    assert list(windows.table.second) == [second for _, second, _ in kept]
    np.testing.assert_allclose(windows.table.hr, [hr for _, _, hr in kept], rtol=1e-12)
    found = gather(windows.signal, windows.table.start.to_numpy())
    assert (
        np.isfinite(found).all() and len(found) == {"spc2015": 1768, "bami1": 10008, "bami2": 8280}[dataset]
    )


# --- what is dropped -----------------------------------------------------------------------------


def test_labels_that_are_missing_or_out_of_range():
    hr = np.full(27, 80.0)
    hr[[0, 5]] = np.nan
    hr[[1, 2, 3, 4]] = [29.999, 210.0, np.inf, -1.0]
    hr[[6, 7]] = [30.0, 209.999]
    windows = build([recording(noise(60), hr=hr)])
    assert reasons(windows) == {"no label": 2, "HR outside [30, 210)": 4}
    assert windows.table.second.tolist() == [2.0 * i for i in range(6, 27)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_a_sample_that_is_no_number_drops_its_four_windows(rate, bad):
    ppg = np.array([noise(60, rate), noise(60, rate, 1)])
    ppg[1, round(21 * rate)] = bad
    windows = build([recording(ppg, rate)])
    assert reasons(windows) == {"non-finite": 4}
    assert {14.0, 16.0, 18.0, 20.0}.isdisjoint(windows.table.second) and len(windows.table) == 23
    assert np.isfinite(gather(windows.signal, windows.table.start.to_numpy())).all()


@pytest.mark.parametrize("kind", ["non-finite", "gap"])
def test_every_position_of_a_single_bad_sample_is_found(kind):
    fine = noise(20, 125.0)
    for index in range(0, 2500, 31):  # on the 25-Hz grid and between
        bad = fine.copy()
        bad[index] = np.nan if kind == "non-finite" else bad[index]
        gaps = ((index, index + 1),) if kind == "gap" else ()
        # The second recording saves the person where the first has no window left.
        table = build([recording(bad, 125.0, gaps=gaps), recording(fine, 125.0)]).table
        first = table[table.start < 500].second
        assert not np.any((first * 125 <= index) & (index < (first + 8) * 125))


def test_gaps_and_constant_pieces_are_counted():
    ppg = noise(100)
    ppg[60 * 50 : 75 * 50] = 3.0  # windows 60, 62, 64, 66 lie inside
    gap = (round(30.5 * 50), round(32.5 * 50))  # windows 24 to 32 overlap it
    windows = build([recording(ppg, gaps=(gap,))])
    assert reasons(windows) == {"gap": 5, "zero variance": 4}
    lost = set(np.arange(0, 94, 2.0)) - set(windows.table.second)
    assert lost == {24, 26, 28, 30, 32, 60, 62, 64, 66}


def test_a_signal_held_for_several_samples_is_not_constant():
    held = np.repeat(noise(60, 25.0), 5)
    for shift in range(5):
        windows = build([recording(np.roll(held, shift), 125.0)])
        assert len(windows.table) == 27


def test_a_single_change_is_enough_and_none_is_not():
    flat = np.zeros(8 * 50)
    step = flat.copy()
    step[200:] = 1.0
    whole = np.concatenate([flat, step])
    assert build([recording(whole)]).table.second.tolist() == [6.0, 8.0]  # the change is at 12 s
    with pytest.raises(InputError, match=r"Person 1 of own has no valid window \(1 x zero variance\)"):
        build([recording(flat)])


def test_one_reason_a_window_the_label_first():
    ppg, hr = noise(60), np.full(27, np.nan)
    hr[20:] = 80.0
    ppg[100] = np.nan
    assert reasons(build([recording(ppg, hr=hr, gaps=((50, 150),))])) == {"no label": 20}


def test_labels_after_the_end_of_the_signal_are_dropped():
    windows = build([recording(noise(60), hr=np.full(30, 80.0))])
    assert reasons(windows) == {"gap": 3} and len(windows.table) == 27


def test_no_window_spans_a_break():
    ppg = noise(60, 25.0)
    windows = build([recording(ppg, 25.0, breaks=(500,))])  # at 20 s
    assert set(np.arange(0, 54, 2.0)) - set(windows.table.second) == {14, 16, 18}
    later = build([recording(ppg, 25.0, breaks=(501,))])  # the window at 20 s has one sample before it
    assert set(np.arange(0, 54, 2.0)) - set(later.table.second) == {14, 16, 18, 20}
    apart = build([recording(ppg[:500], 25.0), recording(ppg[500:], 25.0)])
    np.testing.assert_array_equal(windows.signal, apart.signal)  # filtered piece by piece


def test_a_hole_in_the_time_stamps_is_a_gap():
    time = np.arange(60 * 25) / 25
    time = time[(time < 20.5) | (time > 23.5)]
    windows = build([recording(noise(57, 25.0)[: len(time)], 25.0, hr=np.full(26, 80.0), time=time)])
    assert set(np.arange(0, 52, 2.0)) - set(windows.table.second) == {14, 16, 18, 20, 22}
    assert reasons(windows) == {"gap": 5}


@pytest.mark.parametrize(("lost", "dropped"), [(np.arange(7, 1500, 20), set()), ([500, 501], {14, 16, 18, 20})])
def test_stamps_two_periods_apart_are_bridged_and_three_are_a_gap(lost, dropped):
    keep = np.delete(np.arange(1500), lost)
    windows = build([recording(noise(60, 25.0)[keep], 25.0, hr=np.full(27, 80.0), time=keep / 25)])
    assert set(np.arange(0, 54, 2.0)) - set(windows.table.second) == dropped


def test_a_moment_between_a_good_and_a_lost_sample_is_lost():
    time = (np.arange(1501) + 0.5) / 25  # each moment of the even grid lies between two samples
    ppg, hr = noise(61, 25.0)[:1501], np.full(27, 80.0)
    windows = build([recording(ppg, 25.0, hr=hr, time=time, gaps=((499, 500),))])  # the last moment of the window at 12 s
    assert set(np.arange(0, 54, 2.0)) - set(windows.table.second) == {0, 12, 14, 16, 18, 20}  # nothing is before 0.02 s


def test_a_person_without_a_window_is_an_error_another_recording_saves_them():
    silent = recording(noise(60), hr=np.full(27, np.nan), person="7")
    fine = recording(noise(60), person="7")
    with pytest.raises(InputError, match=r"Person 7 of own has no valid window \(27 x no label\)"):
        build([recording(noise(60)), silent])
    assert len(build([silent, fine]).table) == 27
    with pytest.raises(InputError, match="shorter than 8 s"):
        build([recording(noise(5), hr=[])])
    with pytest.raises(InputError, match="No recordings"):
        build([])


# --- gather and digest ---------------------------------------------------------------------------


def test_windows_point_into_their_own_recording():
    recs = [
        recording(noise(60, seed=seed), person=str(seed), hr=np.full(27, 60.0 + seed)) for seed in range(3)
    ]
    together, apart = build(recs), [build([rec]) for rec in recs]
    found = gather(together.signal, together.table.start.to_numpy())
    expected = np.concatenate([gather(one.signal, one.table.start.to_numpy()) for one in apart])
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (81, LENGTH) and found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-4)
    assert together.recordings.samples.tolist() == [1500] * 3


def test_the_digest_sees_samples_labels_starts_and_people():
    base = build([recording(noise(60))])
    signal = base.signal.copy()
    signal[700] = np.nextafter(signal[700], 1)
    changed = [replace(base, signal=signal)]
    for column, value in (("hr", 81.0), ("start", 51), ("person", "2"), ("dataset", "bami1")):
        table = base.table.copy()
        table.loc[1, column] = value
        changed.append(replace(base, table=table))
    digests = {windows.digest() for windows in (base, *changed)}
    assert len(digests) == 6 and build([recording(noise(60))]).digest() == base.digest()


def test_dense_windows_lie_between_neighbours_and_their_labels_too():
    first = np.linspace(60, 90, 16)
    first[7] = np.nan
    windows = build(
        [recording(noise(40), hr=first, person="1"), recording(noise(40), hr=first + 50, person="2")]
    )
    rows = np.delete(np.arange(len(windows.table)), 3)  # the fourth window is in another part
    start, hr = (values.reshape(len(rows), OFFSETS) for values in dense(windows, rows))
    table = windows.table.iloc[rows]
    np.testing.assert_array_equal(start[:, 0], table.start)
    np.testing.assert_array_equal(hr[:, 0], table.hr)
    for i, (here, there) in enumerate(zip(rows, [*rows[1:], None])):
        alone = there is None or table.person.iloc[i] != windows.table.person[there]
        step = 0 if alone else windows.table.start[there] - windows.table.start[here]
        rise = 0 if alone else windows.table.hr[there] - windows.table.hr[here]
        assert step in (0, 50, 100)  # 100 over the missing label, and over the window that was left out
        np.testing.assert_array_equal(start[i], table.start.iloc[i] + step // OFFSETS * np.arange(OFFSETS))
        np.testing.assert_allclose(hr[i], table.hr.iloc[i] + rise * np.arange(OFFSETS) / OFFSETS)
    last = start[table.person == "1"].max()
    assert last + LENGTH <= windows.recordings.samples.iloc[0]
