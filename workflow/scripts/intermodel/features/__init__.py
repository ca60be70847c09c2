"""The one-pass extractor: every requested layer of a model over a data set, one file for each."""
