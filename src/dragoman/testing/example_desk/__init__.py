"""The desk adapter for Example, found through the entry point `dragoman.desks`.

manifest.toml says which rights it needs and what it can do; README.md how to go on from here.
"""

from dragoman.plugins import DeskPlugin
from dragoman.testing.example_desk.client import ExampleDesk
from dragoman.testing.example_desk.settings import ExampleSettings
from dragoman.testing.example_desk.webhook import notice

PLUGIN = DeskPlugin(settings=ExampleSettings, connect=ExampleDesk, notice=notice)
