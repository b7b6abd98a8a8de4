"""What is measured beside ours, each a program that runs alone."""

from pathlib import Path

FOLDER = Path(__file__).parent
