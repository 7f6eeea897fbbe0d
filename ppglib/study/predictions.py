"""What every network of a study says of every test window, as one Parquet file a network: `sweep --predictions`."""

import logging
from pathlib import Path

from ppglib import files
from ppglib.fast import device
from ppglib.models.predict import describe
from ppglib.splits import split
from ppglib.study import grid, records
from ppglib.study.studies import Study
from ppglib.study.teachers import kept_path, load_network
from ppglib.task import WINDOW_SECONDS, decode
from ppglib.training import predict
from ppglib.windows import Windows

log = logging.getLogger(__name__)


def write(study: Study, windows: Windows, folder: Path) -> None:
    """Write predictions/RUN_ID.parquet of every finished network whose weights are kept, where it is not there yet.

    Columns: dataset, person, recording, activity, start, end (s), truth, argmax (BPM; its mean error is in people.csv),
    hr (median), low, high, p_within_5: as `ppglib.heart_rate`, but not calibrated, as nobody was left out for that."""
    digest, lacking = windows.digest(), 0
    finished = [run for run in grid.runs(study, windows) if records.path_of(folder, run.id(digest)).exists()]
    for run in finished:
        path, weights = folder / "predictions" / f"{run.id(digest)}.parquet", kept_path(run, digest, folder)
        if not (path.exists() or weights.exists()):
            lacking += 1
            continue
        with files.locked(folder / "locks" / f"{path.name}.lock"):
            if path.exists():
                continue
            rows = split(windows, run.fold, run.split)[1]
            said = predict(load_network(run.network, weights).to(device()), windows, rows)
            columns = ["dataset", "person", "recording", "activity", "second", "hr"]
            table = windows.table.iloc[rows][columns].reset_index(drop=True)
            table = table.rename(columns={"second": "start", "hr": "truth"})
            table.insert(5, "end", table.start + WINDOW_SECONDS)
            files.write_parquet(path, table.assign(argmax=decode(said), **describe(said)), alone=True)
    if lacking:
        log.info("%d of %d finished networks have not kept their weights: no predictions.", lacking, len(finished))
