"""What the workflow engine needs and no science: publishing, logging, plans, code hashes, devices."""
