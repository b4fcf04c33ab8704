"""
Online LSTM prediction for a mobile robot, and a velocity command replanned from it.

The folders, each above those that import it::

    common         poses, readings (messages as values), clocks, metrics; numpy alone
    sensor_checks  twist, IMU and poses compared with each other, and corrected
    recordings     rosbag2 recordings in and out, also damaged ones
    model          what the model file holds: window, priors, network, metadata
    control        the velocity command: correction, path following, MPPI, limits, watchdog
    simulation     a TurtleBot3 in MuJoCo
    baselines      classical predictors
    prediction     the predictor without ROS: window to mixture, scored and calibrated online
    training       simulated robots and recordings to examples to weights to model file
    nodes          the rclpy nodes: convert a message, call, publish
    evaluation     scores, closed-loop benchmark, a recording as an HTML page
    cli            the command lines: demo, replay, train, evaluate, view, closed-loop

and beside them::

    robot_profiles         where robots differ: limits, frames, topics, types, rates
    gazebo                 the robot of turtlebot3_gazebo, changed so that it slips
    launch_utils           what the launch files share
    paths                  where the files of the package are
    optional_dependencies  which package to install for what is missing
    entry_points           the executables

Imports go one way. model, control and simulation import common and not each other; baselines and
prediction build on model; nodes run prediction and control and never import training.
`test/package/test_imports.py` holds the exact table. Fault injection is a test
(`test/fault_injection`).

`docs/architecture.md` walks one message, one command and one training run through it.
"""
