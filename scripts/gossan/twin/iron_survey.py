"""What people know of the iron district: mines, ore points, geological map, claims, occurrences."""

import math
from collections.abc import Sequence

import geopandas
import numpy as np
from affine import Affine
from rasterio.features import shapes, sieve
from shapely import Point, Polygon, box
from shapely.geometry import shape

from gossan.raster import Grid
from gossan.twin.iron import MINERALS_OF_MINES, ORE_SHARE, UNITS, IronGround

ORIGIN = "Simulated by gossan; not a survey"
# Pixels in which mines and the geological map are drawn, and the smallest patch on the map.
MINE_PIXEL_M, MAP_PIXEL_M = 10.0, 20.0
_LEAST_PATCH_PX = 50
POINTS_PER_MINE = 30
# Farther apart than this (m) where the mine has room for it; error of a handheld GPS receiver.
_POINT_SPACING_M, _POINT_ERROR_M = 30.0, 4.0
# Claims and occurrences of each substance per square kilometre.
_CLAIMS_PER_KM2 = {"iron": 0.25, "manganese": 0.05, "gold": 0.05, "quartzite": 0.06, "clay": 0.04}
_OCCURRENCES_PER_KM2 = {"iron": 0.2, "manganese": 0.04, "gold": 0.05, "clay": 0.03}
# Share of the iron claims that were staked on mapped iron formation; the others follow ridges,
# red ground and neighbours.
_INFORMED_CLAIMS = 0.55
# Share of the iron occurrences that are ore; the others are ferricrete and float.
_TRUE_OCCURRENCES = 0.8
_OCCURRENCE_ERROR_M = 70.0
_CLAIM_SIDE_M = (350.0, 1400.0)
# First and last year of the claims, and the share of them whose date nobody wrote down.
_CLAIM_YEARS, _UNDATED_CLAIMS = (1992, 2025), 0.08
# Old workings on ore, away from the pits, and how far from one another (m).
_WORKINGS, _WORKINGS_APART_M = 5, 600.0
_DISTRICTS = ("North", "West", "East", "South")
_TRIES = 4000


