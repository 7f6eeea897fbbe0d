"""The network against the paper's Table 1, brute force, and an independent plain version."""

import csv

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ppglib
from ppglib import fast, resnet1d
from ppglib.files import ROOT
from ppglib.resnet1d import Design


def table1():
    with open(ROOT / "data/paper/table1_models.csv", newline="") as file:
        return [(int(row["blocks"]), int(row["parameters"])) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("blocks", "count"), table1())
def test_parameter_counts_are_those_of_table_1(blocks, count):
    assert resnet1d.paper_parameters(blocks) == count


def test_live_parameters_and_macs():
    live = [16_628, 27_060, 37_492, 47_924, 84_788, 126_132, 208_820, 508_596, 837_812]
    assert [resnet1d.live_parameters(b) for b in resnet1d.SIZES] == live
    millions = [2.09, 3.11, 4.13, 4.65, 6.19, 7.21, 8.77, 11.52, 13.33]
    assert [round(resnet1d.macs(b) / 1e6, 2) for b in resnet1d.SIZES] == millions


DESIGNS = [
    Design(1, dilations=(2, 8, 32)),
    Design(2, strides=(4, 1, 2), dilations=(1, 1, 2, 2, 2), width=24),
    Design(3, kernels=(5, 5, 5, 1, 1, 1, 1), strides=1),
    Design(2, kernels=(3, 7, 1, 5, 5), strides=(1, 4, 3)),
    Design(1, kernels=(3, 1, 1), strides=(1, 3)),  # the shortcut sees further than the convolutions
    Design(5, pieces=8),
    Design(6, width=8, strides=2, pieces=2),
]


@pytest.mark.parametrize("design", [*map(Design, resnet1d.SIZES), *DESIGNS])
def test_macs_are_what_the_layers_do(design):
    counted = []

    def count(layer, inputs, output):
        per_output = layer.weight[0].numel()
        counted.append(output.numel() * per_output)

    network = ppglib.ResNet1D(**vars(design)).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 1, 200))
    assert sum(counted) == design.macs


@pytest.mark.parametrize("design", [*map(Design, (1, 2, 4, 6)), *DESIGNS])
def test_the_receptive_field_is_what_moves_one_output(design):
    network = ppglib.ResNet1D(**vars(design)).double().eval()
    for layer in network.modules():  # with positive weights nothing cancels, and no ReLU or maximum hides it
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.constant_(layer.bias, 1.0)
    reached = [set() for _ in range(network.feature_map(torch.zeros(1, 1, 200).double()).shape[-1])]
    for _ in range(8):  # a maximum has one argument at a time
        x = torch.rand(1, 1, 200, dtype=torch.double, requires_grad=True)
        for i, output in enumerate(network.feature_map(x).sum((0, 1, 2))):
            (gradient,) = torch.autograd.grad(output, x, retain_graph=True)
            reached[i] |= set(gradient[0, 0].nonzero().flatten().tolist())
    seen = max(max(samples) - min(samples) + 1 for samples in reached)
    samples, seconds = resnet1d.receptive_field(network)
    assert seen == min(samples, 200) and seconds == samples / 25


