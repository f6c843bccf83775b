"""supervisor.toml: what ships is the defaults, and what is wrong is refused by name."""

import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

from api.config import Config, ConfigError, keys_of, listening, load, parse
from runtime import Backoff, OnExhausted, Overflow, Strategy

SHIPPED = Path(__file__).resolve().parents[2] / "supervisor.toml"


def refusal(text: str) -> str:
    """What is said about a file with this text."""
    with pytest.raises(ConfigError) as error:
        parse(text)
    return str(error.value)


def test_an_empty_file_means_all_defaults() -> None:
    assert parse("") == Config()


def test_a_missing_file_means_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml", {}) == Config()


def test_the_file_that_ships_holds_every_key_with_its_default() -> None:
    def keys(tree: dict[str, Any], path: str = "") -> set[str]:
        return {
            name
            for key, value in tree.items()
            if value is not None
            for name in (keys(value, f"{path}.{key}") if isinstance(value, dict) else {f"{path}.{key}"})
        }

    text = SHIPPED.read_text()
    assert parse(text) == Config()
    assert keys(tomllib.loads(text)) == keys(attrs.asdict(Config()))


def test_a_section_may_say_less_than_all() -> None:
    config = parse('[supervision.sessions]\nbackoff.max = 300\nmailbox = {overflow = "drop_oldest"}')
    default = Config().supervision.sessions
    assert config.supervision.sessions == attrs.evolve(
        default,
        backoff=attrs.evolve(default.backoff, max=300),
        mailbox=attrs.evolve(default.mailbox, overflow=Overflow.DROP_OLDEST),
    )
    assert attrs.evolve(config, supervision=Config().supervision) == Config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[cells]\nsessions_per_cell = "many"',
            '[cells] sessions_per_cell: expected an integer ≥ 1, got "many"',
        ),
        ("[cells]\nspare = -1", "[cells] spare: expected an integer ≥ 0, got -1"),
        ("[cells]\nspare = true", "[cells] spare: expected an integer ≥ 0, got true"),
        ("[cells]\nspare = 1.0", "[cells] spare: expected an integer ≥ 0, got 1.0"),
        ("[cells]\nping_timeout = 0", "[cells] ping_timeout: expected a number of seconds > 0, got 0"),
        (
            "[cells]\nping_timeout = inf",
            "[cells] ping_timeout: expected a number of seconds > 0, got Infinity",
        ),
        (
            "[retention]\nevents_days = -1",
            "[retention] events_days: expected a number of days from 0 to 36500, got -1",
        ),
        (
            "[retention]\nmessages_days = 40000",
            "[retention] messages_days: expected a number of days from 0 to 36500, got 40000",
        ),
        (
            "[retention]\naudit_days = true",
            "[retention] audit_days: expected a number of days from 0 to 36500, got true",
        ),
        ('[api]\nlisten = "8080"', '[api] listen: expected "HOST:PORT", got "8080"'),
        ('[api]\nlisten = "x:70000"', '[api] listen: expected "HOST:PORT", got "x:70000"'),
        ("[api]\nlisten = 8080", '[api] listen: expected "HOST:PORT", got 8080'),
        ("cells = 3", "[cells]: expected a section, got 3"),
        (
            "[supervision.root]\nstrategy = 1",
            '[supervision.root] strategy: expected "one_for_one" or "one_for_all" or "rest_for_one", got 1',
        ),
        (
            "[supervision.api]\nbackoff.max = 0.1",
            "[supervision.api] backoff: expected max ≥ min, which is 0.2, got 0.1",
        ),
        (
            "[supervision.api]\nbackoff.max_failures = 0",
            "[supervision.api.backoff] max_failures: expected an integer ≥ 1, got 0",
        ),
        (
            '[sinks.bus]\nkind = "kafka"',
            '[sinks] bus: expected a section with kind nats or rabbitmq, got "kafka"',
        ),
        ('[sinks."A b"]\nkind = "nats"', "[sinks] A b: expected a name of small letters, digits, - and _"),
        (
            '[sinks.bus]\nkind = "nats"\nsubject = "a.*"',
            (
                "[sinks.bus] subject: "
                'expected a text with {sessionId} and {event}, without spaces and wildcards, got "a.*"'
            ),
        ),
        (
            '[sinks.bus]\nkind = "nats"\nbackoff.min = 60',
            "[sinks.bus] backoff: expected max ≥ min, which is 60, got 30.0",
        ),
        (
            '[sinks.bus]\nkind = "rabbitmq"\nsubject = "a"',
            (
                "[sinks.bus] subject: no such key; there are kind, url, exchange, routing_key, sessions,"
                " events, timeout, backoff"
            ),
        ),
        (
            "[hub]\ncapacity = 1",
            "[hub] capacity: no such key; there are listener_capacity, listeners_per_key",
        ),
    ],
)
def test_a_wrong_key_is_refused_with_its_path_and_what_was_expected(text: str, said: str) -> None:
    assert refusal(text) == said


