"""Thousands of purchases with kills and faults; the simulator's books say whether money was safe."""
