"""Downloads, against a local server that truncates, corrupts, stalls and refuses."""

import contextlib
import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from ppglib.files import InputError
from ppglib.recordings import SIMULATED, sources
from ppglib.recordings import fetch as module
from ppglib.recordings.fetch import RECORD, fetch

CONTENT = {
    name: os.urandom(3000)
    for name in ("Subject_1.mat", "Subject_2.mat", "Training_data/a.mat", "all.zip", "set.mat")
}


PACKED = gzip.compress(bytes(3 * 10**7), 1)


class Handler(BaseHTTPRequestHandler):
    """Sends CONTENT[path], spoilt as the server's `plan` says: one word a request, the last one stays."""

    def do_GET(self):
        name = self.path.lstrip("/")
        plan = self.server.plan.get(name, ["whole"])
        fault = plan.pop(0) if len(plan) > 1 else plan[0]
        self.server.requests.append((name, fault))
        content = CONTENT[name]
        if fault == "refuse":
            return self.send_error(503)
        if fault.startswith("to "):
            self.send_response(302)
            self.send_header("Location", fault.split()[1])
            for word in fault.split()[2:]:
                self.send_header("X-Linked-ETag", f'"{word}"')
            return self.end_headers()
        if fault == "slow headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            return self.drop_by_drop(b"x" * 3000)
        if fault == "endless":
            content = content * 2000
        if fault == "packed":
            content = PACKED
        if fault == "corrupt":
            content = content[:-1] + bytes([content[-1] ^ 1])
        if fault == "other":
            content = content[::-1]
        sent = content[:1000] if fault in ("truncate", "short", "stall") else content
        self.send_response(200)
        self.send_header("Content-Length", str(len(sent if fault == "short" else content)))
        if fault == "packed":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if fault == "slow":
            return self.drop_by_drop(content)
        with contextlib.suppress(OSError):  # the other side had enough
            self.wfile.write(sent)
        self.wfile.flush()
        if fault == "stall":
            self.server.released.wait(20)

    def drop_by_drop(self, content):
        for byte in content:
            if self.server.released.wait(0.05):
                return
            with contextlib.suppress(OSError):
                self.wfile.write(bytes([byte]))

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A local server, and the lists in data/ replaced by lists of its files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.plan, server.requests, server.released = {}, [], threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()  # looks whether to end each 20 ms
    url = f"http://127.0.0.1:{server.server_port}"
    lists = tmp_path / "lists"
    lists.mkdir()

    def row(dataset, name, algorithm="sha256", size=3000):
        digest = hashlib.new(algorithm, CONTENT[name]).hexdigest() if algorithm else ""
        return {
            "dataset": dataset,
            "file": name,
            "bytes": size,
            "algorithm": algorithm,
            "hash": digest,
            "url": f"{url}/{name}",
            "licence": "CC BY 4.0",
        }

    opened = [
        row("bami1", "Subject_1.mat"),
        row("bami1", "Subject_2.mat"),
        row("spc2015", "Training_data/a.mat"),
    ]
    columns = {"dataset": 0, "file": 0, "bytes": 0, "hash": "sha256", "url": 0}  # as in data/sources.csv
    opened = [{new or old: line[old] for old, new in columns.items()} for line in opened]
    # wildppg: no hash published, and a size that is rounded
    paper = [row("galaxyppg", "all.zip", "md5"), row("wildppg", "set.mat", "", 3010)]
    more = [row("spc2015_test", "Training_data/a.mat")]
    more = [{new or old: line[old] for old, new in columns.items()} for line in more]
    for name, lines in (("open", opened), ("more", more), ("paper", paper)):
        pd.DataFrame(lines).to_csv(lists / f"{name}.csv", index=False)
    monkeypatch.setattr(sources, "LISTS", {"open": lists / "open.csv", "open_all": lists / "more.csv", "paper": lists / "paper.csv"})
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # between the two tries
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def files(root):
    return (
        {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} if root.exists() else set()
    )