def test_an_unknown_section_is_refused() -> None:
    assert refusal("[cell]\nspare = 1").startswith("[cell]: no such key; there are api, storage,")


def test_everything_wrong_is_said_at_once() -> None:
    lines = refusal("[cells]\nspare = -1\n[storage]\nbatch_rows = 0\nrows = 1").splitlines()
    assert sorted(line.split(":")[0] for line in lines) == [
        "[cells] spare",
        "[storage] batch_rows",
        "[storage] rows",
    ]


def test_a_wrong_secret_is_not_repeated() -> None:
    assert "hunter2" not in refusal('[storage]\ndsn = ["hunter2"]')


def test_a_secret_is_not_in_the_configurations_text() -> None:
    assert "hunter2" not in repr(parse('[storage]\ndsn = "postgres://a:hunter2@b/c"'))


def test_what_is_no_toml_is_refused_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text("[api\n")
    with pytest.raises(ConfigError, match=rf"{file}: not TOML: .*line 1"):
        load(file, {})


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text('[storage]\ndsn = "postgres://file"\n[whatsapp]\nproxy = "socks5://file"')
    config = load(file, {"DATABASE_URL": "postgres://env", "TERZETTO_WHATSAPP_ROOT_KEY": "k"})
    assert config.storage.dsn == "postgres://env"
    assert config.whatsapp.proxy == "socks5://file"
    assert config.whatsapp.root_key == "k"


def test_an_admin_key_is_long_and_is_not_shown(tmp_path: Path) -> None:
    absent = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=r"TERZETTO_ADMIN_KEY: expected at least 32") as caught:
        load(absent, {"TERZETTO_ADMIN_KEY": "tz_letmein"})
    assert "letmein" not in str(caught.value)
    assert load(absent, {"TERZETTO_ADMIN_KEY": "k" * 32}) == load(absent, {"TERZETTO_ADMIN_KEY": ""})


def test_the_first_admins_password_may_come_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text('[dashboard]\nadmin_password = "hunter2hunter2"\nsecure = true')
    config = load(file, {})
    assert (config.dashboard.admin_password, config.dashboard.secure) == ("hunter2hunter2", True)
    assert "hunter2" not in repr(config)
    given = load(file, {"TERZETTO_ADMIN_PASSWORD": "hunter2hunter3"})
    assert given.dashboard.admin_password == "hunter2hunter3"
    with pytest.raises(ConfigError, match="TERZETTO_ADMIN_PASSWORD: expected a text of 10 to 256") as error:
        load(file, {"TERZETTO_ADMIN_PASSWORD": "hunter2"})
    assert "hunter2" not in str(error.value)
    assert "hunter2" not in refusal('[dashboard]\nadmin_password = "hunter2"')
    assert "hunter2" not in refusal('[dashboard]\nadmin_password = ["hunter2"]')


