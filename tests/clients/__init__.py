"""Clients that nobody here wrote buy something: each its own small script, judged by the simulator's books."""
