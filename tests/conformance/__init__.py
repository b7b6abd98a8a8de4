"""The protocol's official conformance suite, run against our own server with the fixtures that it asks for."""