OPEN = {"bami1/Subject_1.mat", "bami1/Subject_2.mat", "spc2015/Training_data/a.mat"}


def test_all_files_arrive_and_stay(server, tmp_path, capsys):
    root = tmp_path / "data"
    fetch("open", root)
    assert files(root) == OPEN
    assert all((root / name).read_bytes() == CONTENT[name.split("/", 1)[1]] for name in OPEN)
    lines = capsys.readouterr().err.splitlines()
    assert "[2/3] bami1/Subject_2.mat 0.0 MB" in lines and any("licence: free for" in line for line in lines)
    server.requests.clear()
    fetch("open", root)
    assert not server.requests and "All 3 files are there." in capsys.readouterr().err


def test_only_one_set_and_only_what_is_missing_or_damaged(server, tmp_path):
    root = tmp_path / "data"
    fetch("open", root, only="bami1")
    assert files(root) == {"bami1/Subject_1.mat", "bami1/Subject_2.mat"}
    (root / "bami1/Subject_2.mat").write_bytes(CONTENT["Subject_2.mat"][:-1])
    server.requests.clear()
    fetch("open", root)
    assert [name for name, _ in server.requests] == ["Subject_2.mat", "Training_data/a.mat"]
    assert (root / "bami1/Subject_2.mat").read_bytes() == CONTENT["Subject_2.mat"]


def test_more_people_are_a_group_that_holds_the_first(server, tmp_path):
    fetch("open", tmp_path / "data")
    fetch("open_all", tmp_path / "data")
    assert files(tmp_path / "data") == OPEN | {"spc2015_test/Training_data/a.mat"}


