"""The iron district: materials, rocks, cover, truth, light, and what is surveyed of it."""

import numpy as np
import pytest
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import read_library
from gossan.library.spectrum import Spectrum
from gossan.twin import iron
from gossan.twin.iron import CONSTITUENTS, IronGround, mix_materials
from gossan.twin.iron_survey import Surveyor
from gossan.twin.site import find_site

SIZE, PIXEL_M = 96, 10.0
WHOLE = Window(0, 0, SIZE, SIZE)
DISTRICT = Window(0, 0, 384, 384)
COARSE_M = 20.0


def make(seed: int = 42, difficulty: float = 1.0, side_m: float = SIZE * PIXEL_M) -> IronGround:
    return IronGround(seed, (side_m, side_m), difficulty)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


@pytest.fixture(scope="module")
def covers(root):
    classes = read_classes(root / "resources" / "static" / "covers.csv")
    return {entry.name: entry.code for entry in classes if entry.name in iron.COVER_CLASSES}


@pytest.fixture(scope="module")
def district():
    """The whole district, at 20 m: its ground, shares and pits."""
    ground = make(side_m=iron.DISTRICT_M)
    x, y = iron.cell_centres(DISTRICT, COARSE_M, 1)
    return ground, ground.abundances(DISTRICT, COARSE_M), ground.mine(x, y)


def of(shares: np.ndarray, *names: str) -> np.ndarray:
    return sum(shares[CONSTITUENTS.index(name)] for name in names)


# ---- materials ----------------------------------------------------------------------------------


def test_a_dark_grain_counts_for_more_than_its_share():
    grid = np.linspace(0.4, 2.5, 50)

    def flat(name: str, value: float) -> Spectrum:
        return Spectrum(name, grid, np.full(50, value), "made")

    names = {name for recipe in iron.RECIPES.values() for name in recipe}
    library = [flat(name, 0.05 if name == "magnetite" else 0.8) for name in names]
    mixed = {one.name: one.reflectance for one in mix_materials(library)}
    np.testing.assert_allclose(mixed["sand"], 0.8)
    share = iron.RECIPES["hematite_ore"]["magnetite"]
    assert (mixed["hematite_ore"] < 0.8 * (1 - share) + 0.05 * share - 0.2).all()
    # Golden: K/S of 0.8 is 0.025, of 0.05 it is 9.025.
    ratio = 0.025 * (1 - share) + 9.025 * share
    expected = 1 + ratio - np.sqrt(ratio**2 + 2 * ratio)
    np.testing.assert_allclose(mixed["hematite_ore"], expected)


def test_a_library_without_a_mineral_is_refused(library):
    short = [spectrum for spectrum in library if spectrum.name != "magnetite"]
    with pytest.raises(InputError, match="magnetite"):
        mix_materials(short)


def test_spectra_without_common_wavelengths_are_refused(library):
    odd = [one for one in library if one.name != "magnetite"]
    odd.append(Spectrum("magnetite", np.array([3.0, 3.5]), np.array([0.1, 0.1]), "far.txt"))
    with pytest.raises(InputError, match="no wavelengths in common"):
        mix_materials(odd)


def test_ore_is_darker_than_what_looks_like_it(library):
    mixed = {one.name: one for one in mix_materials(library)}
    for name in ("latosol", "canga", "waste"):
        at = [
            np.interp(1.6, s.wavelength_um, s.reflectance)
            for s in (mixed["hematite_ore"], mixed[name])
        ]
        assert at[0] < at[1]


# ---- ground -------------------------------------------------------------------------------------


def outputs(ground: IronGround, window: Window) -> list[np.ndarray]:
    variability = ground.variability(window, PIXEL_M)
    sky = ground.clouds(window, PIXEL_M, 45.0, 40.0, 20210707)
    x, y = iron.cell_centres(window, PIXEL_M, 1)
    return [
        ground.abundances(window, PIXEL_M),
        variability.depth,
        variability.brightness,
        variability.tilt,
        ground.elevation(window, PIXEL_M),
        *ground.illumination(window, PIXEL_M, 45.0, 40.0),
        sky.cloud,
        sky.shadow,
        ground.mine(x, y),
        ground.map_units(x, y),
        ground.anomaly(x, y),
    ]


def test_a_window_on_its_own_equals_its_part_of_the_whole():
    ground = make()
    whole = outputs(ground, WHOLE)
    part = Window(41, 30, 31, 17)
    for one, full in zip(outputs(ground, part), whole, strict=True):
        np.testing.assert_array_equal(one, full[..., 30:47, 41:72])


