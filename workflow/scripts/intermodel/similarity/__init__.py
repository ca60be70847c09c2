"""Representational similarity: one factorisation per representation, one small matrix per pair."""
