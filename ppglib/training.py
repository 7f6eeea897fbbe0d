"""Train one network, from scratch or by a teacher, and predict with it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from functools import lru_cache
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from ppglib.beyond import OFFSETS, dense
from ppglib.fast import Adam, autocast, device
from ppglib.files import InputError
from ppglib.gpu import Together, gatherer, number_of, own_dropout, own_random, own_stream, recorded
from ppglib.resnet1d import Design, ResNet1D
from ppglib.strategies import STRATEGIES, TRAINING, Batch, Constants, check
from ppglib.task import to_bin
from ppglib.windows import Windows, gather

EVALUATION_BATCH = {"cpu": 512, "cuda": 2048}


class Diverged(InputError):
    """The loss of a network became infinite or no number."""


@dataclass
class Member:
    """A network to be trained beside others of its design, on rows and by a strategy, teacher and order of its own.

    said: what the teacher predicts for the rows, see `teach`. rows, seed, progress: as of `train`."""

    network: ResNet1D
    rows: np.ndarray
    strategy: str
    constants: Constants
    said: dict[str, np.ndarray] = field(default_factory=dict)
    seed: int | Sequence[int] = 0
    progress: Callable[[float], None] = lambda mean: None

    @property
    def kind(self) -> tuple:
        """What members have in common whose losses are computed as one."""
        return self.strategy, astuple(self.constants), sorted((k, np.shape(v)[1:]) for k, v in self.said.items())


def shared(design: Design, rows: np.ndarray, strategy: str, c: Constants) -> tuple:
    """What all networks that are trained as one have in common, beside dropout: design, length and recipe."""
    given = (getattr(c, name) for name in (*TRAINING, "dense_noise"))
    return design, len(rows) // c.batch, STRATEGIES[strategy].dense, epochs_of(strategy, c), *given


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
    c = constants_of(strategy, constants)
    rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    if teacher is not None and not STRATEGIES[strategy].teacher:
        raise InputError(f"{strategy} takes no teacher: name a strategy that does, or leave it out.")
    said = teach(teacher, windows, rows, strategy) if isinstance(teacher, nn.Module) else teacher or {}
    quiet = progress is not None or not sys.stderr.isatty()
    with tqdm(total=epochs_of(strategy, c), desc=strategy, unit="epoch", disable=quiet, leave=False) as bar:
        member = Member(network, rows, strategy, c, said, seed, progress or (lambda mean: bar.update()))
        train_together([member], windows)
    return network


def train_together(members: Sequence[Member], windows: Windows) -> None:
    """Train networks of one design as one, for as many steps and epochs; each as if it were alone.

    They share the constants that every strategy depends on. Dropout is drawn for all at once; on a CPU regressors of
    feature maps too, one after the other. Raises as `train`; ValueError for members that cannot be trained as one."""
    members, where = sorted(members, key=lambda member: member.kind), device()
    strategy, c = members[0].strategy, members[0].constants
    for member in members:
        if len(member.rows) < c.batch:
            few = f"There are {len(member.rows)} training windows, fewer than one batch of {c.batch}"
            raise InputError(f"{few}: add recordings or choose a smaller batch.")
    alone = len(members) == 1
    common = lambda m: (m.network.dropout, *shared(m.network.design, m.rows, m.strategy, m.constants))  # noqa: E731
    if not alone and len(several := {*map(common, members)}) > 1:
        raise ValueError(f"These cannot be trained as one: {', '.join(sorted(map(str, several)))}")
    networks = [member.network.to(where) for member in members]
    start, hr, (offsets, *_) = zip(*(samples(windows, member.rows, strategy) for member in members))
    loss, extra = make_loss(members, hr)
    steps = len(members[0].rows) // c.batch  # the last, incomplete batch is left out; the order changes each epoch
    epochs, orders = epochs_of(strategy, c), orders_of(members, (steps, c.batch), offsets)
    random = torch.Generator(where).manual_seed(number_of(members[0].seed)) if where.type == "cuda" else None
    whole = networks[0] if alone else Together(networks)
    with own_stream(where), own_dropout(whole, random):
        optimizer, rates = make_optimizer(c, [*whole.parameters(), *extra], epochs * steps)

        def step(x: Tensor, chosen: Tensor, ramps) -> Tensor:
            if c.dense_noise:
                x = x + c.dense_noise * torch.randn(x.shape, generator=random, device=where)
            with autocast(c.precision, where):
                feature_map = whole.feature_map(x[0] if alone else x)
                given = whole.classify(feature_map), feature_map
                values = loss(*((each[None] for each in given) if alone else given), chosen, ramps)
            optimizer.zero_grad(set_to_none=True)
            values.sum().backward()
            optimizer.step()
            return values.detach()

        start = stacked([torch.tensor(each) for each in start]).numpy()
        run = LOOPS[where.type](step, whole, windows.signal, start, optimizer, rates, random)
        for epoch in range(1, epochs + 1):
            whole.train()
            ramps = [ramp_of(member.strategy, member.constants, epoch) for member in members]
            for member, total in zip(members, run(next(orders), ramps)):
                member.progress(total / steps)
                if not np.isfinite(total):
                    what = f"Training {member.strategy} with {len(networks[0].blocks)} blocks diverged in epoch {epoch}"
                    raise Diverged(f"{what} (loss {total / steps}): choose a lower rate than {c.rate}.")
    for i, network in enumerate(networks):
        if not alone:
            whole.part(i, network)
        network.eval()


def orders_of(members: Sequence[Member], size: tuple[int, int], offsets: int) -> Iterator[np.ndarray]:
    """For each epoch the positions (steps, G, N) of each member's samples, `offsets` of which belong to a row."""
    random = [[np.random.default_rng([*np.atleast_1d(m.seed), *more]) for more in ([], [1])] for m in members]
    while True:
        chosen = []
        for member, (order, draws) in zip(members, random):
            rows = order.permutation(len(member.rows))[: size[0] * size[1]].reshape(size)
            chosen.append(rows * offsets + draws.integers(offsets, size=size) if offsets > 1 else rows)
        yield np.stack(chosen, 1)


