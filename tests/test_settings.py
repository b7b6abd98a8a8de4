from pathlib import Path

import pytest

from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import (
    MOVES_MONEY,
    VARIABLES,
    Settings,
    command_line,
    declared,
    read_settings,
    sources,
)


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
        ("pages_port = 70000", "FIRMLY_MCP_PAGES_PORT"),
        ('pages_bind = "everywhere"', "FIRMLY_MCP_PAGES_BIND"),
        ('pages_bind = "0.0.0.0"', "needs pages_url"),
        ('pages_url = "http://pay.example"\npages_port = 8123', "https"),
        ('pages_url = "https://pay.example"', "needs pages_port"),
        ("= nonsense", "TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        read_settings(_environ(tmp_path, text))


def test_pages_listen_elsewhere_only_where_a_browser_is_told_their_address(tmp_path: Path) -> None:
    text = 'pages_bind = "0.0.0.0"\npages_port = 8123\npages_url = "https://pay.example"'
    settings = read_settings(_environ(tmp_path, text))
    assert (str(settings.pages_bind), settings.pages_url) == ("0.0.0.0", "https://pay.example")
    assert str(read_settings(_environ(tmp_path, "")).pages_bind) == "127.0.0.1"


def test_a_refused_value_is_not_echoed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(_environ(tmp_path, "", FIRMLY_MCP_SHOPPER="4111111111111111 x"))
    assert "4111" not in str(caught.value)


def test_a_configuration_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not there"):
        read_settings({"FIRMLY_MCP_CONFIG": str(tmp_path / "none.toml")})


# Why these need no person's yes: a change of one of them lets no order through that was stopped before.
MOVES_NOTHING = {
    "shopper": "another shopper has cards, PIN and accepted settings of their own",
    "data_dir": "a journal that is not the last one stops every order until a person accepts it",
    "rules_file": "its text is what is accepted",
    "pages_port": "a page is reached by a link that only this program makes",
    "pages_bind": "the same",
    "pages_url": "the same",
    "open_pages": "it says where a question is shown, and not how it is answered",
}


def test_every_setting_either_needs_a_persons_yes_or_has_a_reason_not_to() -> None:
    assert sorted([*MOVES_MONEY, *MOVES_NOTHING]) == sorted(Settings.model_fields)


def test_no_command_is_ever_read_from_a_variable() -> None:
    assert not [name for name in VARIABLES if name.endswith("_command")]
    environ = {"FIRMLY_MCP_CVV_COMMAND": '["echo", "123"]', "FIRMLY_MCP_CARD_COMMAND": '["echo", "{}"]'}
    settings = read_settings(environ)
    assert (settings.cvv_command, settings.card_command) == ((), ())


def test_what_moves_money_is_declared_as_the_file_would_have_it(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    settings = Settings(environment="sandbox", app_id="a", cvv_command=("pass", "ça va"), rules_file=rules)
    assert declared(settings) == {
        "environment": '"sandbox"',
        "app_id": '"a"',
        "api_url": "",
        "payment_url": "",
        "cvv_command": '["pass", "ça va"]',
        "card_command": "",
        "rules": "",
    }
    rules.write_text("[USD]\n", "utf-8")
    assert declared(settings)["rules"] == "[USD]\n"
    rules.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="cannot be read"):
        declared(settings)


def test_it_is_known_who_said_each_setting(tmp_path: Path) -> None:
    environ = _environ(tmp_path, 'shopper = "ana"\napp_id = "x"', FIRMLY_MCP_SHOPPER="ben")
    said = sources(environ)
    assert said["shopper"] == "FIRMLY_MCP_SHOPPER"
    assert said["app_id"] == str(tmp_path / "config.toml")
    assert said["environment"] == "default"
    assert set(said) == set(Settings.model_fields)


def test_a_command_to_run_names_the_file_that_the_settings_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    environ = _environ(tmp_path, 'shopper = "ana"\ncvv_command = ["pass"]', FIRMLY_MCP_DATA_DIR="data")
    monkeypatch.setenv("FIRMLY_MCP_CONFIG", "config.toml")
    line = command_line(read_settings(environ), "rules", "accept")
    assert line.startswith(f"FIRMLY_MCP_CONFIG={tmp_path / 'config.toml'} FIRMLY_MCP_DATA_DIR={tmp_path / 'data'} ")
    assert line.endswith(" rules accept")