@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_shares_are_shares_and_plants_shade_a_tenth_of_themselves(difficulty):
    ground = make(difficulty=difficulty)
    shares = ground.abundances(WHOLE, PIXEL_M)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=3e-6)
    plants = of(shares, "green_vegetation", "dry_vegetation")
    rest = shares.sum(axis=0) - plants
    open_ground = rest > 0.01
    for leaf in (0.1, 0.9):
        seen = ground.season(shares, leaf).sum(axis=0)
        np.testing.assert_allclose(seen[open_ground], (1 - 0.1 * plants)[open_ground], atol=1e-5)


def test_crowns_stand_where_they_are_whatever_the_pixels():
    ground = make()
    fine = ground.abundances(Window(0, 0, 60, 60), 5.0)
    mean = fine.reshape(len(CONSTITUENTS), 10, 6, 10, 6).mean(axis=(2, 4))
    np.testing.assert_allclose(ground.abundances(Window(0, 0, 10, 10), 30.0), mean, atol=1e-5)
    moved = ground.moved(20.0, -10.0).abundances(Window(5, 7, 9, 9), 10.0)
    np.testing.assert_allclose(moved, ground.abundances(Window(7, 6, 9, 9), 10.0), atol=1e-5)
    odd = ground.abundances(Window(0, 0, 40, 40), 7.5)
    even = fine.mean(axis=(1, 2))
    np.testing.assert_allclose(odd.mean(axis=(1, 2)), even, atol=0.02)


def test_leaves_fall_from_deciduous_plants_alone():
    ground = make()
    shares = ground.abundances(WHOLE, PIXEL_M)
    early, late = ground.season(shares, 0.8), ground.season(shares, 0.2)
    lost = of(early, "green_vegetation") - of(late, "green_vegetation")
    np.testing.assert_allclose(lost, 0.6 * 0.82 * of(shares, "dry_vegetation"), atol=1e-6)


def test_the_truth_follows_the_shares(covers):
    shares = np.zeros((len(CONSTITUENTS), 1, 6), np.float32)
    for pixel, mixture in enumerate(
        (
            {"itabirite": 0.25, "hematite_ore": 0.2, "soil": 0.55},
            {"dust": 0.9, "canga": 0.1},
            {"green_vegetation": 0.4, "dry_vegetation": 0.3, "soil": 0.3},
            {"green_vegetation": 0.35, "itabirite": 0.3, "soil": 0.35},
            {"dry_vegetation": 0.2, "sand": 0.8},
            {"water": 0.7, "soil": 0.3},
        )
    ):
        for name, share in mixture.items():
            shares[CONSTITUENTS.index(name), 0, pixel] = share
    names = ("ore", "soil", "vegetation", "mixed", "soil")
    ground = make()
    expected = [*(covers[name] for name in names), 0]
    assert ground.cover(shares, covers)[0].tolist() == expected
    codes = {name: code for code, name in enumerate(iron.IRON_CLASSES, start=1)}
    grades = ("itabirite-moderate", "negative", "negative", "itabirite-low", "negative", "negative")
    assert ground.grade(shares, codes)[0].tolist() == [codes[name] for name in grades]


def test_mines_show_their_own_ore_and_rings_all_three_covers(district, covers):
    ground, shares, mine = district
    truth = ground.cover(shares, covers)
    for place, name in ((1, "hematite_ore"), (2, "itabirite")):
        pit = mine == place
        assert pit.sum() * COARSE_M**2 > 150_000
        # The pit exposes its ore; the other kind is scarce in it.
        other = next(one for one in iron.ORES if one != name)
        assert (truth[pit] == covers["ore"]).mean() > 0.25
        assert of(shares, name)[pit].mean() > 2 * of(shares, other)[pit].mean()
        away = distance_transform_edt(~pit) * COARSE_M
        for least, most in ((0, 100), (100, 200), (200, 500)):
            ring = (away > least) & (away <= most) & (mine == 0)
            for cover in ("soil", "vegetation", "mixed"):
                assert (truth[ring] == covers[cover]).sum() >= 60, (name, least, cover)


def test_ore_crops_out_beside_the_mines_too_and_is_rare(district, covers):
    ground, shares, mine = district
    ore = ground.cover(shares, covers) == covers["ore"]
    assert 0.005 < ore.mean() < 0.06
    assert ore[mine == 0].sum() > 0.3 * ore.sum()


def test_surveys_are_related_to_ore_but_do_not_give_it_away(district):
    ground, _, _ = district
    x, y = iron.cell_centres(DISTRICT, COARSE_M, 1)
    rock = np.maximum(*ground.bedrock(x, y)) > 0.5
    for field in (ground.anomaly(x, y), ground.heights(x, y)):
        # The chance that a pixel of ore has the higher value: neither a coin nor an oracle.
        values = np.concatenate([field[rock], field[~rock]])
        ranks = values.argsort().argsort()[: rock.sum()]
        area = (ranks.mean() - (rock.sum() - 1) / 2) / (~rock).sum()
        assert 0.6 < area < 0.93
    hosts = np.array(list(iron.UNITS.values()))[ground.map_units(x, y)]
    assert 0.6 < hosts[rock].mean() < 1
    assert rock[hosts].mean() < 0.6


