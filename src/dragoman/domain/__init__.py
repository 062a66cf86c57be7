"""What Dragoman knows, without any I/O: values, rules and the life of a case.

Everything here is a frozen value or a pure function. Nothing in this package reads a clock,
draws a random number or imports anything but the standard library.
"""
