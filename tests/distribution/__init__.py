"""What people install: the wheel and the sdist, the registry's entry, a host's bundle, the container's recipe."""
