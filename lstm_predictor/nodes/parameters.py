"""ROS parameters out of frozen dataclasses: name, type and default are said once."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from lstm_predictor.nodes.managed import ManagedNode

from rcl_interfaces.msg import SetParametersResult

from rclpy.node import Node

Config = TypeVar('Config')

# What rclpy itself declares or takes from the same files.
_OF_RCLPY = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


def declare(node: Node, *config_types: type) -> None:
    """
    Declare a parameter for every field.

    Raise ValueError for a value of the wrong type, or one that no field asks for.
    """
    known = []
    for config_type in config_types:
        for item in fields(config_type):
            default = list(item.default) if isinstance(item.default, tuple) else item.default
            known.append(item.name)
            try:
                node.declare_parameter(item.name, default)
            except Exception as error:
                raise ValueError(f'parameter {item.name}: {error}') from None
    # rclpy has no public way to ask which overrides nobody declared, and a typing error in a
    # parameter file must not pass in silence.
    for name in node._parameter_overrides:
        if name not in known and not name.startswith(_OF_RCLPY):
            raise ValueError(
                f'parameter {name} does not exist; {node.get_name()} has {", ".join(known)}')


def read(node: Node, config_type: type[Config], changed: dict[str, Any] = {}) -> Config:
    """
    Return the dataclass of the parameters as they are now, or with some of them changed.

    Its own check raises ValueError.
    """
    values: dict[str, Any] = {}
    for item in fields(config_type):  # type: ignore[arg-type]
        value = changed[item.name] if item.name in changed else \
            node.get_parameter(item.name).value
        values[item.name] = tuple(value) if isinstance(item.default, tuple) else value
    return config_type(**values)


def watch(node: ManagedNode, config_types: tuple[type, ...], live: set[str],
          take: Callable[[dict[type, Any]], None]) -> None:
    """
    Refuse values that are wrong, and while the node is configured all that are not `live`.

    The live ones are handed to `take`, as dataclasses by their type, before the caller hears that
    they are set.
    """
    known = names(*config_types)

    def check(parameters: list[Any]) -> SetParametersResult:
        changed = {item.name: item.value for item in parameters if item.name in known}
        try:
            configs = {config_type: read(node, config_type, changed)
                       for config_type in config_types}
            if node.configured and changed:
                for name in changed:
                    if name not in live:
                        raise ValueError(f'{name} is read when the node is configured: clean '
                                         f'the node up first')
                take(configs)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


def names(*config_types: type) -> set[str]:
    """Return the names of all parameters of some dataclasses."""
    return {item.name for config_type in config_types for item in fields(config_type)}
