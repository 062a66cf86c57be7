"""Fleet adapter for VDA 5050 2.0 and 2.1 over MQTT."""

from dragoman.fleets.vda5050.client import Vda5050Fleet
from dragoman.fleets.vda5050.settings import Vda5050Settings
from dragoman.plugins import FleetPlugin

PLUGIN = FleetPlugin(settings=Vda5050Settings, connect=Vda5050Fleet)
