"""Datasets and loaders: what feeds a training step.

>>> train, test = random_split(ArrayDataset(images, labels), [0.8, 0.2], seed=0)
>>> for x, y in DataLoader(train, batch_size=32, shuffle=True, seed=0): ...
"""

from graphc.data.collate import collate
from graphc.data.dataset import ArrayDataset, Dataset, Subset, TensorDataset, random_split
from graphc.data.digits import digits
from graphc.data.loader import DataLoader

__all__ = ["ArrayDataset", "DataLoader", "Dataset", "Subset", "TensorDataset", "collate", "digits", "random_split"]
