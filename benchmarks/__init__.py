"""One performance promise each, against a named peer: `python -m benchmarks.NAME`."""
