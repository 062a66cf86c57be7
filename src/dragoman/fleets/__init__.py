"""Robot fleets: one folder an adapter; each implements the Fleet port."""
