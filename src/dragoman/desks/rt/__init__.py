"""The Request Tracker 5 adapter: REST 2.0 with an authentication token.

Found through the entry point `dragoman.desks`. manifest.toml says which rights it needs and what
it can do; docs/howto/connect-rt.md how to set up the queue.
"""

from dragoman.desks.rt.client import RtDesk
from dragoman.desks.rt.settings import RtSettings
from dragoman.desks.rt.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=RtSettings, connect=RtDesk, notice=notice)
