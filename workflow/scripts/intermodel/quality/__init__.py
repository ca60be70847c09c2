"""Which images does an encoder represent badly? Q-Score and its baselines, judged by the errors of a linear probe."""
