"""One offline page that answers the study's questions in order, with every number linked to its table."""
