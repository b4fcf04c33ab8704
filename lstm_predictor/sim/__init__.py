"""
A TurtleBot3 Burger in MuJoCo, and what can be driven with it without ROS.

`robot.Robot` takes velocity commands and gives back the readings that the real robot publishes.
Here live the physics (`plant`, `turtlebot3_burger.xml`, `slip_patches`), what lies between a
command and a wheel (`actuation`) and what lies between the motion and a reading (`sensors`).
No messages, no wall clock, no learning: time is simulated and passes in `Robot.advance` alone.
Nothing of the predictor's model is known here, so that a test of one by the other means something.
"""
