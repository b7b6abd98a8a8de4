"""Files and locks between processes, other programs, and servers on loopback."""
