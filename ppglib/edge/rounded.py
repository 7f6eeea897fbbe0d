"""A network in PyTorch as int8 computes it: what the tools' int8 is compared with, and what is fine-tuned."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ppglib.edge.graph import INPUT, OUTPUT, Folded, Op
from ppglib.fast import Dropout

HEADS = ("as it is", "weights", "weights and logits")  # what of the head is rounded


class Rounded(Folded):
    """The operations in PyTorch, every number rounded as int8 rounds it: weights by a step a filter, maps by one a map, biases
    by the steps of the sums.

    Gradients pass through the rounding as if it were not there, but not where a map is cut off. `drawn`: windows (N, 200)
    of training people, whose least and largest numbers are the ends of the maps, as in the export. head: one of HEADS.
    dropout: in training, where the network had it. `ppglib.train` trains it like a network."""

    def __init__(self, ops: list[Op], drawn: np.ndarray, head: str = HEADS[0], dropout: float = 0.0):
        super().__init__(ops)
        self.drawn, self.head, self.dropout = torch.from_numpy(drawn)[:, None], head, Dropout(dropout)
        self.blocks = [op for op in ops if op.kind == "add"]  # as a network has them
        self.calibrate()

    @torch.no_grad()
    def calibrate(self) -> None:
        """The ends of all maps by the weights that are here now, in float32."""
        self.ends = {}
        for name, x in Folded(self.operations()).maps(self.drawn).items():
            if name != OUTPUT or self.head == HEADS[2]:
                low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
                step = float(np.float32((high - low) / 255)) or 1.0
                self.ends[name] = step, int(np.rint(-128 - low / step))

    def operations(self) -> list[Op]:
        """The operations with the weights that are here now, to be exported."""
        now = lambda parameters, name: parameters[name].detach().numpy().copy() if name in parameters else None  # noqa: E731
        return [replace(op, weight=now(self.weights, op.output), bias=now(self.biases, op.output)) for op in self.ops]

    def steps(self, op: Op) -> Tensor | None:
        """Of the weights of each filter; None where they are not rounded."""
        whole = op.output == OUTPUT and self.head == HEADS[0]
        return None if whole else (self.weights[op.output].detach().abs().amax((1, 2)) / 127).clamp_min(1e-30)

    def weight(self, op: Op) -> Tensor:
        weight, steps = self.weights[op.output], self.steps(op)
        if steps is None:
            return weight
        return torch.fake_quantize_per_channel_affine(weight, steps, torch.zeros(len(steps), dtype=torch.int32), 0, -127, 127)

    def bias(self, op: Op) -> Tensor:
        bias, steps = self.biases[op.output], self.steps(op)
        if steps is None:
            return bias
        steps = steps * self.ends[op.inputs[-1]][0]  # of the sums
        return bias + ((bias / steps).round() * steps - bias).detach()

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return super().maps(self.rounded(INPUT, x))

    def run(self, op: Op, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        x = self.rounded(op.output, super().run(op, x, shortcut))
        return self.dropout(x) if op.relu and op.output not in ("stem", "exit") else x

    def rounded(self, name: str, x: Tensor) -> Tensor:
        """A map in the steps of its ends."""
        return torch.fake_quantize_per_tensor_affine(x, *self.ends[name], -128, 127) if name in self.ends else x

    def feature_map(self, x: Tensor) -> Tensor:
        """Logits: all that a loss without a teacher looks at."""
        return self(x)

    def classify(self, logits: Tensor) -> Tensor:
        """The same."""
        return logits
