"""Where the sun stands."""

import math
from datetime import UTC, datetime

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_position(moment: datetime, lon_deg: float, lat_deg: float) -> tuple[float, float, float]:
    """(elevation, azimuth) in degrees, azimuth clockwise from north, and distance in AU.

    moment: with a time zone. Low-precision formulas of the Astronomical Almanac, good to 0.01°
    without refraction (Michalsky 1988, Solar Energy 40, 227).
    """
    days = (moment - _J2000).total_seconds() / 86400.0
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    longitude = math.radians(
        mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    obliquity = math.radians(23.439 - 4.0e-7 * days)
    right_ascension = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(obliquity) * math.sin(longitude))
    sidereal_deg = 280.46061837 + 360.98564736629 * days + lon_deg
    hour_angle = math.radians(sidereal_deg % 360.0) - right_ascension
    latitude = math.radians(lat_deg)
    elevation = math.asin(
        math.sin(latitude) * math.sin(declination)
        + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    )
    azimuth = math.atan2(
        -math.sin(hour_angle) * math.cos(declination),
        math.cos(latitude) * math.sin(declination)
        - math.sin(latitude) * math.cos(declination) * math.cos(hour_angle),
    )
    distance = 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)
    return math.degrees(elevation), math.degrees(azimuth) % 360.0, distance
