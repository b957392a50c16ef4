"""What the report says of targets: the best ground, known sites by potential, curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gossan.files import read_json
from gossan.report.layout import relative_link
from gossan.report.phrases import SPARSE, area_text, count, join_words, part_of, percent
from gossan.report.sections import Scene, Section, Source
from gossan.tables import read_table, value_of

FIGURE_TITLES = {
    "targets": "Targets",
    "overlay": "Claims and occurrences",
    "periods": "Claims by period",
    "districts": "Potential by district",
    "success": "Success-rate curves",
    "prediction-area": "Prediction-area plots",
}
ANSWERS = ()
OVERLAY_COLUMNS = (
    *("sites", "potential", "area_share", "n", "found"),
    *("share", "ratio", "touching_share"),
)
COMPARED = ("map", "scale", "n", "favourable", "average_precision", "gain", "f1", "best_alone")
SCALES = {"learned": "learned", "ranks": "by rank", "own": "its own order"}
MEDIUM_OR_HIGH = "medium or high"
KNOWN = {
    "periods": ("claims", ("period", *OVERLAY_COLUMNS[1:])),
    "districts": (
        "districts",
        ("district", "area_km2", "medium_share", "high_share", "claims", "claims_found"),
    ),
    "known_mines": ("known_mines", ("mine", "potential", "highest", "score", "area_share")),
}
"""Tables of what is known: what must hold for it, and columns."""
LIST_COLUMNS = (
    *("rank", "id", "known", "longitude", "latitude", "area_ha", "mean_score", "max_score"),
    *("methods_in_favour", "dominant", "dominant_share", "nearest_known", "nearest_known_m"),
    "rank_of_all",
)
MOST_LISTED = 20
"""Targets of each list that the page shows, the best."""
LIST_FILES = {
    "targets.gpkg": "QGIS",
    "targets.csv": "table",
    "targets.kml": "Google Earth",
    "targets.gpx": "GPS",
}


@dataclass(frozen=True, kw_only=True)
class TargetScene(Scene):
    """A scene with its targets.

    `record` is that of rank_targets, `overlay` are rows of overlay.csv; `agreement` is the record
    of map_agreement, `compared` are rows of combined.csv, of the combined map beside each method;
    `known` are the rows of periods.csv, districts.csv and known_mines.csv as far as there are such
    sites. `listed` are the rows of targets.csv, `links` (title, link) of its forms.
    """

    record: Mapping
    overlay: Sequence[Mapping[str, str]]
    agreement: Mapping | None = None
    compared: Sequence[Mapping[str, str]] = ()
    known: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    listed: Sequence[Mapping[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()


def read_scene(source: Source) -> TargetScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    record = read_json(source.folder / "targets.json")
    needs = {"periods": "claims", "districts": "districts"}
    names = [name for name in FIGURE_TITLES if source.holds(*needs.get(name, "").split())]
    known = {
        name: read_table(source.folder / f"{name}.csv", columns)
        for name, (condition, columns) in KNOWN.items()
        if source.holds(condition)
    }
    return TargetScene(
        id=source.id,
        cube={"synthetic": record.get("synthetic", False)},
        figures=source.figures(names),
        agreement=read_json(source.folder / "agreement.json"),
        compared=(
            read_table(source.folder / "combined.csv", COMPARED) if source.holds("truth") else ()
        ),
        record=record,
        overlay=read_table(source.folder / "overlay.csv", OVERLAY_COLUMNS),
        known=known,
        listed=read_table(source.folder / "targets.csv", LIST_COLUMNS),
        links=[
            (title, relative_link(source.folder / file, source.study_dir / "report.html"))
            for file, title in LIST_FILES.items()
        ],
    )


def make_section(scene: TargetScene, source: Source) -> Section:
    """The section of a scene's targets.

    A paper may have `claims`: the `share` of `n` claims on medium to high potential.
    """
    note = describe_claims(scene, source.paper)
    return Section(
        "targets",
        scene,
        {name: FIGURE_TITLES[name] for name in scene.figures},
        _context(scene, note),
        [note] if note else [],
    )


def describe_claims(scene: TargetScene, paper: Mapping) -> str:
    """Share of claims on medium or high potential, against its share of area and the paper's."""
    row = claims_row(scene, "claims")
    if row is None:
        return ""
    text = (
        f"In scene {scene.id}, {int(row['found']):,} of {int(row['n']):,} claims "
        f"({float(row['share']):.1%}{_interval(row, 'share')}) lie with most of their ground on "
        f"medium or high potential, and {float(row['touching_share']):.1%} touch it; it covers "
        f"{float(row['area_share']):.1%} of the mapped area."
    )
    if claims := paper.get("claims"):
        share, number = claims["share"], claims["n"]
        text += f" The paper has {share:.2%} of {number:,} claims on its own ground."
    return text


