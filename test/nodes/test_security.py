"""The policy for SROS2 keeps to its schema and allows exactly what the nodes do."""

from functools import partial
from pathlib import Path
import re
import sys
import time
from types import SimpleNamespace
from xml.etree import ElementTree

from helpers.messages import drive

import pytest

ROOT = Path(__file__).parents[2]
POLICY = ROOT / 'config' / 'sros2_policy.xml'
NODES = ('predictor', 'replanner', 'command_guard')

# What sros2's policy.xsd of version 0.2.0 has: an element's attributes and children. It has
# actions as well, and any metadata, which these nodes do without.
SCHEMA = {
    'policy': ({'version'}, {'enclaves'}),
    'enclaves': (set(), {'enclave'}),
    'enclave': ({'path'}, {'profiles'}),
    'profiles': (set(), {'profile'}),
    'profile': ({'ns', 'node'}, {'topics', 'services'}),
    'topics': ({'publish', 'subscribe'}, {'topic'}),
    'services': ({'reply', 'request'}, {'service'}),
    'topic': (set(), set()),
    'service': (set(), set()),
}
MAY_LACK = ('topics', 'services')  # some of their attributes

# How the graph calls those who do what a rule is about.
ROLES = {'publish': 'publisher', 'subscribe': 'subscriber', 'reply': 'service',
         'request': 'client'}

# Parameters with which a node does all that it ever does, each in a namespace of its own.
VARIANTS = {
    'predictor': [{'publish_tf': True, 'use_sim_time': True}],
    'replanner': [{'mode': mode, 'use_sim_time': True}
                  for mode in ('compensate', 'follow_path', 'mppi')],
    'command_guard': [{'use_sim_time': True}],
}


@pytest.fixture(scope='module')
def policy():
    return ElementTree.parse(POLICY).getroot()


def allowed(policy, node):
    """Return what a node may do: for each role the names, as they are written."""
    profile = policy.find(f'enclaves/enclave/profiles/profile[@node="{node}"]')
    return {role: {name.text for rules in profile if role in rules.attrib for name in rules}
            for role in ROLES}


def test_policy_keeps_to_the_schema(policy):
    assert policy.tag == 'policy' and policy.get('version') == '0.2.0'
    for element in policy.iter():
        attributes, children = SCHEMA[element.tag]
        assert element.attrib if element.tag in MAY_LACK else attributes <= set(element.attrib)
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
        assert len(element) if children else re.fullmatch(r'(~?/)?[a-z]\w*', element.text)


def test_policy_only_allows(policy):
    """What no rule allows is denied."""
    rules = [rule for tag in MAY_LACK for rule in policy.iter(tag)]
    assert {value for rule in rules for value in rule.attrib.values()} == {'ALLOW'}


def test_each_node_has_an_enclave_of_its_own(policy):
    enclaves = policy.findall('enclaves/enclave')
    assert [enclave.get('path') for enclave in enclaves] == [
        f'/lstm_predictor/{node}' for node in NODES]
    for node, enclave in zip(NODES, enclaves):
        profile, = enclave.findall('profiles/profile')
        assert profile.attrib == {'ns': '/', 'node': node}


@pytest.mark.parametrize('node', NODES)
def test_the_page_says_what_a_node_may_do(policy, node):
    section = (ROOT / 'docs' / 'security.md').read_text()
    rows = {}
    for row in re.findall(r'^\| (.+) \| (.+) \| (.+) \|$', section, re.M):
        rows[row[0].strip('`')] = [set(re.findall(r'`(.+?)`', cell)) for cell in row[1:]]
    heard, said = (common | own for common, own in zip(rows['each'], rows[node]))
    found = allowed(policy, node)
    assert (heard, said) == (found['subscribe'], found['publish'])


