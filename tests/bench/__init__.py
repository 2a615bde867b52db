"""What meshrelay costs, measured; each module is run as ``python -m tests.bench.NAME``."""
