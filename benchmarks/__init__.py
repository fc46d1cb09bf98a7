"""How fast mainspring is, each figure beside its floor in the same run: `python -m benchmarks`."""
