"""Simulated VDA 5050 2.0 and 2.1 vehicles over real MQTT, with switches for misbehaviour.

Public test API: a `RobotFleet` of `Robot`s on a broker, or one pure `Vehicle` without a network.
What a vehicle really did is in its `Ledger`, apart from what it told. The order of reading:
profile, wire (in), journey and actions (an order in work), acceptance, body, voice (out),
vehicle (the state machine), robot (MQTT), fleet, control.
"""

from dragoman.testing.robots.fleet import RobotFleet, make_profiles
from dragoman.testing.robots.ledger import Acknowledgement, Execution, Outcome, load_report
from dragoman.testing.robots.messages import Outgoing
from dragoman.testing.robots.misbehaviour import BEHAVED, Garbage, Lie, Misbehaviour
from dragoman.testing.robots.profile import Pose, VehicleProfile
from dragoman.testing.robots.robot import Robot
from dragoman.testing.robots.vehicle import Vehicle

__all__ = [
    "BEHAVED",
    "Acknowledgement",
    "Execution",
    "Garbage",
    "Lie",
    "Misbehaviour",
    "Outcome",
    "Outgoing",
    "Pose",
    "Robot",
    "RobotFleet",
    "Vehicle",
    "VehicleProfile",
    "load_report",
    "make_profiles",
]
