from tests.checkout.gate import gate  # noqa: F401 - fixtures
from tests.shop import client, era, settings, shop  # noqa: F401 - fixtures