@pytest.fixture
def transforms(monkeypatch):
    """Have tf2_ros or, beside the wheels of ROS that lack it, what opens the same topics."""
    try:
        import tf2_ros  # noqa: F401
        return
    except ImportError:
        from geometry_msgs.msg import TransformStamped

    class Broadcaster:
        """Would say transforms."""

        def __init__(self, node):
            self.pub_tf = node.create_publisher(TransformStamped, '/tf', 100)

    class Listener:
        """Would hear transforms."""

        def __init__(self, buffer, node):
            for topic in ('/tf', '/tf_static'):
                node.create_subscription(TransformStamped, topic, print, 100)

        def unregister(self):
            """Leave the topics to the end of the node."""

    class Buffer:
        """Knows nothing."""

        def lookup_transform(self, target, source, stamp):
            raise LookupError

    monkeypatch.setitem(sys.modules, 'tf2_ros', SimpleNamespace(
        TransformBroadcaster=Broadcaster, TransformListener=Listener, Buffer=Buffer))


class Watched:
    """A node in one namespace for each way to run it, among others that send it everything."""

    def __init__(self, probe, name, model_path):
        from lstm_predictor.nodes.command_guard_node import CommandGuard
        from lstm_predictor.nodes.predictor_node import PredictorNode
        from lstm_predictor.nodes.replanner_node import ReplannerNode
        from nav_msgs.msg import Odometry, Path as Plan
        self.probe = probe
        self.name = name
        self.places = [f'/robot{number}' for number in range(len(VARIANTS[name]))]
        self.plans = [probe.talk(Plan, f'{place}/plan') for place in self.places]
        self.odometry = [probe.talk(Odometry, f'{place}/odom') for place in self.places]
        kind = {'predictor': PredictorNode, 'replanner': ReplannerNode,
                'command_guard': CommandGuard}[name]
        model = {} if name == 'command_guard' else {'model_path': str(model_path)}
        for place, parameters in zip(self.places, VARIANTS[name]):
            self._offer_commands(place)
            node = probe.add(
                partial(kind, namespace=place), **model, **parameters)
            node.trigger_configure()
            node.trigger_activate()
        probe.until(lambda: {(name, place) for place in self.places} <= set(
            probe.node.get_node_names_and_namespaces()), name)

    def _offer_commands(self, place):
        """Say of which type commands are, without which no node opens them."""
        from geometry_msgs.msg import TwistStamped
        for topic in ('cmd_vel_in', 'cmd_vel'):
            self.probe.talk(TwistStamped, f'{place}/{topic}')
        self.probe.hear(TwistStamped, f'{place}/cmd_vel')

    def send_plans(self):
        """Send plans in a frame that needs to be looked up."""
        from geometry_msgs.msg import PoseStamped
        from nav_msgs.msg import Path as Plan
        plan = Plan(poses=[PoseStamped(), PoseStamped()])
        plan.header.frame_id = 'map'
        for pose, x in zip(plan.poses, (0.0, 1.0)):
            pose.pose.position.x, pose.pose.orientation.w = x, 1.0
        for plans, odometry in zip(self.plans, self.odometry):
            odometry.publish(drive(1, 0.0, time.time_ns())[0])
            plans.publish(plan)

    def does(self):
        """Return what the graph says that it does, in any of its ways, as a policy writes it."""
        done = {}
        for role, kind in ROLES.items():
            ask = getattr(self.probe.node, f'get_{kind}_names_and_types_by_node')
            done[role] = {self._written(topic, place)
                          for place in self.places for topic, _ in ask(self.name, place)}
        return done

    def _written(self, topic, place):
        if topic.startswith(f'{place}/{self.name}/'):
            return '~' + topic.removeprefix(f'{place}/{self.name}')
        return topic.removeprefix(f'{place}/')


@pytest.mark.ros
@pytest.mark.parametrize('name', VARIANTS)
def test_policy_allows_what_the_node_does_and_no_more(
        policy, probe, model_path, transforms, one_thread, name):
    node, wanted = Watched(probe, name, model_path), allowed(policy, name)
    late = time.monotonic() + 30.0
    probe.until(lambda: node.does() == wanted or time.monotonic() > late, busy=node.send_plans)
    probe.spin(0.5)  # in which more would turn up
    assert node.does() == wanted