def plain(step: Callable, network, signal, start, optimizer, rates: list[float], random) -> Callable:
    """An epoch as a function (order, ramps) -> sums of losses of G networks: one step after the other.

    step: (windows (G, N, 1, 200), positions (G, N), ramps) -> losses (G,). start: (G, n) of each network's windows.
    order: (steps, G, N) positions in them. rates: of all steps of all epochs."""
    own = np.arange(len(start))[:, None]
    where, rates = next(network.parameters()).device, iter(rates)

    def epoch(order: np.ndarray, ramps: list[float]) -> list[float]:
        total = torch.zeros(len(ramps), device=where)
        for chosen, rate in zip(order, rates):
            optimizer.param_groups[0]["lr"] = rate
            x = torch.from_numpy(gather(signal, start[own, chosen].ravel()).reshape(*chosen.shape, 1, -1)).to(where)
            total += step(x, torch.from_numpy(chosen).to(where), ramps)
        return total.tolist()

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


def make_loss(members: Sequence[Member], hr: Sequence[np.ndarray]) -> tuple[Callable, list]:
    """The totals of G members, a function (logits, maps, positions in `hr`, ramps) -> (G,), and their extra parameters.

    hr: for each member (n,) BPM of its samples. Members of one kind are neighbours and computed as one. Ramps: see
    `ramp_of`."""
    parts, extra, numbers = [], [], range(len(members))
    for _, alike in groupby(numbers, key=lambda i: members[i].kind):
        alike = list(alike)
        own = slice(alike[0], alike[-1] + 1)
        part, more = alike_loss(members[own], hr[own])
        parts.append((own, part))
        extra += more

    def losses(*given) -> Tensor:
        return torch.cat([part(*(value[own] for value in given)) for own, part in parts])

    return losses, extra


def alike_loss(members: Sequence[Member], hr: Sequence[np.ndarray]) -> tuple[Callable, list]:
    """As `make_loss` for members with one `Member.kind`."""
    strategy, c, where = members[0].strategy, members[0].constants, next(members[0].network.parameters()).device
    row, count = STRATEGIES[strategy], len(members)
    if missing := {"": set(), "map": {"logits", "map"}}.get(row.teacher, {"logits"}) - set(members[0].said):
        raise InputError(f"{strategy} needs a teacher's {' and '.join(sorted(missing))}: give it a teacher.")
    for member, own_hr in zip(members, hr):
        for name, values in member.said.items():
            if len(values) != len(own_hr):
                found = f"The teacher's {name} have {len(values)} rows for {len(own_hr)} samples"
                raise InputError(f"{found}: make them with `teach`, for the same rows and strategy.")
    bins, bpm = [torch.from_numpy(to_bin(own)) for own in hr], [torch.from_numpy(own.astype(np.float32)) for own in hr]
    truth = stacked(bins).to(where), stacked(bpm).to(where)
    said = {name: stacked([torch.as_tensor(m.said[name]).to(where) for m in members]) for name in members[0].said}
    regressors = []
    for member in members if row.teacher == "map" else ():
        with own_random(where, member.seed):
            regressors.append(nn.Conv2d(member.network.head.in_features, said["map"].shape[2], 1).to(where))
    weights = [nn.Parameter(stacked(list(each))) for each in zip(*(r.parameters() for r in regressors))]
    own = torch.arange(count, device=where)[:, None]

    def one(taught, logits, feature_map, target, bpm, ramp, *weights) -> Tensor:
        regressor = (lambda maps: F.conv2d(maps, *weights)) if weights else None
        taught = taught.get("logits"), taught.get("map")
        return row.loss(Batch(logits, feature_map, target, bpm, *taught, regressor, ramp), c)

    def losses(logits, maps, chosen, ramps) -> Tensor:
        taught = {name: values[own, chosen].float() for name, values in said.items()}
        given = logits, maps, *(values[own, chosen] for values in truth)
        if count == 1:
            taught = {name: values[0] for name, values in taught.items()}
            return one(taught, *(value[0] for value in (*given, ramps, *weights)))[None]
        return torch.vmap(one)(taught, *given, torch.as_tensor(ramps, dtype=torch.float32, device=where), *weights)

    return losses, weights


def stacked(tensors: list[Tensor]) -> Tensor:
    """Tensors along a new first axis, the shorter ones filled up; one alone is not copied."""
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True) if len(tensors) > 1 else tensors[0][None]


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
    here = lambda chosen: torch.from_numpy(gather(signal, starts[chosen[0].numpy()]))[None, :, None]  # noqa: E731
    read = gatherer(signal, starts[None], where) if where.type == "cuda" else here
    for chosen in torch.arange(len(starts), device=where).split(EVALUATION_BATCH[where.type]):
        feature_map = network.feature_map(read(chosen[None])[0])
        logits.append(network.classify(feature_map).cpu().numpy())
        if maps:
            feature_maps.append(feature_map.cpu().numpy())
    return np.concatenate(logits), np.concatenate(feature_maps) if maps else None
