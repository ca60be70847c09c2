"""How well frozen features tell the classes apart: a linear probe, a kNN probe, intervals, paired differences."""
