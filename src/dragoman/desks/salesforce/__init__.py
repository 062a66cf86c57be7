"""The Salesforce adapter: cases and their comments over the REST API, by OAuth 2.0.

Found through the entry point `dragoman.desks`. manifest.toml says which rights it needs and what
it can do; docs/howto/connect-salesforce.md how to set up the org.
"""

from dragoman.desks.salesforce.client import SalesforceDesk
from dragoman.desks.salesforce.settings import SalesforceSettings
from dragoman.desks.salesforce.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=SalesforceSettings, connect=SalesforceDesk, notice=notice)
