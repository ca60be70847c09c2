"""Data sets: where images, labels and concept masks come from, behind one interface."""
