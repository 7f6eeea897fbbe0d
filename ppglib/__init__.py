"""Reproduce "Towards Characterizing Knowledge Distillation of PPG Heart Rate Estimation Models"."""

from ppglib.resnet1d import ResNet1D

__all__ = ["ResNet1D"]
