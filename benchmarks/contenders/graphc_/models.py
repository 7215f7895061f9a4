"""The networks as graphc's users declare them; names of parameters are torch's.

build(Mlp((784, 512, 512, 10)))        # an nn.Module
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
    """A module for the network; AbsentError if graphc has no layer that it takes."""
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
            import graphc.nn

            return network.sequential(graphc.nn)
    raise AbsentError(f"graphc's contender has no {type(network).__name__}")


def mlp(network: Mlp) -> Any:
    from graphc import nn

    layers: list[Any] = []
    for i, (_, norm) in enumerate(network.layers):
        layers.append(nn.Linear(network.sizes[i], network.sizes[i + 1]))
        if norm is not None:
            layers += [nn.BatchNorm1d(network.sizes[i + 1], eps=BATCH_NORM_EPS, momentum=MOMENTUM), nn.ReLU()]
    return nn.Sequential(*layers)


def resnet(network: ResNet) -> Any:
    import graphc as gc
    from graphc import nn
    from graphc.nn import functional as F

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
                x = gc.pad(x[:, :, ::2, ::2], ((0, 0), (self.added, self.added), (0, 0), (0, 0)))
            return F.relu(x + y)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, network.widths[0], 3, padding=1, bias=False)
            self.norm = batch_norm(network.widths[0])
            self.blocks = nn.Sequential(*(Block(*stage) for stage in network.stages))
            self.fc = nn.Linear(network.widths[-1], network.classes)

        def forward(self, x: Any) -> Any:
            return self.fc(gc.mean(self.blocks(F.relu(self.norm(self.conv(x)))), axis=(2, 3)))

    return Net()


def transformer(network: Transformer) -> Any:
    import graphc as gc
    from graphc import nn

    def layer() -> nn.TransformerEncoderLayer:
        return nn.TransformerEncoderLayer(
            network.features,
            network.heads,
            network.hidden,
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=LAYER_NORM_EPS,
            batch_first=True,
            norm_first=True,
        )

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(layer() for _ in range(network.blocks)))
            self.fc = nn.Linear(network.features, network.classes)

        def forward(self, x: Any) -> Any:
            return self.fc(gc.mean(self.layers(x), axis=1))

    return Net()


def lstm(network: Lstm) -> Any:
    from graphc import nn

    if not hasattr(nn, "LSTM"):
        raise AbsentError("graphc.nn has no LSTM")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(network.inputs, network.hidden, batch_first=True)
            self.fc = nn.Linear(network.hidden, network.classes)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(x)
            return self.fc(output[:, -1])

    return Net()
