"""The battery of a simulated vehicle. Pure; `Vehicle` (vehicle.py) tells it of time and metres."""

from datetime import datetime

from dragoman.testing.robots.profile import VehicleProfile


class Battery:
    """charge in per cent, 0 to 100."""

    def __init__(self, profile: VehicleProfile, now: datetime) -> None:
        self._profile = profile
        self._at = now
        self._driven_m = 0.0
        self.charge = profile.battery
        self.charging = False

    def update(self, now: datetime, driven_m: float) -> None:
        """Drain for time and metres since the last call, or charge. driven_m: metres in all."""
        minutes = (now - self._at).total_seconds() / 60 * self._profile.time_scale
        metres = driven_m - self._driven_m
        self._at, self._driven_m = now, driven_m
        rate = self._profile.charge_per_min if self.charging else -self._profile.drain_per_min
        change = minutes * rate - metres * self._profile.drain_per_m
        self.charge = min(100.0, max(0.0, self.charge + change))
