"""Optimizers, with torch.optim's names, formulas and defaults.

>>> optim.Adam(lr=1e-3)                                   # updates all trainable parameters of the model
>>> optim.SGD(model.parameters(), lr=0.1, momentum=0.9)   # or those given, as in torch
>>> optim.AdamW([{"params": body}, {"params": head, "lr": 1e-2}])
"""

from graphc.optim.adadelta import Adadelta
from graphc.optim.adagrad import Adagrad
from graphc.optim.adam import Adam, AdamW
from graphc.optim.adamax import Adamax
from graphc.optim.groups import ParamGroup
from graphc.optim.nadam import NAdam
from graphc.optim.optimizer import Optimizer
from graphc.optim.radam import RAdam
from graphc.optim.rmsprop import RMSprop
from graphc.optim.sgd import SGD

__all__ = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "ParamGroup",
    "RAdam",
    "RMSprop",
    "SGD",
]
