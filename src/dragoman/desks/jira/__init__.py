"""The Jira Service Management adapter: one project of a Jira Cloud site, REST API version 3.

Found through the entry point `dragoman.desks`. manifest.toml says which rights it needs and what
it can do; docs/howto/connect-jira.md how to set up the project.
"""

from dragoman.desks.jira.client import JiraDesk
from dragoman.desks.jira.settings import JiraSettings
from dragoman.desks.jira.webhook import notice
from dragoman.plugins import DeskPlugin

PLUGIN = DeskPlugin(settings=JiraSettings, connect=JiraDesk, notice=notice)
