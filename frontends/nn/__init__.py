"""Modules and layers, under torch.nn's names."""

from graphc.nn.container import ModuleDict, ModuleList, Sequential
from graphc.nn.module import Module
from graphc.nn.parameter import Buffer, Parameter
from graphc.nn.parameter_container import ParameterDict, ParameterList

__all__ = ["Buffer", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList", "Sequential"]
