"""The configuration file: its secrets, its models, how it is loaded and checked, its template.

`load.py` reads a TOML file into the models of `model.py`; `mapping.py` compiles the field mappings
of the desks. Used by bootstrap.py, by the commands, and by adapters for their own settings.
"""
