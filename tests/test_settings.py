from ipaddress import ip_address
from pathlib import Path

import pytest

from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import (
    MOVES_MONEY,
    VARIABLES,
    Settings,
    command_line,
    declared,
    pages_declared,
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
    with pytest.raises(SettingsError, match="does not exist"):
        read_settings({"FIRMLY_MCP_CONFIG": str(tmp_path / "none.toml")})


# Why these need no person's yes: a change of one of them lets no order through that was stopped before.
MOVES_NOTHING = {
    "shopper": "another shopper has cards, PIN and accepted settings of their own",
    "data_dir": "a journal that is not the last one stops every order until a person accepts it",
    "rules_file": "its text is what is accepted",
    "open_pages": "it says where a question is shown, and not how it is answered",
}


def test_every_setting_either_needs_a_persons_yes_or_has_a_reason_not_to() -> None:
    assert sorted([*MOVES_MONEY, *MOVES_NOTHING]) == sorted(Settings.model_fields)


def test_no_command_is_ever_read_from_a_variable() -> None:
    assert not [name for name in VARIABLES if name.endswith("_command")]
    for setting in ("cvv_command", "card_command"):
        with pytest.raises(SettingsError, match=f"{setting} stands in config.toml alone"):
            read_settings({f"FIRMLY_MCP_{setting.upper()}": '["echo", "123"]'})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FIRMLY_MCP_RULE", "FIRMLY_MCP_RULES"),
        ("FIRMLY_MCP_RULES_FILE", "FIRMLY_MCP_RULES"),
        ("firmly_mcp_rules", "FIRMLY_MCP_RULES"),
        ("FIRMLY_MCP_APP_ID", "FIRMLY_APP_ID"),
        ("FIRMLY_MCP_CONFIG_FILE", "FIRMLY_MCP_CONFIG"),
    ],
)
def test_a_variable_that_is_mistyped_is_an_error_and_not_a_setting_that_is_missing(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name} is no setting \(did you mean {meant}\?\)"):
        read_settings({name: "x"})


def test_a_variable_that_is_empty_is_not_given(tmp_path: Path) -> None:
    environ = _environ(tmp_path, "", FIRMLY_MCP_RULES="", FIRMLY_MCP_DATA_DIR="", FIRMLY_MCP_SOMETHING="")
    assert not read_settings(environ).names_rules


def test_a_path_counts_from_the_file_that_names_it_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = read_settings(
        _environ(tmp_path, 'rules_file = "~/limits.toml"\ndata_dir = "data"\ncvv_command = ["./cvv", "./x"]')
    )
    assert settings.rules_file == tmp_path / "home" / "limits.toml"
    assert settings.data_dir == tmp_path / "data"
    assert settings.cvv_command == (str(tmp_path / "cvv"), "./x")
    settings = read_settings(_environ(tmp_path, 'rules_file = "limits.toml"\ncard_command = ["~/card"]'))
    assert settings.rules_file == tmp_path / "limits.toml"
    assert settings.card_command == (str(tmp_path / "home" / "card"),)
    assert read_settings(_environ(tmp_path, 'cvv_command = ["pass"]')).cvv_command == ("pass",)
    named = read_settings(_environ(tmp_path, "", FIRMLY_MCP_RULES="~/r.toml", FIRMLY_MCP_DATA_DIR="here"))
    assert (named.rules_file, named.data_dir) == (tmp_path / "home" / "r.toml", elsewhere / "here")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "c.toml").write_text('shopper = "ana"', "utf-8")
    assert read_settings({"FIRMLY_MCP_CONFIG": "~/c.toml"}).shopper == "ana"


@pytest.mark.parametrize("written", ["", " ", "~nobody-here/rules.toml", "a\\u0000b"])
def test_what_is_no_path_is_refused_with_the_name_of_the_setting(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match="rules_file: "):
        read_settings(_environ(tmp_path, f'rules_file = "{written}"'))


@pytest.mark.parametrize("written", ["limits.toml", "~/limits.toml", "$HOME/limits.toml", "/nowhere/limits.toml"])
def test_a_rules_file_that_is_named_and_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_settings(_environ(tmp_path, f'rules_file = "{written}"'))
    with pytest.raises(SettingsError, match=r"limits\.toml, which does not exist\..* Orders are blocked"):
        declared(settings)


def test_the_usual_rules_file_may_be_missing_but_no_link_to_it_may_lead_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings = read_settings({})
    assert declared(settings)["rules"] == ""
    folder = settings.rules_file.parent
    folder.mkdir(parents=True)
    settings.rules_file.symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingsError, match="a link to a file that does not exist"):
        declared(settings)
    (folder / "config.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(SettingsError, match="a link to a file that does not exist"):
        read_settings({})


def test_rules_beside_a_configuration_file_that_is_named_are_read_and_two_files_are_one_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "usual"))
    (tmp_path / "rules.toml").write_text("[USD]\n", "utf-8")
    environ = _environ(tmp_path, "")
    assert declared(read_settings(environ))["rules"] == "[USD]\n"
    usual = read_settings({}).rules_file
    usual.parent.mkdir(parents=True)
    usual.write_text("[EUR]\n", "utf-8")
    with pytest.raises(SettingsError, match="There are two rules files"):
        read_settings(environ)
    assert read_settings({**environ, "FIRMLY_MCP_RULES": str(usual)}).rules_file == usual


def test_a_byte_order_mark_is_no_part_of_rules_or_configuration(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xef\xbb\xbf[USD]\n")
    environ = _environ(tmp_path, '\ufeffrules_file = "rules.toml"')
    assert declared(read_settings(environ))["rules"] == "[USD]\n"


def test_a_command_does_not_name_a_rules_file_that_nobody_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRMLY_MCP_CONFIG", str(tmp_path / "config.toml"))
    environ = _environ(tmp_path, 'environment = "sandbox"', FIRMLY_APP_ID="app-1")
    assert "FIRMLY_MCP_RULES" not in command_line(read_settings(environ), "rules", "accept")


def test_what_moves_money_is_declared_as_the_file_would_have_it(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.touch()
    settings = Settings(environment="sandbox", app_id="a", cvv_command=("pass", "ça va"), rules_file=rules)
    assert declared(settings) == {
        "environment": '"sandbox"',
        "app_id": '"a"',
        "api_url": "",
        "payment_url": "",
        "cvv_command": '["pass", "ça va"]',
        "card_command": "",
        "pages_url": "",
        "pages_bind": "",
        "pages_port": "",
        "rules": "",
    }
    elsewhere = settings.model_copy(
        update={"pages_url": "https://pay.example", "pages_bind": ip_address("0.0.0.0"), "pages_port": 8123}
    )
    assert pages_declared(elsewhere) == {
        "pages_url": '"https://pay.example"', "pages_bind": '"0.0.0.0"', "pages_port": "8123"
    }  # fmt: skip
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
