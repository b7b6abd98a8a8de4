import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments", [["--purchases", "50"], ["--purchases", "60", "--in-process"]], ids=["processes", "rooms"]
)
@pytest.mark.usefixtures("keyring_daemon")
def test_purchases_under_kills_and_faults_keep_every_promise(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tests.soak", "--seed", "7", *arguments]
    soak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert soak.returncode == 0, soak.stdout + soak.stderr
    assert "charged twice: 0; charged above what was approved: 0; placed but lost: 0" in soak.stdout
    kills = int(soak.stdout.partition("kills: ")[2].partition(";")[0])
    assert kills > 5
