"""Many machines: shards asked, and output files converted, by an engine that exists already."""
