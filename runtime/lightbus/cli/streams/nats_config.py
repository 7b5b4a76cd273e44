"""`lightbus plan --format nats`: the permissions of the services, as configuration of nats-server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightbus.cli.streams.setup import Setup
from lightbus.cli.terminal.console import print_message, print_output
from lightbus.errors import UsageError, did_you_mean
from lightbus.jetstream.streams.permissions import Service, configuration


def show_configuration(setups: Sequence[Setup], fires: Iterable[str]) -> None:
    """Print the configuration of nats-server that gives the services the permissions they need.

    Args:
        setups: the buses of the services.
        fires: `SERVICE:API` for an API that a service fires and does not define; `API` if there is one service.

    Raises:
        UsageError: a bus has no service name, there is no such service or API, or permissions cannot separate two names.
    """
    if not all(setup.settings.service_name for setup in setups):
        raise UsageError(
            "permissions are given to services, and a bus has no service name: give it one with"
            " lightbus.create(service_name=...), LIGHTBUS_SERVICE_NAME or --service-name."
        )
    pairs = [_service_and_api(setups, argument) for argument in fires]
    services = []
    for setup in setups:
        name = setup.settings.service_name
        added = (api for service, api in pairs if service == name and api in setup.apis)
        fired = tuple(dict.fromkeys((*setup.own_apis, *added)))
        services.append(Service(name, setup.settings.prefix, fired, setup.consumers))
    print_output(configuration(services))
    for name in _idle(services):
        print_message(
            f"service {name!r} neither fires nor listens, as far as its code shows, and gets no permission for either.\n"
            f"If it fires events of another package's API, name the API: --fires {name}:API",
            label="warning: ",
            colour="yellow",
        )


def _service_and_api(setups: Sequence[Setup], argument: str) -> tuple[str, str]:
    """Parse one `--fires`.

    Raises:
        UsageError: there is no such service or API.
    """
    names = list(dict.fromkeys(setup.settings.service_name for setup in setups))
    service, _, api = argument.rpartition(":")
    if not service:
        if len(names) > 1:
            raise UsageError(
                f"--fires {api}: say which service: --fires {names[0]}:{api}. Services: {', '.join(names)}."
            )
        (service,) = names
    elif service not in names:
        raise UsageError(
            f"--fires {argument}: there is no such service{did_you_mean(service, names)}. Services: {', '.join(names)}."
        )
    apis = dict.fromkeys(
        api for setup in setups if setup.settings.service_name == service for api in setup.apis
    )
    if api not in apis:
        raise UsageError(
            f"--fires {argument}: there is no such API{did_you_mean(api, apis)}. Known: {', '.join(apis)}."
        )
    return service, api


def _idle(services: Iterable[Service]) -> Iterable[str]:
    """Return the names of the services that neither fire nor listen."""
    working = {service.name for service in services if service.fires or service.consumers}
    return dict.fromkeys(service.name for service in services if service.name not in working)