def test_the_summit_is_under_a_cloud_on_every_day(district):
    ground, _, _ = district
    days = range(20210707, 20210712)
    clouds = [ground.clouds(DISTRICT, COARSE_M, 45.0, 40.0, day).cloud for day in days]
    always = np.min(clouds, axis=0) > 1
    assert 50 < always.sum() < 0.05 * always.size
    assert not always[district[2] > 0].any()
    shares = [(cloud > 0.4).mean() for cloud in clouds]
    assert max(shares) > 2 * min(shares)
    clear = make(difficulty=0.0).clouds(WHOLE, PIXEL_M, 45.0, 40.0, days[0])
    assert not clear.cloud.any()


def test_a_larger_ground_holds_the_same_district_in_its_middle(district):
    _, shares, mine = district
    large = make(side_m=2 * iron.DISTRICT_M)
    window = Window(192 + 100, 192 + 50, 40, 30)
    inner = (..., slice(50, 80), slice(100, 140))
    np.testing.assert_allclose(large.abundances(window, COARSE_M), shares[inner], atol=1e-5)
    x, y = iron.cell_centres(Window(0, 0, 768, 768), COARSE_M, 1)
    # No mine but the two.
    assert (large.mine(x, y) > 0).sum() == pytest.approx((mine > 0).sum(), abs=3)


def test_seeds_make_other_grounds_and_difficulty_leaves_the_rocks():
    x, y = iron.cell_centres(WHOLE, PIXEL_M, 1)
    np.testing.assert_array_equal(make(1).bedrock(x, y), make(1, 2.0).bedrock(x, y))
    assert (make(1).bedrock(x, y)[1] != make(2).bedrock(x, y)[1]).any()


# ---- surveys ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def survey():
    site = find_site("iron", seed=42, size_px=[768], difficulty=1.0)
    return site.terrain, Surveyor(site.terrain, site.grid)


def test_mines_and_their_ore_points(survey):
    ground, surveyor = survey
    mines = surveyor.mines()
    assert mines["class"].tolist() == ["hematite", "itabirite"]
    assert set(mines.geometry.geom_type) == {"Polygon"}
    points = surveyor.ore_points(mines)
    assert (points.groupby("class").size() == 30).all()
    local = surveyor._local(points.geometry.x.to_numpy(), points.geometry.y.to_numpy())
    cells = ground.shares_at(*local)
    found = np.where(points["class"] == "hematite", cells["hematite_ore"], cells["itabirite"])
    # A receiver's error of some metres puts a few beside their ore.
    assert (found >= iron.ORE_SHARE).mean() > 0.7


def test_the_geological_map_covers_the_scene_once(survey):
    _, surveyor = survey
    geology = surveyor.geology()
    assert set(geology["unit"]) <= set(iron.UNITS)
    assert (geology["iron"] == "yes").equals(geology["unit"] == "iron formation")
    assert geology.area.sum() == pytest.approx(7680.0**2)
    assert geology.union_all().area == pytest.approx(7680.0**2)
    assert geology.area.min() >= 20_000


def test_claims_and_occurrences_lean_towards_iron_ground_and_lie_in_the_scene(survey):
    _, surveyor = survey
    west, south, east, north = surveyor._grid.bounds
    claims, occurrences = surveyor.claims(), surveyor.occurrences()
    for table in (claims, occurrences):
        assert "iron" in set(table["substance"])
        assert len(set(table["substance"])) > 2
        left, low, right, high = table.total_bounds
        assert west <= left and south <= low and right <= east and high <= north
    assert (claims.area > 0).all()
    geology = surveyor.geology()
    hosting = geology[geology["iron"] == "yes"].union_all()
    iron_points = occurrences[occurrences["substance"] == "iron"].geometry
    near = iron_points.distance(hosting) < 150
    assert 0.5 < near.mean() <= 1
    assert hosting.area / 7680.0**2 < 0.3


def test_old_workings_lie_on_ore_away_from_the_pits_and_districts_cover_the_scene(survey):
    ground, surveyor = survey
    mines = surveyor.mines()
    workings = surveyor.known_mines(mines)
    assert workings["name"].tolist() == [f"Old working {number}" for number in range(1, 6)]
    local = surveyor._local(workings.geometry.x.to_numpy(), workings.geometry.y.to_numpy())
    assert (np.maximum(*ground.bedrock(*local)) > 0.5).all()
    assert workings.distance(mines.union_all()).min() >= 600
    districts = surveyor.districts()
    assert districts.area.sum() == pytest.approx(districts.union_all().area) == 7680.0**2
    years = surveyor.claims()["date"].str[:4]
    assert 0 < years.isna().sum() < 0.4 * len(years)
    assert years.dropna().astype(int).between(1992, 2025).all()
