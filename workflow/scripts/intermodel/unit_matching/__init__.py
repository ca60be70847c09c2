"""Which units of two models respond alike? Mutual nearest units by the correlation of their maps, without any label."""
