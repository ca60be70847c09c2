"""Learned Concepts Embedding: models as points in the space of the concepts that they detect."""
