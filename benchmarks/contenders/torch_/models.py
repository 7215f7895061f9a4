"""The networks as torch's users write them for speed.

    build(Mlp((784, 512, 512, 10)))        # an nn.Module

A block of the Transformer is TransformerEncoderLayer written out: one projection to queries, keys and values, then
`scaled_dot_product_attention`, without the transposes of the layer, which took a fifth longer here.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.runner import AbsentError
from benchmarks.workloads import Network
from benchmarks.workloads.constants import BATCH_NORM_EPS, LAYER_NORM_EPS, MOMENTUM
from benchmarks.workloads.lstm import Lstm
from benchmarks.workloads.mlp import Mlp
from benchmarks.workloads.resnet import ResNet
from benchmarks.workloads.stack import Stack
from benchmarks.workloads.transformer import Transformer


def build(network: Network) -> Any:
    """A module for the network."""
    match network:
        case Mlp():
            return mlp(network)
        case ResNet():
            return resnet(network)
        case Transformer():
            return transformer(network)
        case Lstm():
            return lstm(network)
        case Stack():
            import torch.nn

            return network.sequential(torch.nn)
    raise AbsentError(f"torch's contender has no {type(network).__name__}")


def mlp(network: Mlp) -> Any:
    from torch import nn

    layers: list[Any] = []
    for i, (_, norm) in enumerate(network.layers):
        layers.append(nn.Linear(network.sizes[i], network.sizes[i + 1]))
        if norm is not None:
            layers += [nn.BatchNorm1d(network.sizes[i + 1], eps=BATCH_NORM_EPS, momentum=MOMENTUM), nn.ReLU()]
    return nn.Sequential(*layers)


def resnet(network: ResNet) -> Any:
    from torch import nn
    from torch.nn import functional as F

    def batch_norm(channels: int) -> nn.BatchNorm2d:
        return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS, momentum=MOMENTUM)

    class Block(nn.Module):
        def __init__(self, channels: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
            self.norm1 = batch_norm(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.norm2 = batch_norm(width)
            self.added = (width - channels) // 2

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
            if self.added:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))
            return F.relu(x + y)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, network.widths[0], 3, padding=1, bias=False)
            self.norm = batch_norm(network.widths[0])
            self.blocks = nn.Sequential(*(Block(*stage) for stage in network.stages))
            self.fc = nn.Linear(network.widths[-1], network.classes)

        def forward(self, x: Any) -> Any:
            return self.fc(self.blocks(F.relu(self.norm(self.conv(x)))).mean((2, 3)))

    return Net()


def transformer(network: Transformer) -> Any:
    from torch import nn
    from torch.nn import functional as F

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(network.features, LAYER_NORM_EPS)
            self.self_attn = nn.MultiheadAttention(network.features, network.heads)  # for its parameters
            self.norm2 = nn.LayerNorm(network.features, LAYER_NORM_EPS)
            self.linear1 = nn.Linear(network.features, network.hidden)
            self.linear2 = nn.Linear(network.hidden, network.features)

        def forward(self, x: Any) -> Any:
            batch, tokens, features = x.shape
            attention = self.self_attn
            projected = F.linear(self.norm1(x), attention.in_proj_weight, attention.in_proj_bias)
            q, k, v = projected.view(batch, tokens, 3, network.heads, -1).permute(2, 0, 3, 1, 4)
            heads = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
            x = x + attention.out_proj(heads.reshape(batch, tokens, features))
            return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(Layer() for _ in range(network.blocks)))
            self.fc = nn.Linear(network.features, network.classes)

        def forward(self, x: Any) -> Any:
            return self.fc(self.layers(x).mean(1))

    return Net()


def lstm(network: Lstm) -> Any:
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(network.inputs, network.hidden, batch_first=True)
            self.fc = nn.Linear(network.hidden, network.classes)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(x)
            return self.fc(output[:, -1])

    return Net()
