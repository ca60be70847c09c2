"""Network Dissection: which labelled concept does each unit of a layer detect, and how well?

The parts in the order of use: `thresholds`, `upsampling`, `activity` (where units are active), `patterns` (what is
labelled where), `tally` (both counted against each other), `iou`, `labels`, `reachability`, `chance`, `tables`,
`findings`, `figures`. Everything after the tally is a function of its sums.
"""
