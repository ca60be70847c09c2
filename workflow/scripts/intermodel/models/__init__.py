"""Models as records: architecture, weights, preprocessing, token layout, and the layers to look at."""
