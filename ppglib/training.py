"""Train one network, from scratch or by a teacher, and predict with it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ppglib.beyond import OFFSETS, dense
from ppglib.fast import Adam, autocast, device
from ppglib.files import InputError
from ppglib.gpu import gatherer, number_of, own_dropout, own_random, own_stream, recorded
from ppglib.resnet1d import ResNet1D
from ppglib.strategies import STRATEGIES, TRAINING, Batch, Constants, check
from ppglib.task import to_bin
from ppglib.windows import Windows, gather

EVALUATION_BATCH = {"cpu": 512, "cuda": 2048}


def train(
    network: ResNet1D,
    windows: Windows,
    rows: np.ndarray,
    strategy: str = "scratch",
    teacher: ResNet1D | dict[str, np.ndarray] | None = None,
    *,
    seed: int | Sequence[int] = 0,
    progress: Callable[[float], None] | None = None,
    **constants,
) -> ResNet1D:
    """Train `network` in place on the windows at `rows`, and return it: the weights of the last epoch.

    rows: (n,) row numbers of `windows.table`, as `split` gives them. strategy: a name in STRATEGIES. teacher: a trained
    network, or what `teach` made of one. seed: of the order of windows; weights and dropout follow torch's own, so call
    `torch.manual_seed` before the network is made. progress: called with the mean loss (nats) of each epoch; by default
    a bar in a terminal. constants: those of `Constants` that training or the strategy depends on, such as epochs, rate
    or alpha. On the GPU if there is one.
    Raises InputError for an unknown strategy or constant, too few windows, a missing teacher, a loss that diverges."""
    c, where = constants_of(strategy, constants), device()
    rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    if teacher is not None and not STRATEGIES[strategy].teacher:
        raise InputError(f"{strategy} takes no teacher: name a strategy that does, or leave it out.")
    if len(rows) < c.batch:
        few = f"There are {len(rows)} training windows, fewer than one batch of {c.batch}"
        raise InputError(f"{few}: add recordings or choose a smaller batch.")
    network.to(where)
    start, hr, offsets = samples(windows, rows, strategy)
    said = teach(teacher, windows, rows, strategy) if isinstance(teacher, nn.Module) else teacher or {}
    with own_random(where, seed):
        loss, extra = make_loss(network, strategy, c, hr, said)
    steps = len(rows) // c.batch  # the last, incomplete batch is left out; the order changes each epoch
    epochs = epochs_of(strategy, c)
    order, draws = (np.random.default_rng([*np.atleast_1d(seed), *more]) for more in ([], [1]))
    quiet = progress is not None or not sys.stderr.isatty()
    random = torch.Generator(where).manual_seed(number_of(seed)) if where.type == "cuda" else None
    with own_stream(where), own_dropout(network, random):
        optimizer, rates = make_optimizer(c, [*network.parameters(), *extra], epochs * steps)

        def step(x: Tensor, chosen: Tensor, ramp) -> Tensor:
            if c.dense_noise:
                x = x + c.dense_noise * torch.randn(x.shape, generator=random, device=where)
            with autocast(c.precision, where):
                value = loss(x, chosen, ramp)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            return value.detach()

        run = LOOPS[where.type](step, network, windows.signal, start, optimizer, rates, random)
        for epoch in tqdm(range(1, epochs + 1), strategy, unit="epoch", disable=quiet, leave=False):
            network.train()
            chosen = order.permutation(len(rows))[: steps * c.batch].reshape(steps, c.batch)
            if offsets > 1:
                chosen = chosen * offsets + draws.integers(offsets, size=chosen.shape)
            mean = run(chosen, ramp_of(strategy, c, epoch)) / steps
            if progress is not None:
                progress(mean)
            if not np.isfinite(mean):
                what = f"Training {strategy} with {len(network.blocks)} blocks diverged in epoch {epoch}"
                raise InputError(f"{what} (loss {mean}): choose a lower rate than {c.rate}.")
    return network.eval()


def plain(step: Callable, network, signal, start, optimizer, rates: list[float], random) -> Callable:
    """An epoch as a function (order, ramp) -> sum of losses: one step after the other.

    step: (windows (N, 1, 200), positions (N,) in `start`, ramp) -> loss. order: (steps, N) such positions.
    rates: of all steps of all epochs."""
    where, rates = next(network.parameters()).device, iter(rates)

    def epoch(order: np.ndarray, ramp: float) -> float:
        total = torch.zeros((), device=where)
        for chosen, rate in zip(order, rates):
            optimizer.param_groups[0]["lr"] = rate
            x = torch.from_numpy(gather(signal, start[chosen]))[:, None].to(where)
            total += step(x, torch.from_numpy(chosen).to(where), ramp)
        return float(total)

    return epoch


LOOPS = {"cpu": plain, "cuda": recorded}


def constants_of(strategy: str, given: dict) -> Constants:
    """The constants of a training; InputError for an unknown strategy or one that it does not depend on."""
    if strategy not in STRATEGIES:
        raise InputError(f"There is no strategy {strategy!r}: choose from {', '.join(STRATEGIES)}.")
    known = (*TRAINING, *STRATEGIES[strategy].constants)
    for name in given:
        if name not in known:
            raise InputError(f"{strategy} has no constant {name!r}: it depends on {', '.join(known)}.")
    for f in fields(Constants):
        kinds = (int, float) if f.type is float else f.type
        if f.name in given and (not isinstance(given[f.name], kinds) or isinstance(given[f.name], bool)):
            raise InputError(f"{f.name} must be of type {f.type.__name__}, not {given[f.name]!r}.")
    constants = Constants(**given)
    check(constants)
    return constants


def samples(windows: Windows, rows: np.ndarray, strategy: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Starts and HR (BPM) of what training draws from, and how many such samples belong to one row."""
    if STRATEGIES[strategy].dense:
        return *dense(windows, rows), OFFSETS
    table = windows.table.iloc[rows]
    return table.start.to_numpy(), table.hr.to_numpy(), 1


