"""The IBM Maximo adapter: work orders or service requests over the REST/JSON API, with an API key.

Found through the entry point `dragoman.desks`. manifest.toml says which rights it needs and what
it can do; docs/howto/connect-maximo.md how to set up Maximo.
"""

from dragoman.desks.maximo.client import MaximoDesk
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.desks.maximo.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=MaximoSettings, connect=MaximoDesk, notice=notice)
