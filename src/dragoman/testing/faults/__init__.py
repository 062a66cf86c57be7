"""Tools that break what the gateway stands on: power, disks, links. For tests of faults."""
