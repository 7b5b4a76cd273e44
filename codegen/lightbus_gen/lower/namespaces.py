"""Dotted API names as the attributes of a bus: `shop.orders` is reached as `bus.shop.orders`."""

from __future__ import annotations

from collections.abc import Mapping

from lightbus_gen.emit import ir
from lightbus_gen.lower.names import pascal


def module_name(api: str) -> str:
    """Return the module of an API: `shop_orders` for `shop.orders`."""
    return api.replace(".", "_")


def client_class(api: str) -> str:
    """Return the client class of an API: `ShopOrdersClient` for `shop.orders`."""
    return f"{pascal(api)}Client"


def client(api: str, doc: str) -> ir.Child:
    """Return the attribute that leads to the client of an API."""
    return ir.Child(api.rpartition(".")[2], client_class(api), module_name(api), doc or f"The API `{api}`.")


def children(prefix: str, apis: Mapping[str, str]) -> tuple[ir.Child, ...]:
    """Return the attributes below a prefix of API names, "" for the bus; `apis` has a sentence about each API."""
    start = f"{prefix}." if prefix else ""
    names = dict.fromkeys(api[len(start) :].split(".")[0] for api in sorted(apis) if api.startswith(start))
    return tuple(
        client(full, apis[full])
        if (full := start + name) in apis
        else ir.Child(name, _namespace_class(full), "", f"The APIs below `{full}`.")
        for name in names
    )


def namespaces(apis: Mapping[str, str]) -> tuple[ir.NamespaceClass, ...]:
    """Return the classes for prefixes of API names that are not APIs themselves, the longest first."""
    prefixes = {
        ".".join(parts[:count])
        for api in apis
        for parts in [api.split(".")]
        for count in range(1, len(parts))
    }
    return tuple(
        ir.NamespaceClass(_namespace_class(prefix), f"The APIs below `{prefix}`.", children(prefix, apis))
        for prefix in sorted(prefixes - set(apis), key=lambda prefix: (-prefix.count("."), prefix))
    )


def _namespace_class(prefix: str) -> str:
    return f"{pascal(prefix)}Namespace"
