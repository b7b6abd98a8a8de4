"""`python -m firmly_mcp.simulator.security_code` prints the test card's code, a `cvv_command` to try things with.

It is no secret: test cards have none, and any code is taken.
"""

import sys

from firmly_mcp.simulator import TEST_CARD

if __name__ == "__main__":
    sys.stdout.write(TEST_CARD["verification_value"] + "\n")
