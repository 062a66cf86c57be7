"""The gateway's HTTP service: webhooks of desks, the REST API, health and metrics.

`app.create_app` makes it of a running gateway and its configuration; `server.WebServer` serves it
in the gateway's event loop. Both are called by `dragoman up`. docs/reference/api.md is for users.
"""
