"""`python -m ppglib predict` on CSV and Parquet files, folders, and files that are none."""

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from test_predict import pulse

from ppglib.__main__ import main


@pytest.fixture
def walk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"time": 100 + np.arange(1500) / 50, "ppg": pulse(50, seconds=30)})
    table.to_csv("walk.csv", index=False)
    return table


def predict(*arguments):
    return main(["predict", *map(str, arguments), "--model", "tiny"])


def test_a_csv_and_the_same_as_parquet(walk, tmp_path, capsys):
    assert predict("walk.csv", "--track", "smooth", "--plot") == 0
    found = pd.read_csv("walk.heart_rate.csv")
    assert list(found) == ["start", "end", "hr", "low", "high", "p_within_5", "reason"] and len(found) == 12
    assert found.start[0] == 100 and (found.hr - 90).abs().max() < 10
    sure = f"within 5 BPM expected in {found.p_within_5.mean():.0%}"
    assert f"walk.csv: 12 windows, median {found.hr.median():.0f} BPM, {sure}.\n" in capsys.readouterr().out
    assert (tmp_path / "walk.heart_rate.png").read_bytes()[:4] == b"\x89PNG"
    walk.rename(columns={"ppg": "ppg1"}).assign(ppg2=walk.ppg, other="x").to_parquet("walk.parquet")
    assert predict("walk.parquet", "--track", "smooth", "--out", "again.csv") == 0
    pd.testing.assert_frame_equal(found, pd.read_csv("again.csv"))


def test_a_prediction_loads_only_what_it_needs_and_ends_at_once(walk):
    """Most of a short one is importing: PyTorch, pandas and a part of SciPy."""
    code = "import atexit, gc, sys\nfrom ppglib.__main__ import main\n"
    code += "atexit.register(lambda: print(gc.get_freeze_count() > 1000, *sys.modules))\nmain()"
    said = subprocess.run([sys.executable, "-c", code, "predict", "walk.csv"], capture_output=True, text=True, check=True).stdout
    ends, *loaded = said.splitlines()[-1].split()
    assert ends == "True" and {"torch", "scipy.signal", "ppglib.models.program"} <= set(loaded)
    others = "IPython papermill dask distributed matplotlib joblib sklearn neurokit2 sleepecg torch._dynamo"
    rooms = {f"ppglib.{name}" for name in ("study", "results", "bench", "simulate", "edge", "training")}
    assert not set(loaded) & {*others.split(), *rooms}


