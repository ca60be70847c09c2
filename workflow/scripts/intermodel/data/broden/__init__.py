"""The folder format of Broden, the broadly and densely labelled data set of Network Dissection."""
