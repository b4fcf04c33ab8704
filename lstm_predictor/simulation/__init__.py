"""
A TurtleBot3 Burger in MuJoCo, without ROS.

`robot.Robot` takes velocity commands and returns the readings that the real robot publishes. The
physics is in `plant`, `turtlebot3_burger.xml` and `slip_patches`, the path from a command to a
wheel in `actuation`, the sensors in `sensors`. Robots differ by their `robot_config`, which
`training/simulated_fleet` draws at random and `evaluation/closed_loop/case` fixes.
There are no messages and no wall clock: simulated time passes in `Robot.advance` alone. The code
of the predictor is not used here, so that each can test the other.
"""

import os

# No picture is drawn: without this, importing mujoco starts a process that looks for GLFW.
os.environ.setdefault('MUJOCO_GL', 'disable')
