"""The ServiceNow adapter: Table API, basic log-in or OAuth 2.0 client credentials.

Found through the entry point `dragoman.desks`. manifest.toml says which rights it needs and what
it can do; docs/howto/connect-servicenow.md how to set up the instance.
"""

from dragoman.desks.servicenow.client import ServiceNowDesk
from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=ServiceNowSettings, connect=ServiceNowDesk, notice=notice)