def test_dates_capitals_packed_files_and_spreadsheets(walk, tmp_path):
    assert predict("walk.csv") == 0
    expected = pd.read_csv("walk.heart_rate.csv")
    date = pd.Timestamp("2025-03-30T00:58") + pd.to_timedelta(walk.time, unit="s")
    rows = "".join(f"{t:.2f};{p!r};;\r\n".replace(".", ",") for t, p in zip(walk.time, walk.ppg.tolist()))
    epoch = walk.assign(time=1.7e9 + walk.time)
    files = {
        "ZONE.CSV": walk.assign(time=[f"{at.isoformat()}+09:00" for at in date]).to_csv(index=False).encode(),
        "plain.csv.gz": gzip.compress(walk.assign(time=date).to_csv(index=False).encode()),
        "sheet.csv": b"\xef\xbb\xbfTime;PPG;;\r\n" + rows.encode() + b";;;\r\n",
        "packets.csv": walk.assign(time=(walk.time // 0.2) * 0.2).to_csv(index=False).encode(),
        "epoch.csv": epoch.rename(columns=str.upper).to_csv(index=False).encode(),
    }
    folder = tmp_path / "all"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "._epoch.csv").write_bytes(b"\0")
    walk.assign(time=date.dt.tz_localize("UTC")).to_parquet(folder / "table.Parquet")
    assert predict(folder) == 0
    found = {name: own.reset_index() for name, own in pd.read_csv("all.heart_rate.csv").groupby("file")}
    assert set(found) == {*files, "table.Parquet"}
    for name, own in found.items():
        if name != "packets.csv":  # spread over their packets, which moves each by some milliseconds
            np.testing.assert_allclose(own.hr, expected.hr, rtol=1e-3, err_msg=name)
        assert (own.hr - expected.hr).abs().max() < 3 and len(own) == len(expected)
    starts = {name: own.start[1] for name, own in found.items()}
    assert starts["ZONE.CSV"] == "2025-03-29T15:59:42.000Z" and starts["plain.csv.gz"] == "2025-03-30T00:59:42.000"
    assert starts["table.Parquet"] == "2025-03-30T00:59:42.000Z" and starts["epoch.csv"] == "1700000102"
    assert starts["sheet.csv"] == "102"


@pytest.mark.parametrize(("unit", "many"), [("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)])
def test_columns_of_other_names_and_clocks_that_count_in_other_units(walk, capsys, unit, many):
    assert predict("walk.csv") == 0
    expected = pd.read_csv("walk.heart_rate.csv")
    stamp = ((1.7e9 + walk.time) * many).round().astype(np.int64)
    pd.DataFrame({"Stamp": stamp, "Green": walk.ppg, "ppg": 7}).to_csv("device.csv", index=False)
    assert predict("device.csv", "--time", "stamp", "--ppg", "green") == 0
    assert f"`time` is read as {unit} since 1970." in capsys.readouterr().out
    found = pd.read_csv("device.heart_rate.csv")
    np.testing.assert_allclose(found.start, 1.7e9 + expected.start, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.hr, expected.hr, rtol=1e-3)
    assert predict("device.csv", "--ppg", "red") == 2
    assert "has no column 'red': it has stamp, green, ppg." in capsys.readouterr().err


def test_what_is_no_signal_gives_no_heart_rate_and_is_said(walk, capsys):
    walk.loc[walk.time.between(110, 112), "ppg"] = 0
    walk.loc[walk.time > 120, "ppg"] += 1000  # the sensor took another gain
    walk.to_csv("walk.csv", index=False)
    assert predict("walk.csv") == 0
    found, said = pd.read_csv("walk.heart_rate.csv"), capsys.readouterr().out
    zeros = (found.end > 110) & (found.start <= 112)
    step = (found.end > 119.9) & (found.start <= 120.1)  # 0.15 s on either side
    assert (found.reason == "gap").equals(zeros | step) and found.reason.isna().sum() == (~(zeros | step)).sum() > 0
    assert "2.0 s left out (one value)" in said and "left out (steps)" in said


def test_holes_are_counted_and_files_without_time_take_a_rate(walk, capsys):
    walk.loc[700:719, "ppg"] = np.nan
    walk[["ppg"]].astype("Float64").to_csv("walk.csv", index=False)
    assert predict("walk.csv") == 2 and "name it with --time, or give the samples a second with --rate" in capsys.readouterr().err
    assert predict("walk.csv", "--rate", 50) == 0
    assert "33% without a value (4 x not finite)" in capsys.readouterr().out
    assert (pd.read_csv("walk.heart_rate.csv").reason == "not finite").sum() == 4


def test_of_several_channels_the_mean_is_taken_and_said_but_ppg_goes_before_them(walk, capsys):
    expected = walk.ppg.copy()
    walk.assign(ppg1=walk.ppg[::-1].to_numpy()).to_csv("walk.csv", index=False)
    assert predict("walk.csv") == 0 and "mean" not in capsys.readouterr().out
    before = pd.read_csv("walk.heart_rate.csv")
    walk.assign(ppg=expected).to_csv("walk.csv", index=False)
    assert predict("walk.csv", "--rate", 20) == 0 and "--rate is not used, for the file has times." in capsys.readouterr().out
    pd.testing.assert_frame_equal(before, pd.read_csv("walk.heart_rate.csv"))
    walk.rename(columns={"ppg": "ppg1"}).assign(ppg2=walk.ppg).to_csv("walk.csv", index=False)
    assert predict("walk.csv") == 0 and "The mean of ppg1, ppg2 (--ppg names one)." in capsys.readouterr().out


def test_no_recording_is_written_over(walk, tmp_path, capsys):
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        walk.to_csv(folder / name, index=False)
    (folder / "a.hr.csv").write_text("time,hr\n0,60\n")
    for path, name in ((folder, "b.csv"), (folder / "a.csv", "a.csv"), (folder / "a.csv", "b.csv"), (folder, "a.hr.csv")):
        before = (out := folder / name).read_bytes()
        assert predict(path, "--out", out) == 2 and "no heart rates of an earlier call" in capsys.readouterr().err
        assert out.read_bytes() == before
    for out in ("x.parquet", "x.csv.gz", "x.png", folder):
        assert predict("walk.csv", "--out", out) == 2 and "let its name end in .csv" in capsys.readouterr().err


@pytest.mark.parametrize("rate", [0, -25, "nan", "inf"])
def test_a_rate_that_is_none_is_said(walk, capsys, rate):
    walk[["ppg"]].to_csv("walk.csv", index=False)
    assert predict("walk.csv", f"--rate={rate}") == 2 and "no number of samples a second" in capsys.readouterr().err


def test_a_folder_is_one_table_and_can_be_done_again(walk, tmp_path):
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("a", "b"):
        walk.to_csv(folder / f"{name}.ppg.csv", index=False)
    (folder / "a.hr.csv").write_text("time,hr\n0,60\n")
    (folder / "notes.txt").write_text("no table")
    for _ in range(2):
        assert predict(folder, "--out", folder / "found.csv", "--plot") == 0
    assert pd.read_csv(folder / "found.csv").file.value_counts().to_dict() == {"a.ppg.csv": 12, "b.ppg.csv": 12}
    assert (folder / "found.b.ppg.csv.png").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"\x00\xff\xfe\x89PNG", "walk.csv"),
        (b"time,red\n0,1\n", "has no column 'ppg'"),
        (b"time,ppg\n0,1\n1,dark\n", "'ppg' holds text 'dark' in row 3"),
        (b"time,ppg\nsoon,1\n", "'time' holds text 'soon' in row 2, expected seconds or dates"),
        (b"time;ppg\n0;1\n", "holds 1 rows, too few"),
        (b"time,ppg\n0,1\n1,2\n2,3\n", "1 samples a second"),
        (b"time,ppg\n0,1\n90,2\n180,3\n", "`time` must be in seconds"),
        (b"time,ppg\n0,1\n20,2\n40,3\n", "must be in seconds, not in milliseconds, which would make it 50."),
        (b"time,ppg\n0.00,1\n0.04,2\n0.02,3\n0.06,3\n0.1,5\n", "does not at row 4"),
        (b"time,ppg\n" + b"".join(b"%.2f,7\n" % (i / 25) for i in range(500)), "holds no signal (one value)"),
        (b"time,ppg\n", "has no rows"),
    ],
)
def test_odd_files_are_refused_in_a_sentence_and_nothing_is_written(walk, tmp_path, capsys, content, message):
    (tmp_path / "walk.csv").write_bytes(content)
    assert predict("walk.csv") == 2 and message in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert not (tmp_path / "walk.heart_rate.csv").exists()


def test_no_file_a_damaged_parquet_and_no_model(walk, tmp_path, capsys):
    assert predict("nowhere.csv") == 2 and "There is no file nowhere.csv" in capsys.readouterr().err
    walk.to_parquet("cut.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:-50])
    assert predict("cut.parquet") == 2 and "is damaged or no such table" in capsys.readouterr().err
    assert main(["predict", "walk.csv", "--model", "huge"]) == 2 and "no model 'huge'" in capsys.readouterr().err
