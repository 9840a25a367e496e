"""What the entry scripts and tools share; importing it does nothing."""
