"""From the operator's file, and the environment, to a Config, or to a list of all that is wrong."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import AttributeValidationNote
from cattrs.gen import make_dict_structure_fn, override

from api.config.sections import SINKS, Api, Config, NatsSink, RabbitMqSink, Sink
from api.config.values import CHECK, refuse

T = TypeVar("T", bound=attrs.AttrsInstance)

_LEAST_ADMIN_KEY = 32
"""Characters: a key's beginning is shown in the record and in the log."""

_SINK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class ConfigError(Exception):
    """The configuration cannot be used: one line for each wrong key."""


_ENVIRONMENT = {
    "DATABASE_URL": ("storage", "dsn"),
    "TERZETTO_WHATSAPP_PROXY": ("whatsapp", "proxy"),
    "TERZETTO_WHATSAPP_CA_FILE": ("whatsapp", "ca_file"),
    "TERZETTO_WHATSAPP_ROOT_KEY": ("whatsapp", "root_key"),
    "TERZETTO_KEYS_DSN": ("cluster", "keys_dsn"),
    "TERZETTO_ADMIN_PASSWORD": ("dashboard", "admin_password"),
}


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration in `file`, or the defaults when it does not exist, under the environment's.

    The admin key stays in the environment, and is looked at here all the same.

    Raises ConfigError.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    try:
        config = parse(text)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from None
    for variable, (section, key) in _ENVIRONMENT.items():
        if value := environment.get(variable):
            try:
                attrs.fields_dict(type(getattr(config, section)))[key].metadata[CHECK](value)
            except ValueError as error:
                raise ConfigError(f"{variable}: {error}") from None
            config = attrs.evolve(config, **{section: attrs.evolve(getattr(config, section), **{key: value})})
    if 0 < len(environment.get("TERZETTO_ADMIN_KEY", "")) < _LEAST_ADMIN_KEY:
        raise ConfigError(f"TERZETTO_ADMIN_KEY: expected at least {_LEAST_ADMIN_KEY} random characters")
    _check_cluster(config)
    sinks = {name: _reachable(name, sink, environment) for name, sink in config.sinks.items()}
    return attrs.evolve(config, sinks=sinks)


def _check_cluster(config: Config) -> None:
    """Whether other nodes could share the database, and reach this one. Raises ConfigError."""
    if not config.cluster.enabled:
        return
    if not config.storage.dsn:
        raise ConfigError("[cluster] enabled: needs a database to share: [storage] dsn, or DATABASE_URL")
    host, _ = config.api.address
    if not config.cluster.url and host in {"0.0.0.0", "::"}:  # noqa: S104 - what it says, not where we listen
        raise ConfigError(f"[cluster] url: is required where [api] listens at {config.api.listen}")


def _reachable(name: str, sink: Sink, environment: Mapping[str, str]) -> Sink:
    """The sink with its URL, which may stand in the environment. Raises ConfigError."""
    variable = f"TERZETTO_SINK_{name.upper().replace('-', '_')}_URL"
    url = environment.get(variable) or sink.url
    try:
        attrs.fields_dict(type(sink))["url"].metadata[CHECK](url)
    except ValueError as error:
        raise ConfigError(f"{variable}: {error}") from None
    if not url:
        raise ConfigError(f"[sinks.{name}] url: is required, here or as {variable}")
    return attrs.evolve(sink, url=url)


def listening(config: Config, address: str) -> Config:
    """The configuration with the HTTP server on this address, HOST:PORT. Raises ConfigError."""
    try:
        attrs.fields(Api).listen.metadata[CHECK](address)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    config = attrs.evolve(config, api=attrs.evolve(config.api, listen=address))
    _check_cluster(config)
    return config


def parse(text: str) -> Config:
    """The configuration that a file with this text asks for. Raises ConfigError."""
    try:
        asked = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from None
    defaults = attrs.asdict(Config())
    try:
        return _CONVERTER.structure(_merged(defaults, asked), Config)
    except cattrs.ClassValidationError as error:
        raise ConfigError("\n".join(_lines(error, ()))) from None


def _merged(defaults: object, asked: object) -> object:
    """What was asked for over the defaults, key by key: a section may say less than all."""
    if not (isinstance(defaults, dict) and isinstance(asked, dict)):
        return asked
    return defaults | {key: _merged(defaults.get(key), value) for key, value in asked.items()}


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()

    def structure(kind: type[T]) -> Callable[[Any, Any], T]:
        checks: dict[str, Any] = {
            attribute.name: override(struct_hook=partial(_checked, attribute.metadata[CHECK]))
            for attribute in attrs.fields(kind)
            if CHECK in attribute.metadata
        }
        read = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **checks)

        def section(value: Any, _: Any) -> T:
            if not isinstance(value, dict):
                raise refuse("a section", value)
            return read(value, kind)

        return section

    converter.register_structure_hook_factory(attrs.has, structure)
    converter.register_structure_hook_func(
        lambda kind: kind == dict[str, Sink], lambda value, _: _sinks(value, converter)
    )
    return converter


def _sinks(value: object, converter: cattrs.Converter) -> dict[str, Sink]:
    """Each section as the class of its kind."""
    if not isinstance(value, dict):
        raise refuse("a section", value)
    made, wrong = {}, []
    for name, section in value.items():
        try:
            made[name] = converter.structure(section, _kind_of_sink(name, section))
        except (ValueError, cattrs.BaseValidationError) as error:
            error.add_note(AttributeValidationNote(f"sink {name}", name, Sink))
            wrong.append(error)
    if wrong:
        raise cattrs.ClassValidationError("sinks", wrong, Config)
    return made


def _kind_of_sink(name: str, section: object) -> type[NatsSink | RabbitMqSink]:
    if _SINK_NAME.fullmatch(name) is None:
        raise ValueError("expected a name of small letters, digits, - and _")
    kind = section.get("kind") if isinstance(section, dict) else None
    if not isinstance(kind, str) or kind not in SINKS:
        raise refuse(f"a section with kind {' or '.join(SINKS)}", kind)
    return SINKS[kind]


def _checked(check: Callable[[object], object], value: object, _: object) -> object:
    return check(value)


_CONVERTER = _converter()


def _lines(error: cattrs.ClassValidationError, path: tuple[str, ...]) -> list[str]:
    """Each thing wrong, with where it is: `[cells] spare: expected …`."""
    nested, own = error.group_exceptions()
    lines = []
    for cause, note in nested:
        where = (*path, note.name)
        if isinstance(cause, cattrs.ClassValidationError):
            lines += _lines(cause, where)
        else:
            lines.append(f"{_place(where)}: {cause}")
    for cause in own:
        if not isinstance(cause, cattrs.ForbiddenExtraKeysError):
            lines.append(f"{_place(path)}: {cause}")
            continue
        known = ", ".join(attribute.name for attribute in attrs.fields(cause.cl))
        lines += [
            f"{_place((*path, key))}: no such key; there are {known}" for key in sorted(cause.extra_fields)
        ]
    return lines


def _place(path: tuple[str, ...]) -> str:
    *section, key = path
    return f"[{'.'.join(section)}] {key}" if section else f"[{key}]"