def test_the_address_of_an_ipv6_host_has_no_brackets() -> None:
    assert parse('[api]\nlisten = "[::1]:0"').api.address == ("::1", 0)


def test_back_off_and_mailbox_become_the_runtimes_own() -> None:
    sessions = Config().supervision.sessions
    assert sessions.backoff.policy() == Backoff(1, 60, max_failures=10, on_exhausted=OnExhausted.GIVE_UP)
    assert Config().supervision.root.strategy is Strategy.ONE_FOR_ONE
    assert sessions.mailbox.mailbox() is not sessions.mailbox.mailbox()


def test_what_there_are_many_of_gives_up_and_what_there_is_one_of_escalates() -> None:
    tree = Config().supervision
    for many in (tree.webhooks, tree.cells, tree.sessions):
        assert many.backoff.on_exhausted is OnExhausted.GIVE_UP
    for one in (tree.storage, tree.hub, tree.api):
        assert one.backoff.on_exhausted is OnExhausted.ESCALATE


def test_only_a_part_of_the_tree_can_give_up() -> None:
    with pytest.raises(ConfigError, match=r"^\[session.backoff\] max_failures: no such key; there are min, "):
        parse("[session]\nbackoff = {max_failures = 3}")
    assert parse(
        '[supervision.cells]\nbackoff.on_exhausted = "escalate"'
    ).supervision.cells.backoff.policy() == (Backoff(0.2, 30, on_exhausted=OnExhausted.ESCALATE))


def test_a_sinks_url_may_come_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text('[sinks.my-bus]\nkind = "nats"\nevents = ["call"]\n[sinks.q]\nkind = "rabbitmq"')
    environment = {
        "TERZETTO_SINK_MY_BUS_URL": "nats://a:hunter2@b,tls://c:4222",
        "TERZETTO_SINK_Q_URL": "amqps://a:hunter2@b/host",
    }
    config = load(file, environment)
    assert {name: sink.url for name, sink in config.sinks.items()} == {
        "my-bus": "nats://a:hunter2@b,tls://c:4222",
        "q": "amqps://a:hunter2@b/host",
    }
    assert config.sinks["my-bus"].events == ("call",)
    assert "hunter2" not in repr(config)
    with pytest.raises(ConfigError, match="TERZETTO_SINK_Q_URL"):
        load(file, {**environment, "TERZETTO_SINK_Q_URL": ""})
    for wrong in ("http://a:hunter2@b", "nats://a:hunter2@b:port", "hunter2"):
        with pytest.raises(ConfigError) as error:
            load(file, {**environment, "TERZETTO_SINK_MY_BUS_URL": wrong})
        assert "hunter2" not in str(error.value)
    assert "hunter2" not in refusal('[sinks.bus]\nkind = "nats"\nurl = "http://a:hunter2@b"')


def test_many_nodes_need_a_database_to_share_and_a_way_to_each_other(tmp_path: Path) -> None:
    file = tmp_path / "supervisor.toml"
    file.write_text("[cluster]\nenabled = true\n")
    with pytest.raises(ConfigError, match=r"\[cluster\] enabled: needs a database to share"):
        load(file, {})
    database = {"DATABASE_URL": "postgresql://db/terzetto"}
    config = load(file, database)
    assert keys_of(config) == "postgresql://db/terzetto"
    with pytest.raises(ConfigError, match=r"\[cluster\] url: is required where .* 0.0.0.0:80"):
        listening(config, "0.0.0.0:80")
    config = load(file, database | {"TERZETTO_KEYS_DSN": "postgresql://pooler/terzetto"})
    assert keys_of(config) == "postgresql://pooler/terzetto"
    assert "pooler" not in str(config)
    assert keys_of(parse("")) is None, "files"
    with pytest.raises(ConfigError, match=r"expected http://… or https://…"):
        parse('[cluster]\nurl = "ftp://there"')
