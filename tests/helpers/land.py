"""The land of resources/static/land.geojson, from Natural Earth; run me to write it anew.

Natural Earth (public domain) at 1:110 million, of the copy that the wheel of pyogrio holds for its
tests: its countries as one.
"""

import json
from pathlib import Path

import pyogrio
import shapely

ROOT = Path(__file__).resolve().parents[2]
LAND = ROOT / "resources/static/land.geojson"
COUNTRIES = Path(pyogrio.__file__).parent / (
    "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
)
DIGITS = 2


def land_text() -> str:
    """All land as the text of a GeoJSON feature, one polygon a line, to a hundredth of a degree."""
    countries = pyogrio.read_dataframe(COUNTRIES).geometry.to_numpy()
    land = shapely.normalize(shapely.set_precision(shapely.union_all(countries), 10**-DIGITS))
    polygons = [
        json.dumps(
            [
                [[round(x, DIGITS), round(y, DIGITS)] for x, y in ring.coords]
                for ring in (part.exterior, *part.interiors)
            ],
            separators=(",", ":"),
        )
        for part in land.geoms
    ]
    source = "Land of the Earth, coarse: countries of Natural Earth 1:110m, public domain"
    return (
        f'{{"type":"Feature","properties":{{"source":"{source}"}},\n'
        '"geometry":{"type":"MultiPolygon","coordinates":[\n' + ",\n".join(polygons) + "\n]}}\n"
    )


if __name__ == "__main__":
    LAND.write_text(land_text(), encoding="utf-8")
