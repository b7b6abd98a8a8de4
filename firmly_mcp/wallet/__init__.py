"""The only room where card plaintext exists."""