class Surveyor:
    """Draws the vector files of one ground on one grid; everything is set by the ground's seed.

    grid: of the scene, in a projected system with units of metres and the ground's extent.
    """

    def __init__(self, ground: IronGround, grid: Grid):
        """Note where the ground lies."""
        self._ground, self._grid = ground, grid
        self._west, self._south, self._east, self._north = grid.bounds
        self._scale = min(1.0, min(ground.extent_m) / ground.district_m)

    def _rng(self, what: int) -> np.random.Generator:
        return np.random.default_rng([self._ground.seed & 0xFFFFFFFF, 2, what])

    def _table(self, columns: dict[str, list], geometry: list) -> geopandas.GeoDataFrame:
        columns = columns | {"source": [ORIGIN] * len(geometry)}
        return geopandas.GeoDataFrame(columns, geometry=geometry, crs=self._grid.crs.to_wkt())

    def _local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres from the north-west corner of places on the map."""
        return np.asarray(x) - self._west, self._north - np.asarray(y)

    def _raster(self, pixel_m: float) -> tuple[np.ndarray, np.ndarray, Affine]:
        """Centres of pixels over the whole scene, in metres of the ground, and their transform."""
        width = math.ceil((self._east - self._west) / pixel_m)
        height = math.ceil((self._north - self._south) / pixel_m)
        x, y = np.meshgrid((np.arange(width) + 0.5) * pixel_m, (np.arange(height) + 0.5) * pixel_m)
        return x, y, Affine(pixel_m, 0, self._west, 0, -pixel_m, self._north)

    def mines(self) -> geopandas.GeoDataFrame:
        """Outline of each pit, `class` hematite or itabirite: one polygon each."""
        # Pits lie in the middle district; nothing else is looked at.
        half = self._ground.district_m * self._scale / 2
        middle = ((self._east - self._west) / 2, (self._north - self._south) / 2)
        cells = round(2 * half / MINE_PIXEL_M)
        line = (np.arange(cells) + 0.5) * MINE_PIXEL_M - half
        code = self._ground.mine(*np.meshgrid(middle[0] + line, middle[1] + line))
        transform = Affine(
            MINE_PIXEL_M,
            0,
            self._west + middle[0] - half,
            0,
            -MINE_PIXEL_M,
            self._north - middle[1] + half,
        )
        outlines = []
        for place in range(1, len(MINERALS_OF_MINES) + 1):
            parts = shapes(code, mask=code == place, transform=transform, connectivity=4)
            largest = max((shape(part) for part, _ in parts), key=lambda part: part.area)
            outlines.append(Polygon(largest.exterior))
        names = [f"{mineral.capitalize()} pit" for mineral in MINERALS_OF_MINES]
        return self._table({"class": list(MINERALS_OF_MINES), "name": names}, outlines)

    def ore_points(self, mines: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
        """Places in each pit where a geologist found its ore, `class` hematite or itabirite.

        Up to POINTS_PER_MINE, apart from one another, with the error of their coordinates.
        """
        rng = self._rng(1)
        places, classes = [], []
        spacing = _POINT_SPACING_M * self._scale
        for outline, mineral in zip(mines.geometry, mines["class"], strict=True):
            west, south, east, north = outline.bounds
            x = rng.uniform(west, east, _TRIES)
            y = rng.uniform(south, north, _TRIES)
            shares = self._ground.shares_at(*self._local(x, y))
            share = shares["hematite_ore" if mineral == "hematite" else "itabirite"]
            chosen: list[tuple[float, float]] = []
            for place, found in zip(zip(x, y, strict=True), share, strict=True):
                far = all(math.dist(place, other) >= spacing for other in chosen)
                if found >= ORE_SHARE and far and outline.contains(Point(place)):
                    chosen.append(place)
                if len(chosen) == POINTS_PER_MINE:
                    break
            error = rng.normal(0, _POINT_ERROR_M * self._scale, (len(chosen), 2))
            places += [Point(*(np.add(*pair))) for pair in zip(chosen, error, strict=True)]
            classes += [mineral] * len(chosen)
        return self._table({"class": classes}, places)

    def geology(self) -> geopandas.GeoDataFrame:
        """The geological map: polygons that cover the scene, attributes `unit` and `iron` yes/no.

        Patches below two hectares are not drawn but given to what surrounds them.
        """
        x, y, transform = self._raster(MAP_PIXEL_M)
        units = sieve(self._ground.map_units(x, y), _LEAST_PATCH_PX)
        names = list(UNITS)
        rows = [
            (names[int(value)], shape(part))
            for part, value in shapes(units, transform=transform, connectivity=4)
        ]
        rows.sort(key=lambda row: (names.index(row[0]), row[1].bounds))
        units_of = [name for name, _ in rows]
        iron = ["yes" if UNITS[name] else "no" for name in units_of]
        return self._table({"unit": units_of, "iron": iron}, [part for _, part in rows])

    def _count(self, density: float) -> int:
        # As many in a miniature as in a whole district: it shows all of one.
        area = (self._east - self._west) * (self._north - self._south) / 1e6
        return max(2, round(density * area / self._scale**2))

    def _somewhere(self, rng: np.random.Generator) -> tuple[float, float]:
        return rng.uniform(self._west, self._east), rng.uniform(self._south, self._north)

    def _search(self, rng: np.random.Generator, accepts) -> tuple[float, float]:
        """A random place that `accepts` (of metres in the ground) takes, else any place."""
        for _ in range(_TRIES // 100):
            x = rng.uniform(self._west, self._east, 100)
            y = rng.uniform(self._south, self._north, 100)
            found = np.flatnonzero(accepts(*self._local(x, y)))
            if found.size:
                return float(x[found[0]]), float(y[found[0]])
        return self._somewhere(rng)

    def _on_iron_unit(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        hosts = np.array(list(UNITS.values()))
        return hosts[self._ground.map_units(x, y)]

    def _on_ore(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(*self._ground.bedrock(x, y)) > 0.5

    def claims(self) -> geopandas.GeoDataFrame:
        """Mining claims: rectangles along north and east, attributes `substance` and `date`."""
        rng = self._rng(2)
        substances, areas = [], []
        scene = box(self._west, self._south, self._east, self._north)
        for substance, density in _CLAIMS_PER_KM2.items():
            for _ in range(self._count(density)):
                informed = substance == "iron" and rng.random() < _INFORMED_CLAIMS
                x, y = self._search(rng, self._on_iron_unit) if informed else self._somewhere(rng)
                # A claim is not centred on what it was staked for.
                width, height = rng.uniform(*_CLAIM_SIDE_M, 2) * self._scale
                x += rng.uniform(-0.3, 0.3) * width
                y += rng.uniform(-0.3, 0.3) * height
                claim = box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                areas.append(claim.intersection(scene))
                substances.append(substance)
        rng = self._rng(4)
        days = rng.integers(1, 29, len(areas)), rng.integers(1, 13, len(areas))
        years = rng.integers(_CLAIM_YEARS[0], _CLAIM_YEARS[1] + 1, len(areas))
        told = rng.random(len(areas)) >= _UNDATED_CLAIMS
        dates = [
            f"{year}-{month:02d}-{day:02d}" if known else None
            for day, month, year, known in zip(*days, years, told, strict=True)
        ]
        return self._table({"substance": substances, "date": dates}, areas)

    def known_mines(self, mines: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
        """Old workings on ore, of which no sample comes: points away from the pits, `name`."""
        rng = self._rng(5)
        apart = _WORKINGS_APART_M * self._scale
        taken, places = list(mines.geometry), []
        for _ in range(20 * _WORKINGS):
            place = Point(*self._search(rng, self._on_ore))
            if all(place.distance(other) >= apart for other in taken):
                taken.append(place)
                places.append(place)
            if len(places) == _WORKINGS:
                break
        names = [f"Old working {number}" for number in range(1, 1 + len(places))]
        return self._table({"name": names}, places)

    def districts(self) -> geopandas.GeoDataFrame:
        """Four districts that meet near the middle of the scene, `name`."""
        rng = self._rng(6)
        corners = [
            (self._west, self._north),
            (self._east, self._north),
            (self._east, self._south),
            (self._west, self._south),
        ]
        share = rng.uniform(0.4, 0.6, 2)
        middle = (
            self._west + share[0] * (self._east - self._west),
            self._south + share[1] * (self._north - self._south),
        )
        north, east, south, west = (
            Polygon([one, other, middle])
            for one, other in zip(corners, [*corners[1:], corners[0]], strict=True)
        )
        return self._table({"name": list(_DISTRICTS)}, [north, west, east, south])

    def occurrences(self) -> geopandas.GeoDataFrame:
        """Mineral occurrences of old reports: points off their place, attribute `substance`."""
        rng = self._rng(3)
        substances, places = [], []
        for substance, density in _OCCURRENCES_PER_KM2.items():
            for _ in range(self._count(density)):
                true = substance == "iron" and rng.random() < _TRUE_OCCURRENCES
                x, y = self._search(rng, self._on_ore) if true else self._somewhere(rng)
                error = rng.normal(0, _OCCURRENCE_ERROR_M * self._scale, 2)
                places.append(
                    Point(
                        min(max(x + error[0], self._west), self._east),
                        min(max(y + error[1], self._south), self._north),
                    )
                )
                substances.append(substance)
        return self._table({"substance": substances}, places)

    def tables(self) -> dict[str, geopandas.GeoDataFrame]:
        """Every table by its name: mines, ore_points, geology, claims and what else is known."""
        mines = self.mines()
        return {
            "mines": mines,
            "ore_points": self.ore_points(mines),
            "geology": self.geology(),
            "claims": self.claims(),
            "occurrences": self.occurrences(),
            "known_mines": self.known_mines(mines),
            "districts": self.districts(),
        }


def kinds_of_geometry(names: Sequence[str]) -> dict[str, str]:
    """Geometry type of each table of `Surveyor.tables`, as GeoPackage names them."""
    points = ("ore_points", "occurrences", "known_mines")
    return {name: "Point" if name in points else "Polygon" for name in names}
