"""What the flow needs of the world: one Protocol a file, at most five methods each.

Adapters (desks/, fleets/, feeds/, journal/ …) implement them; bootstrap.py joins the two. The
conformance suite of each port is in dragoman.testing.conformance and runs on fake and real alike.
"""
