"""The command `dragoman`: one module a command, put together in app.py.

A command module has `add_to(app)`. It raises DragomanErrors and lets app.py show them; exits.py
lists the exit codes. docs/reference/cli.md explains all of it to users.
"""
