"""Emulated desks whose REST APIs have the shapes of Redmine and of django-helpdesk.

Counterparts of desks/rest in tests, over real HTTP; see docs/howto/connect-any-rest-desk.md.
"""

from dragoman.testing.rest.helpdesk import EmulatedHelpdesk
from dragoman.testing.rest.redmine import EmulatedRedmine

__all__ = ["EmulatedHelpdesk", "EmulatedRedmine"]
