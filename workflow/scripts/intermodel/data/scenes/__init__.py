"""Scenes: a procedural data set whose concepts are known for every pixel."""
