"""The demo: a whole site on one machine, with real protocols between real processes.

Called by the command `dragoman demo` (cli/demo.py). Reading order: scene (what is played), site
(the folder with configuration and secrets), children (the processes), watch (what the desk and
the robots say), figures (what it comes to), chaos and person (who disturbs, who helps), screen (the
terminal), run (all of it together).
"""
