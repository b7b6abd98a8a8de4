"""One module for each part of shopping; one tool, one screen. Only `checkout` spends."""