FAULTS = ["truncate", "short", "corrupt", "stall", "refuse"]


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_tried_again(fault, server, tmp_path):
    server.plan = {
        "Subject_2.mat": [fault, "whole"],
        "set.mat": ["whole" if fault == "corrupt" else fault, "whole"],
    }
    fetch("open", tmp_path / "data", only="bami1")
    fetch("paper", tmp_path / "data", only="wildppg")
    assert (tmp_path / "data/bami1/Subject_2.mat").read_bytes() == CONTENT["Subject_2.mat"]
    assert (tmp_path / "data/wildppg/set.mat").read_bytes() == CONTENT["set.mat"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("group, name", [("open", "bami1/Subject_2.mat"), ("paper", "galaxyppg/all.zip")])
def test_two_faults_are_one_clear_error_and_leave_what_was_whole(group, name, fault, server, tmp_path):
    server.plan = {name.split("/")[1]: [fault]}
    root = tmp_path / "data"
    with pytest.raises(InputError, match=f"Could not fetch {name} from http://127") as error:
        fetch(group, root)
    assert len([1 for file, _ in server.requests if file == name.split("/")[1]]) == 2
    assert "\n" not in str(error.value)
    assert files(root) == ({"bami1/Subject_1.mat"} if group == "open" else set())
    assert not list(root.glob(".partial*"))
    if fault == "corrupt":
        algorithm = "sha256" if group == "open" else "md5"
        good = CONTENT[name.split("/")[1]]
        bad = good[:-1] + bytes([good[-1] ^ 1])
        assert hashlib.new(algorithm, good).hexdigest() in str(error.value)
        assert hashlib.new(algorithm, bad).hexdigest() in str(error.value)
    if fault == "short":
        assert "1000 of 3000 bytes" in str(error.value)
    server.plan = {}
    fetch(group, root)  # and goes on where it stopped


def test_a_first_download_is_recorded_and_later_ones_must_match(server, tmp_path, capsys):
    root = tmp_path / "data"
    fetch("paper", root, only="wildppg")
    path, digest = root / "wildppg/set.mat", hashlib.sha256(CONTENT["set.mat"]).hexdigest()
    assert (root / f"wildppg/set.mat{RECORD}").read_text() == digest
    assert "No hash of set.mat is published" in capsys.readouterr().err
    path.write_bytes(CONTENT["set.mat"][:-5])
    fetch("paper", root, only="wildppg")
    assert path.read_bytes() == CONTENT["set.mat"]
    path.unlink()
    server.plan = {"set.mat": ["other"]}
    with pytest.raises(InputError, match=digest):
        fetch("paper", root, only="wildppg")
    assert not path.exists()


def test_a_file_that_the_user_put_there_is_recorded_unless_it_is_short(server, tmp_path):
    path = tmp_path / "wildppg/set.mat"
    path.parent.mkdir()
    path.write_bytes(CONTENT["set.mat"][:2000])
    fetch("paper", tmp_path, only="wildppg")
    assert len(server.requests) == 1 and path.read_bytes() == CONTENT["set.mat"]
    record = path.with_name(f"set.mat{RECORD}")
    record.unlink()
    fetch("paper", tmp_path, only="wildppg")
    assert len(server.requests) == 1 and record.is_file()


def test_large_downloads_wait_for_a_yes(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "ASK_ABOVE", 100)
    root = tmp_path / "data"
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(InputError, match="add --yes"):
        fetch("paper", root)
    shown = capsys.readouterr().err
    assert "galaxyppg: 1 files, 0.0 MB, licence: CC BY 4.0" in shown and "wildppg" in shown
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer in ("", "n", "no"):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        with pytest.raises(InputError, match="Nothing was downloaded"):
            fetch("paper", root)
    assert not server.requests and not root.exists()
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    fetch("paper", root, only="galaxyppg")
    fetch("paper", root, yes=True)
    assert files(root) == {"galaxyppg/all.zip", "wildppg/set.mat", f"wildppg/set.mat{RECORD}"}


def test_a_terminal_gets_a_bar_below_each_line(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fetch("open", tmp_path / "data", only="bami1")
    shown = capsys.readouterr().err
    assert "[1/2] bami1/Subject_1.mat" in shown and "3.00k" in shown


def test_refusals_before_anything_is_asked_of_the_server(server, tmp_path, monkeypatch):
    root = tmp_path / "data"
    for arguments, message in (
        (("closed", root), "choose from open, open_all, paper"),
        (("open", root, "x"), "bami1, spc2015"),
    ):
        with pytest.raises(InputError, match=message):
            fetch(*arguments)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="Cannot write"):
        fetch("open", tmp_path / "file")
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated" / SIMULATED).write_text("x")
    with pytest.raises(InputError, match="holds simulated recordings"):
        fetch("open", tmp_path / "simulated")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(InputError, match="0.0 MB free"):
        fetch("open", root)
    assert not server.requests and not root.exists()


def test_a_server_that_is_not_there(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="Could not fetch bami1/Subject_1.mat"):
        fetch("open", tmp_path / "data")


def test_a_killed_download_leaves_no_half_file_and_goes_on(server, tmp_path):
    server.plan = {"Subject_2.mat": ["stall", "whole"]}
    root = tmp_path / "data"
    code = (
        "import sys; from pathlib import Path; from ppglib.recordings import sources; from ppglib.recordings.fetch import fetch;"
        "sources.LISTS = {'open': Path(sys.argv[1])}; fetch('open', sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(sources.LISTS["open"]), str(root)])
    for _ in range(1200):  # a busy machine takes long to begin
        if ("Subject_2.mat", "stall") in server.requests:
            break
        threading.Event().wait(0.1)
    threading.Event().wait(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {name for name in files(root) if not name.startswith(".")} == {"bami1/Subject_1.mat"}
    server.requests.clear()
    fetch("open", root)
    assert files(root) == OPEN
    assert [name for name, _ in server.requests] == ["Subject_2.mat", "Training_data/a.mat"]


@pytest.mark.parametrize("fault", ["slow", "slow headers"])
def test_a_server_that_is_slower_than_a_least_rate_is_left(fault, server, tmp_path, monkeypatch):
    """A byte every 20th of a second: within no timeout, and for ever."""
    monkeypatch.setattr(module, "MINUTE", 0.6)
    server.plan = {"Subject_2.mat": [fault]}
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"Subject_2.mat .* the server sent \d+ bytes in 0.6 s"):
        fetch("open", tmp_path / "data", only="bami1")
    assert time.monotonic() - begun < 30 and files(tmp_path / "data") == {"bami1/Subject_1.mat"}


@pytest.mark.parametrize("fault", ["endless", "packed"])
@pytest.mark.parametrize(("group", "only"), [("open", "bami1"), ("paper", "wildppg")])
def test_no_more_is_taken_than_is_published(fault, group, only, server, tmp_path):
    server.plan = dict.fromkeys(("Subject_1.mat", "set.mat"), [fault])
    with pytest.raises(InputError, match="more than the 30.0 bytes" if fault == "endless" else "sent it packed"):
        fetch(group, tmp_path / "data", only=only)
    assert not files(tmp_path / "data")


def elsewhere(server, name):
    return f"to http://localhost:{server.server_port}/{name}"


def test_another_host_only_where_a_hash_protects(server, tmp_path):
    digest = hashlib.sha256(CONTENT["set.mat"]).hexdigest()
    server.plan = {"Subject_1.mat": [elsewhere(server, "set.mat")]}
    with pytest.raises(InputError, match="expected .* found|does not match"):  # it is another file
        fetch("open", tmp_path / "a", only="bami1")
    server.plan["Subject_1.mat"] = [elsewhere(server, "Subject_1.mat"), "whole"]
    fetch("open", tmp_path / "b", only="bami1")
    assert (tmp_path / "b/bami1/Subject_1.mat").read_bytes() == CONTENT["Subject_1.mat"]
    with pytest.raises(InputError, match="sends on to localhost:.*, and no hash says what the file is"):
        server.plan["set.mat"] = [elsewhere(server, "set.mat")]
        fetch("paper", tmp_path / "c", only="wildppg")
    assert not files(tmp_path / "c")
    server.plan["set.mat"] = [f"to /set.mat {digest}", "whole"]  # the same host, and the same host says what it is
    fetch("paper", tmp_path / "d", only="wildppg")
    server.plan["set.mat"] = [f"{elsewhere(server, 'set.mat')} {digest}", "whole"]
    fetch("paper", tmp_path / "e", only="wildppg")
    assert all((tmp_path / x / "wildppg/set.mat").read_bytes() == CONTENT["set.mat"] for x in "de")
    server.plan["set.mat"] = [f"{elsewhere(server, 'set.mat')} {digest}", "other"] * 2
    with pytest.raises(InputError, match=f"expected SHA-256 {digest}, as the server says"):
        fetch("paper", tmp_path / "f", only="wildppg")
    server.plan["set.mat"] = ["to /set.mat"]
    with pytest.raises(InputError, match="sent on more than 5 times"):
        fetch("paper", tmp_path / "g", only="wildppg")
    server.plan["set.mat"] = ["to ftp://localhost/set.mat"]
    with pytest.raises(InputError, match="sends on to ftp://localhost, which is not safe"):
        fetch("paper", tmp_path / "h", only="wildppg")


def test_two_fetches_in_one_folder_do_not_disturb_each_other(server, tmp_path):
    server.plan = {"Subject_1.mat": ["stall", "whole"], "Subject_2.mat": ["whole"]}
    root, failed = tmp_path / "data", []

    def first():
        try:
            fetch("open", root)
        except InputError as error:
            failed.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    while not server.requests:
        time.sleep(0.01)
    fetch("open", root, only="spc2015")  # ends while the first one waits
    thread.join()
    assert not failed and files(root) == OPEN


def test_what_a_killed_fetch_left_goes_with_the_next_one(server, tmp_path):
    old = tmp_path / "data" / f"{module.PARTIAL}-old"
    old.mkdir(parents=True)
    (old / "half").write_bytes(b"x")
    fetch("open", tmp_path / "data")
    assert files(tmp_path / "data") == OPEN and not old.exists()
