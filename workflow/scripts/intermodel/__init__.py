"""intermodel: what vision models have learned, what they share, and where they differ."""