def make_loss(network, strategy: str, c: Constants, hr: np.ndarray, said: dict) -> tuple[Callable, list]:
    """The strategy's total as a function (x, positions in `hr`, ramp) -> loss, and its extra parameters.

    hr: (n,) BPM of every sample. said: what the teacher predicts, arrays of n rows. ramp: see `ramp_of`."""
    row, where = STRATEGIES[strategy], next(network.parameters()).device
    if missing := {"": set(), "map": {"logits", "map"}}.get(row.teacher, {"logits"}) - set(said):
        raise InputError(f"{strategy} needs a teacher's {' and '.join(sorted(missing))}: give it a teacher.")
    for name, values in said.items():
        if len(values) != len(hr):
            found = f"The teacher's {name} have {len(values)} rows for {len(hr)} samples"
            raise InputError(f"{found}: make them with `teach`, for the same rows and strategy.")
    truth = torch.from_numpy(to_bin(hr)).to(where), torch.from_numpy(hr.astype(np.float32)).to(where)
    said = {name: torch.as_tensor(values).to(where) for name, values in said.items()}
    regressor = None
    if row.teacher == "map":
        regressor = nn.Conv2d(network.head.in_features, said["map"].shape[1], 1).to(where)

    def of_teacher(name: str, chosen: Tensor) -> Tensor | None:
        return said[name][chosen].float() if name in said else None

    def loss(x: Tensor, chosen: Tensor, ramp) -> Tensor:
        feature_map = network.feature_map(x)
        outputs = network.classify(feature_map), feature_map
        known = (values[chosen] for values in truth)
        taught = of_teacher("logits", chosen), of_teacher("map", chosen)
        return row.loss(Batch(*outputs, *known, *taught, regressor, ramp), c)

    return loss, [] if regressor is None else list(regressor.parameters())


def ramp_of(strategy: str, c: Constants, epoch: int) -> float:
    """How much of its distillation a strategy with a `warm_up` is given in an epoch: linear, then 1."""
    warms_up = "warm_up" in STRATEGIES[strategy].constants and c.warm_up > 0
    return min(1.0, epoch / (c.warm_up * c.epochs)) if warms_up else 1.0


def epochs_of(strategy: str, c: Constants) -> int:
    """Epochs of a training; a dense strategy has `dense_times` as many."""
    return c.epochs * (c.dense_times if STRATEGIES[strategy].dense else 1)


def make_optimizer(c: Constants, parameters: list, steps: int) -> tuple[Adam, list[float]]:
    """Adam, and its rate at each step: constant, or in one cycle up to `rate` and down again (Smith 2018)."""
    optimizer = Adam(parameters, lr=c.rate, fused=True, capturable=parameters[0].is_cuda)
    return optimizer, [c.rate] * steps if c.schedule == "constant" else one_cycle(c.rate, steps)


@lru_cache
def one_cycle(rate: float, steps: int) -> list[float]:
    """The rate of every step, from PyTorch's own schedule of an optimizer that has nothing to do."""
    idle = Adam([torch.zeros(1)], lr=rate)
    cycle, rates = torch.optim.lr_scheduler.OneCycleLR(idle, rate, total_steps=steps, cycle_momentum=False), []
    for _ in range(steps):
        rates.append(idle.param_groups[0]["lr"])
        idle.step()
        cycle.step()
    return rates


def teach(network: ResNet1D, windows: Windows, rows: np.ndarray, strategy: str) -> dict[str, np.ndarray]:
    """What a teacher predicts for a strategy's samples: "logits" (n, 180), and "map" (n, C, 1, L) if asked.

    InputError for a strategy that asks for more than one teacher."""
    asked = STRATEGIES[strategy].teacher
    if asked == "out of fold":
        raise InputError(f"{strategy} needs several teachers, one for each part: run it as a study.")
    starts = samples(windows, rows, strategy)[0]
    found = zip(("logits", "map"), outputs(network, windows.signal, starts, maps=asked == "map"))
    return {name: values for name, values in found if values is not None}


def predict(network: ResNet1D, windows: Windows, rows: np.ndarray) -> np.ndarray:
    """(n, 180) float64 probabilities of the bins, for the windows at `rows`."""
    if not len(starts := windows.table.start.to_numpy()[rows]):
        raise InputError("There are no windows to predict: the rows are empty.")
    logits, _ = outputs(network, windows.signal, starts)
    return torch.softmax(torch.from_numpy(logits).double(), 1).numpy()


@torch.no_grad()
def outputs(network: ResNet1D, signal: np.ndarray, starts: np.ndarray, maps: bool = False):
    """Logits (N, 180) float32 and, if asked for, feature maps (N, C, 1, L), in eval mode and float32."""
    network.eval()
    where, logits, feature_maps = next(network.parameters()).device, [], []
    here = lambda chosen: torch.from_numpy(gather(signal, starts[chosen.numpy()]))[:, None]  # noqa: E731
    read = gatherer(signal, starts, where) if where.type == "cuda" else here
    for chosen in torch.arange(len(starts), device=where).split(EVALUATION_BATCH[where.type]):
        feature_map = network.feature_map(read(chosen))
        logits.append(network.classify(feature_map).cpu().numpy())
        if maps:
            feature_maps.append(feature_map.cpu().numpy())
    return np.concatenate(logits), np.concatenate(feature_maps) if maps else None
