from tests.shop import client, era, settings, shop  # noqa: F401 - fixtures