def test_the_receptive_fields_of_the_paper():
    fields = [Design(blocks).field for blocks in range(1, 9)]
    assert fields == [13, 25, 41, 65, 97, 145, 209, 305]


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
@pytest.mark.parametrize("seconds", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("stride", [1, 2])
def test_dilations_are_chosen_for_a_field(blocks, seconds, stride):
    strides = [stride] + [1] * blocks
    dilations = resnet1d.dilations_for(seconds, blocks, strides=strides)
    design = Design(blocks, dilations=dilations, strides=strides)
    assert seconds * 25 <= design.field and (design.field < 1.2 * seconds * 25 or max(dilations) == 1)
    assert design.macs == Design(blocks, strides=strides).macs
    for before, after in zip(dilations, dilations[1:]):
        assert before <= after <= 5 * before + 2


@pytest.mark.parametrize("blocks", [1, 2, 4, 6])
def test_no_dilations_are_chosen_for_a_field_that_a_network_has_without(blocks):
    assert resnet1d.dilations_for(Design(blocks).field / 25, blocks) == (1,) * (1 + 2 * blocks)


def test_kernels_of_one_sample_do_not_keep_dilations_from_growing():
    assert resnet1d.dilations_for(1.0, 1, kernels=(5, 5, 1))[:2] == (1, 5)  # 2 * (2 * 1 + 2 * 5) + 1 samples


def test_pieces_are_seen_one_by_one():
    torch.manual_seed(0)
    network = ppglib.ResNet1D(3, pieces=8).eval()
    x = torch.randn(2, 1, 200)
    maps = [network.exit(network.blocks(network.stem(piece[:, :, None]))) for piece in x.split(25, 2)]
    torch.testing.assert_close(network.feature_map(x), torch.cat(maps, 3))


@pytest.mark.parametrize("blocks", [1, 2, 5, 12])
def test_every_parameter_is_used(blocks):
    network = ppglib.ResNet1D(blocks)
    network(torch.randn(4, 1, 200)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_shapes_and_what_is_refused():
    assert ppglib.ResNet1D(3)(torch.randn(5, 1, 200)).shape == (5, 180)
    with pytest.raises(ValueError, match="200"):
        ppglib.ResNet1D(1)(torch.randn(5, 1, 256))
    with pytest.raises(ValueError, match="at least 1"):
        ppglib.ResNet1D(0)
    with pytest.raises(ValueError, match="dropout"):
        ppglib.ResNet1D(1, dropout=1.0)


def plain_forward(network, x):
    """The same network written with 1-D layers, from the description in the paper's code base."""

    def conv(layer, x, stride=1):
        return F.conv1d(x, layer.weight[:, :, 0], layer.bias, stride, padding=2)

    def bn_relu(layer, x):
        return F.relu(
            F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)
        )

    x = bn_relu(network.stem[1], conv(network.stem[0], x))
    for i, block in enumerate(network.blocks):
        out = x if i == 0 else bn_relu(block.enter[0], x)
        out = conv(block.conv1, out, stride=2 if i % 2 == 1 else 1)
        out = conv(block.conv2, bn_relu(block.between[0], out))
        if i % 2 == 1:
            x = F.max_pool1d(x, 2, ceil_mode=True)
        pad = (out.shape[1] - x.shape[1]) // 2
        x = out + F.pad(x, (0, 0, pad, pad))
    return network.head(bn_relu(network.exit[0], x).mean(2))


def test_forward_equals_a_plain_one_dimensional_version():
    torch.manual_seed(0)
    network = ppglib.ResNet1D(12)
    network(torch.randn(64, 1, 200))  # running statistics other than 0 and 1
    network.eval()
    x = torch.randn(3, 1, 200)
    torch.testing.assert_close(network(x), plain_forward(network, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_dropout_masks_are_independent_and_at_the_right_rate(kind, rate):
    torch.manual_seed(1)
    x = torch.ones(64, 32, 1, 200, dtype=kind).contiguous(memory_format=torch.channels_last)
    masks = [fast.keep_mask(x, rate) for _ in range(2)]
    n = x.numel()
    for mask in masks:
        kept = mask != 0
        assert mask.stride() == x.stride()
        assert set(mask.unique().tolist()) == {0.0, torch.tensor(1 / (1 - rate), dtype=kind).item()}
        assert abs(kept.float().mean() - (1 - rate)) < 5 * (rate * (1 - rate) / n) ** 0.5
        for dim in (0, 1, 3):  # neighbours in no direction know of each other
            a, b = (
                kept.float().narrow(dim, 1, x.shape[dim] - 1),
                kept.float().narrow(dim, 0, x.shape[dim] - 1),
            )
            assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 5 / n**0.5
    both = ((masks[0] != 0) & (masks[1] != 0)).float().mean()
    assert abs(both - (1 - rate) ** 2) < 5 / n**0.5


def test_dropout_is_off_in_eval_mode_and_scales_its_gradient():
    layer = resnet1d.Dropout(0.5)
    x = torch.randn(8, 32, 1, 10, requires_grad=True)
    assert torch.equal(layer.eval()(x), x)
    out = layer.train()(x)
    out.sum().backward()
    assert torch.equal(out, x * x.grad) and set(x.grad.unique().tolist()) == {0.0, 2.0}


def test_the_mean_over_time_has_the_gradient_of_the_mean_laid_out_as_the_maps():
    maps = torch.randn(3, 4, 1, 7, dtype=torch.double).contiguous(memory_format=torch.channels_last)
    maps.requires_grad_()
    mean = fast.MeanOverTime.apply(maps)
    assert torch.equal(mean, maps.mean((2, 3)))
    assert torch.autograd.gradcheck(fast.MeanOverTime.apply, maps)
    (gradient,) = torch.autograd.grad(mean.square().sum(), maps)
    assert gradient.is_contiguous(memory_format=torch.channels_last) and 0 not in gradient.stride()
