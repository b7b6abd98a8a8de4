"""Fresh names for things, in the forms that Firmly's answers show. Readers treat them as opaque."""

import secrets
import uuid

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def fresh(prefix: str) -> str:
    """`cart_01…`: a prefix and 26 characters that never come twice."""
    return f"{prefix}_01" + "".join(secrets.choice(CROCKFORD) for _ in range(24))


def fresh_device() -> str:
    """A device id: a UUID."""
    return str(uuid.uuid4())
