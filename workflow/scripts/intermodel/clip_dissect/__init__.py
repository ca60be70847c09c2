"""Names and meanings of units without labelled data, from a CLIP model that the user supplies and a list of words."""
