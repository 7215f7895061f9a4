"""Rematerialisation: values that are computed again instead of being kept."""

from graphc.passes.rematerialize.cost import FREE, Effort
from graphc.passes.rematerialize.rematerialize import Rematerialized, rematerialize, ways_to_save

__all__ = ["FREE", "Effort", "Rematerialized", "rematerialize", "ways_to_save"]