def claims_row(scene: TargetScene, sites: str) -> Mapping[str, str] | None:
    """The overlay's row of some sites on medium or high potential; None without such sites."""
    return next(
        (
            row
            for row in scene.overlay
            if row["sites"] == sites and row["potential"] == MEDIUM_OR_HIGH and row["share"]
        ),
        None,
    )


def _interval(row: Mapping[str, str], name: str) -> str:
    if not row.get(f"{name}_low"):
        return ""
    low, high = (100 * float(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f", 95 % interval {low:.1f} to {high:.1f}"


def _context(scene: TargetScene, claims_note: str) -> dict:
    record = scene.record
    return {
        **record,
        "areas": [
            {
                "name": item["name"],
                "pixels": f"{item['pixels']:,}",
                "area": f"{item['area_km2']:,.2f}" if item.get("area_km2") is not None else SPARSE,
                "share": percent(item["share"], 2),
            }
            for item in record["potential"]
        ],
        "overlay": [
            {
                "sites": row["sites"],
                "potential": row["potential"],
                "area": percent(row["area_share"]),
                "found": f"{int(row['found']):,} of {int(row['n']):,}",
                "share": value_of(row, "share"),
                "ratio": value_of(row, "ratio"),
                "touching": percent(row["touching_share"]),
            }
            for row in scene.overlay
        ],
        "known": _known_context(scene),
        "curve_note": describe_curves(record["curves"]),
        "claims": claims_row(scene, "claims"),
        "claims_note": claims_note,
        "cards": _cards(scene),
        "links": scene.links,
        "lists": _lists(scene.listed),
        "agreement": _agreement_rows(scene.agreement) if scene.agreement else [],
        "compared": _compared_rows(scene.compared),
        "agreement_note": describe_agreement(scene.agreement) if scene.agreement else "",
    }


def _lists(rows: Sequence[Mapping[str, str]]) -> dict[str, list[dict]]:
    """The best of new and of known ground as the template shows them."""
    listed = {"new": [], "known": []}
    for row in rows:
        apart = listed["known" if row["known"] else "new"]
        if len(apart) < MOST_LISTED:
            apart.append(_list_row(row))
    return listed


def _list_row(row: Mapping[str, str]) -> dict[str, object]:
    nearest = row["nearest_known"] or SPARSE
    if row["nearest_known_m"] and float(row["nearest_known_m"]):
        nearest = f"{float(row['nearest_known_m']) / 1000:,.1f} km to {nearest}"
    dominant = row["dominant"] or SPARSE
    if row["dominant_share"]:
        dominant += f" ({float(row['dominant_share']):.0%})"
    return {
        "id": row["id"],
        "known": row["known"],
        "place": f"{float(row['latitude']):.5f}, {float(row['longitude']):.5f}",
        "area": f"{float(row['area_ha']):,.1f}",
        "mean": f"{float(row['mean_score']):.2f}",
        "highest": f"{float(row['max_score']):.2f}",
        "methods": row["methods_in_favour"] or SPARSE,
        "dominant": dominant,
        "nearest": nearest,
        "of_all": row["rank_of_all"],
    }


def _known_context(scene: TargetScene) -> dict:
    """Claims by period, districts and known mines as the template shows them."""
    periods = [row for row in scene.known.get("periods", ()) if row["potential"] == MEDIUM_OR_HIGH]
    return {
        "periods": [
            {
                "period": row["period"],
                "found": f"{int(row['found']):,} of {int(row['n']):,}",
                "share": value_of(row, "share"),
                "touching": percent(row["touching_share"]),
                "area": percent(row["area_share"]),
            }
            for row in periods
        ],
        "districts": [
            {
                "district": row["district"],
                "area": area_text(float(row["area_km2"])) if row["area_km2"] else SPARSE,
                "medium": percent(row["medium_share"], 2),
                "high": percent(row["high_share"], 2),
                "claims": _part(row, "claims"),
                "occurrences": _part(row, "occurrences"),
            }
            for row in scene.known.get("districts", ())
        ],
        "mines": [
            {
                "mine": row["mine"],
                "potential": row["potential"] or "no data",
                "highest": row["highest"] or SPARSE,
                "area": percent(row["area_share"]),
            }
            for row in scene.known.get("known_mines", ())
        ],
        "notes": scene.record.get("notes", []),
        "mine_note": describe_mines(scene.known.get("known_mines", ())),
    }


def _part(row: Mapping[str, str], name: str) -> str:
    return f"{row[f'{name}_found']} of {row[name]}" if row.get(name) else SPARSE


def describe_mines(rows: Sequence[Mapping[str, str]]) -> str:
    """How many of the mines that taught nothing the map finds; "" without any."""
    mapped = [row for row in rows if row["potential"]]
    if not mapped:
        return ""
    found = sum(row["potential"] in ("medium", "high") for row in mapped)
    return (
        f"Of {len(mapped)} known mines that taught nothing, {found} lie on medium or high "
        "potential."
    )


def describe_agreement(record: Mapping) -> str:
    """On which scale the methods are put, and what is to be said of their answers."""
    return " ".join([record["rule"], *record["notes"]])


def _agreement_rows(record: Mapping) -> list[dict]:
    """The maps that the methods agree by: what is favourable in each, and how much of it."""
    return [
        {
            "title": item["title"],
            "favourable": ", ".join(item["favourable"]) or "all of its classes",
            "answered": count(item["answered_pixels"]),
            "share": part_of(item["favourable_pixels"], item["answered_pixels"]),
        }
        for item in record["maps"]
    ]


def _compared_rows(rows: Sequence[Mapping[str, str]]) -> list[dict]:
    """The combined map and each method alone, on the same test pixels."""
    return [
        {
            "map": row["map"],
            "scale": SCALES[row["scale"]],
            "n": f"{int(row['n']):,}",
            "favourable": f"{int(row['favourable']):,}",
            "precision": value_of(row, "average_precision"),
            "gain": value_of(row, "gain") if row["gain"] else None,
            "f1": row["f1"],
            "best": bool(row["best_alone"]),
        }
        for row in rows
    ]


def _cards(scene: TargetScene) -> list[dict]:
    """The key number: claims on medium or high potential."""
    row = claims_row(scene, "claims")
    if row is None:
        return []
    note = f"n = {int(row['n']):,}, on {float(row['area_share']):.1%} of the area"
    share = percent(row["share"])
    return [{"name": "Claims on medium or high potential", "text": share, "note": note}]


def describe_curves(curves: Sequence[Mapping]) -> str:
    """Which sites the score finds better than chance would."""
    better, unclear = [], []
    for item in curves:
        low = item["area_under_curve"]["low"]
        if low is not None:
            (better if low > 0.5 else unclear).append(item["sites"])
    parts = []
    if better:
        parts.append(f"The score finds {join_words(better)} better than chance would")
    if unclear:
        parts.append(
            f"{'for' if better else 'For'} {join_words(unclear)} the interval of the area under "
            "the curve holds 0.5, so chance cannot be ruled out"
        )
    return f"{'; '.join(parts)}." if parts else ""
