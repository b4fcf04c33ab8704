"""ROS parameters out of frozen dataclasses, which define name, type and default."""

from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

from lstm_predictor.nodes.lifecycle_node import ManagedNode
from lstm_predictor.nodes.parameter_sources import from_wildcards

from rcl_interfaces.msg import SetParametersResult

Config = TypeVar('Config')

# Names of version 0.1.0 and those since, which are Nav2's or REP's where such exist.
RENAMED = {
    'authority': 'max_relative_correction',
    'caution_memory': 'speed_scale_time_constant',
    'command_quantum': 'command_resolution',
    'free_std_across': 'lateral_std_threshold',
    'gain_across': 'k_y',
    'gain_along': 'k_x',
    'gain_yaw': 'k_theta',
    'handicap': 'fallback_error_penalty',
    'handover': 'use_fallback_predictors',
    'max_dead_time': 'max_input_delay',
    'max_scale': 'max_covariance_scale',
    'max_step_back': 'max_backward_time_jump',
    'memory': 'score_time_constant',
    'min_scale': 'min_covariance_scale',
    'min_speed_share': 'min_speed_scale',
    'scale_rate': 'covariance_scale_rate',
    'sharpness': 'weight_exponent',
    'trial': 'prior_score_count',
}

# What rclpy itself declares or takes from the same files.
_OF_RCLPY = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')


def declare(node: ManagedNode, *config_types: type) -> None:
    """
    Declare a parameter for every field.

    Raise ValueError for a value of the wrong type, an old name, or a name without a field. The
    last is only warned of where it is from a section of a parameter file that is for nodes of any
    name: it may be meant for another one.
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
    # rclpy has no public way to ask which overrides are undeclared, and a typing error in a
    # parameter file must not pass in silence.
    unknown = [name for name in node._parameter_overrides
               if name not in known and not name.startswith(_OF_RCLPY)]
    for_any = from_wildcards(node.arguments, node.get_fully_qualified_name()) if unknown else {}
    for name in unknown:
        if RENAMED.get(name) in known:
            raise ValueError(f'parameter {name} is now called {RENAMED[name]}')
        alike = get_close_matches(name, known, 1)
        wrong = f'parameter {name} does not exist' + (f', {alike[0]} does' if alike else '')
        if name not in for_any:
            raise ValueError(f'{wrong}; {node.get_name()} has {", ".join(known)}')
        node.get_logger().warning(
            f'{wrong}: {node.get_name()} ignores it, from section {for_any[name]}')


def read(node: ManagedNode, config_type: type[Config], changed: dict[str, Any] = {}) -> Config:
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
    Reject values that are wrong, and while the node is configured all that are not `live`.

    The live ones are handed to `take`, as dataclasses by their type, before the caller is answered
    that they are set.
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
