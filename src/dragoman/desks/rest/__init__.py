"""Any desk with a REST API, by configuration alone: requests as templates, answers by JMESPath.

Found through the entry point `dragoman.desks`. manifest.toml says what it can do;
docs/howto/connect-any-rest-desk.md how to describe a desk, with three complete ones.
"""

from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.survey import connect
from dragoman.desks.rest.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=RestSettings, connect=connect, notice=notice)
