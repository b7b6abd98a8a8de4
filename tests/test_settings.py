from pathlib import Path

import pytest

from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import read_settings


def _environ(tmp_path: Path, text: str | None = None, **variables: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    return {"FIRMLY_MCP_CONFIG": str(path), **variables} if text is not None else variables


def test_without_any_setting_orders_go_to_the_simulator(tmp_path: Path) -> None:
    assert read_settings(_environ(tmp_path, "")).environment == "simulator"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    environ = _environ(tmp_path, 'shopper = "ana"\ncvv_command = ["pass", "cvv"]', FIRMLY_MCP_SHOPPER="ben")
    settings = read_settings(environ)
    assert settings.shopper == "ben"
    assert settings.cvv_command == ("pass", "cvv")


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_a_real_environment_needs_an_app_id(tmp_path: Path, environment: str) -> None:
    with pytest.raises(SettingsError, match="FIRMLY_APP_ID"):
        read_settings(_environ(tmp_path, "", FIRMLY_MCP_ENVIRONMENT=environment))
    environ = _environ(tmp_path, "", FIRMLY_MCP_ENVIRONMENT=environment, FIRMLY_APP_ID="app-1")
    assert read_settings(environ).app_id == "app-1"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ('environment = "prod"', "FIRMLY_MCP_ENVIRONMENT"),
        ('shopper = "a b"', "FIRMLY_MCP_SHOPPER"),
        ('environment = "custom"', "api_url"),
        ('api_url = "https://a.example"\npayment_url = "https://b.example"', "custom"),
        ('environment = "custom"\napp_id = "x"\napi_url = "http://a.example"\npayment_url = "https://b"', "https"),
        ('environment = "custom"\napp_id = "x"\napi_url = "https://u:p@a"\npayment_url = "https://b"', "host alone"),
        ("cvv_command = 'print 123'", "cvv_command"),
        ("= nonsense", "TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(_environ(tmp_path, text))


def test_a_refused_value_is_not_echoed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(_environ(tmp_path, "", FIRMLY_MCP_SHOPPER="4111111111111111 x"))
    assert "4111" not in str(caught.value)


def test_a_configuration_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not there"):
        read_settings({"FIRMLY_MCP_CONFIG": str(tmp_path / "none.toml")})
