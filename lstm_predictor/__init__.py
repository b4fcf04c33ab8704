"""
On-line LSTM prediction for a mobile robot, and a velocity command replanned from it.

The map::

    core      what runs on the robot, without ROS: window, model, prediction, replanning
    nodes     the rclpy nodes: convert a message, call core, publish
    bags      rosbag2 recordings in and out
    sim       a TurtleBot3 in MuJoCo, its drivers and courses
    learning  fleet and recordings to windows to weights to model file, and how it scores
    view      a recording as one HTML page
    faults    what goes wrong, one thing at a time
    cli       the command lines: demo, replay, train, evaluate, view
    profiles  where robots differ: limits, frames, topics, types, rates, quirks
    gazebo    turtlebot3_gazebo's robot, made to slip
    launching what the launch files share
    paths     where the files of the package lie
    start     the executables

Imports point inwards: core <- bags <- learning, sim <- nodes <- cli. `docs/architecture.md` walks
one message and one training run through it.
"""
