"""ROS parameters out of frozen dataclasses: name, type and default are said once."""

from dataclasses import fields
from typing import Any, TypeVar

from rclpy.node import Node

Config = TypeVar('Config')

# What rclpy itself declares or takes from the same files.
_OF_RCLPY = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


def declare(node: Node, *config_types: type) -> None:
    """
    Declare a parameter for every field.

    Raise ValueError for a value of the wrong type, or one that no field asks for.
    """
    names = []
    for config_type in config_types:
        for item in fields(config_type):
            default = list(item.default) if isinstance(item.default, tuple) else item.default
            names.append(item.name)
            try:
                node.declare_parameter(item.name, default)
            except Exception as error:
                raise ValueError(f'parameter {item.name}: {error}') from None
    # rclpy has no public way to ask which overrides nobody declared, and a typing error in a
    # parameter file must not pass in silence.
    for name in node._parameter_overrides:
        if name not in names and not name.startswith(_OF_RCLPY):
            raise ValueError(
                f'parameter {name} does not exist; {node.get_name()} has {", ".join(names)}')


def read(node: Node, config_type: type[Config]) -> Config:
    """Return the dataclass of the parameters as they are now; its own check raises ValueError."""
    values: dict[str, Any] = {}
    for item in fields(config_type):  # type: ignore[arg-type]
        value = node.get_parameter(item.name).value
        values[item.name] = tuple(value) if isinstance(item.default, tuple) else value
    return config_type(**values)
