"""Class tables and styles."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio

from gossan.errors import InputError
from gossan.legend import (
    MapClass,
    class_colours,
    merge_classes,
    read_class_style,
    read_classes,
    read_qml,
    write_class_style,
    write_continuous_style,
    write_rgb_style,
)

HEADER = "code,name,label,kind,colour,record,max_angle_rad\n"
CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00"),
    MapClass(12, "feldspar", 'Feldspar <K> & "Na"', "#FE00FE"),
]


def write_table(folder: Path, text: str) -> Path:
    path = folder / "classes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_table_reads_whole(root):
    classes = read_classes(root / "resources/static/minerals.csv")
    assert len(classes) >= 26
    assert (classes[1].code, classes[1].label, classes[1].rgb) == (2, "Chalcocite", (0, 254, 0))
    assert {item.kind for item in classes} == {"mineral", "cover"}
    colours = [item.colour for item in classes]
    assert len(set(colours)) == len(colours)


def test_shipped_minerals_have_the_group_of_their_absorptions(root):
    groups = {
        item.name: item.group for item in read_classes(root / "resources/static/minerals.csv")
    }
    iron = {"hematite", "nanohematite", "goethite", "nanohematite+goethite", "jarosite"}
    assert {name for name, group in groups.items() if group == "1um"} == iron
    for name in ("quartz", "feldspar", "albite", "pyrite", "chalcocite", "magnetite", "soil"):
        assert groups[name] == ""
    for name in ("kaolinite", "alunite", "calcite", "chlorite", "saponite", "calcite+muscovite"):
        assert groups[name] == "2um"


def test_optional_columns_and_order(tmp_path):
    text = HEADER + "12,feldspar,Feldspar,mineral,#fe00fe,Microcline HS,0.1\n2,soil,,,#00FE00,,\n"
    first, second = read_classes(write_table(tmp_path, text))
    assert first == MapClass(
        12, "feldspar", "Feldspar", "#FE00FE", record="Microcline HS", max_angle_rad=0.1
    )
    assert second == MapClass(2, "soil", "soil", "#00FE00")
    bare = "colour,label,name,code,note\n#000000,A,a,1,x\n"
    assert read_classes(write_table(tmp_path, bare)) == [MapClass(1, "a", "A", "#000000")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,name,label\n1,a,A\n", "lacks the column colour"),
        ("", "lacks the column code, name, label, colour"),
        (HEADER, "holds no class"),
        (HEADER + "1,a,A,,#000000,,\n1,b,B,,#000000,,\n", "code 1 stands twice"),
        (HEADER + "1,a,A,,#000000,,\n2,a,B,,#000000,,\n", "name a stands twice"),
        (HEADER + "0,a,A,,#000000,,\n", "line 2: code 0 is reserved"),
        (HEADER + "255,a,A,,#000000,,\n", "code 255 is reserved"),
        (HEADER + "x,a,A,,#000000,,\n", "code 'x' is not a whole number"),
        (HEADER + "9" * 5000 + ",a,A,,#000000,,\n", f"code '{'9' * 40}' is not a whole number"),
        (HEADER + "1,,A,,#000000,,\n", "name is empty"),
        (HEADER + "1,a,A,,red,,\n", "colour 'red' is not of the form #RRGGBB"),
        (HEADER + "1,a\n", "line 2: 2 columns where the header has 7"),
        (HEADER + "1,a,A,,,,\n", "colour '' is not"),
        (
            "code,name,label,colour,group\n1,a,A,#000000,3um\n",
            "group '3um' is not known; write 1um",
        ),
        (HEADER + "1,a,A,,#000000,,wide\n", "max_angle_rad 'wide'"),
        (HEADER + "1,a,A,,#000000,,-1\n", "max_angle_rad '-1'"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=r"classes\.csv") as fault:
        read_classes(write_table(tmp_path, text))
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


def test_missing_and_binary_tables_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: no such table"):
        read_classes(tmp_path / "none.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00code")
    with pytest.raises(InputError, match=r"binary\.csv: not a text file"):
        read_classes(binary)


def test_class_style_for_qgis(tmp_path):
    write_class_style(tmp_path / "class.tif", CLASSES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class.qml", "class.tif.aux.xml"]
    text = (tmp_path / "class.qml").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis")
    renderer = ET.fromstring(text).find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted"
    assert renderer.get("band") == "1"
    assert renderer.get("nodataColor") == "169,173,176,255"
    entries = [
        (int(e.get("value")), e.get("label"), e.get("color"), int(e.get("alpha")))
        for e in renderer.iter("paletteEntry")
    ]
    assert entries == [
        (0, "Unclassified", "#f1f0ec", 0),
        (2, "Chalcocite", "#00fe00", 255),
        (12, 'Feldspar <K> & "Na"', "#fe00fe", 255),
    ]


def test_class_style_for_gdal(tmp_path):
    write_class_style(tmp_path / "class.tif", CLASSES)
    band = ET.parse(tmp_path / "class.tif.aux.xml").getroot().find("PAMRasterBand")
    names = [item.text or "" for item in band.iter("Category")]
    assert len(names) == 13
    assert (names[0], names[1], names[2], names[12]) == (
        "Unclassified",
        "",
        "Chalcocite",
        'Feldspar <K> & "Na"',
    )
    table = band.find("GDALRasterAttributeTable")
    columns = [item.findtext("Name") for item in table.iter("FieldDefn")]
    assert columns == ["Value", "Class", "Red", "Green", "Blue", "Alpha"]
    rows = [[cell.text for cell in row] for row in table.iter("Row")]
    assert rows[1] == ["2", "Chalcocite", "0", "254", "0", "255"]
    assert [row[0] for row in rows] == ["0", "2", "12"]


def test_gdal_reads_the_colours_from_beside_the_raster(tmp_path):
    path = tmp_path / "class.tif"
    transform = rasterio.Affine(30, 0, 0, 0, -30, 0)
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", transform=transform
    ) as dataset:
        dataset.write(np.ones((1, 2, 2), "uint8"))
    write_class_style(path, CLASSES)
    with rasterio.open(path) as dataset:
        colours = dataset.colormap(1)
    assert colours[0] == (241, 240, 236, 255)
    assert colours[2] == (0, 254, 0, 255)
    assert colours[255] == (169, 173, 176, 255)
    assert colours[3] == (0, 0, 0, 0)


def test_the_classes_of_a_style_are_read_back(tmp_path):
    path = tmp_path / "class.tif"
    assert read_class_style(path) == []
    write_class_style(path, CLASSES, bands=2)
    told = [(item.code, item.label, item.colour) for item in read_class_style(path)]
    assert told == [(item.code, item.label, item.colour) for item in CLASSES]
    (tmp_path / "class.tif.aux.xml").write_text("<PAMDataset>")
    with pytest.raises(InputError, match="no style of a class map"):
        read_class_style(path)


def test_continuous_style_spans_the_range(tmp_path):
    write_continuous_style(tmp_path / "angle.tif", 0.02, 0.1, unit="rad", reverse=True)
    assert [path.name for path in tmp_path.iterdir()] == ["angle.qml"]
    renderer = ET.parse(tmp_path / "angle.qml").getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    assert (renderer.get("classificationMin"), renderer.get("classificationMax")) == ("0.02", "0.1")
    items = list(renderer.iter("item"))
    values = [float(item.get("value")) for item in items]
    np.testing.assert_allclose(values, np.linspace(0.02, 0.1, 5))
    assert (items[0].get("label"), items[0].get("color")) == ("0.02 rad", "#fde725")
    with pytest.raises(ValueError, match="empty"):
        write_continuous_style(tmp_path / "angle.tif", 1, 1)
    with pytest.raises(ValueError, match="empty"):
        write_continuous_style(tmp_path / "angle.tif", float("nan"), 1)


def test_an_rgb_style_names_three_bands_and_their_ranges(tmp_path):
    write_rgb_style(tmp_path / "cube.tif", (4, 3, 1), [(0.01, 0.2), (0.02, 0.3), (0.0, 0.5)])
    renderer = ET.parse(tmp_path / "cube.qml").getroot().find("pipe/rasterrenderer")
    assert renderer.get("type") == "multibandcolor"
    assert [renderer.get(f"{name}Band") for name in ("red", "green", "blue")] == ["4", "3", "1"]
    green = renderer.find("greenContrastEnhancement")
    assert [item.text for item in green] == ["0.02", "0.3", "StretchToMinimumMaximum"]


@pytest.mark.parametrize(
    ("bands", "limits"),
    [
        ((1, 2), [(0, 1)] * 2),
        ((1, 2, 3), [(0, 1)] * 2),
        ((0, 1, 2), [(0, 1)] * 3),
        ((1, 2, 3), [(0, 1), (1, 1), (0, 1)]),
        ((1, 2, 3), [(0, 1), (0, 1), (0, float("nan"))]),
    ],
)
def test_no_rgb_style_of_other_than_three_bands_and_ranges(tmp_path, bands, limits):
    with pytest.raises(ValueError, match=r"colour|cannot be drawn"):
        write_rgb_style(tmp_path / "cube.tif", bands, limits)
    assert not list(tmp_path.iterdir())


def test_class_colours_feed_a_layer():
    assert class_colours(CLASSES) == {
        0: "#F1F0EC",
        2: "#00FE00",
        12: "#FE00FE",
        255: "#A9ADB0",
    }


def test_styles_are_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        write_class_style(tmp_path / name / "class.tif", CLASSES)
    for file in ("class.qml", "class.tif.aux.xml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_codes_of_new_minerals_keep_clear_of_those_that_other_rows_bring():
    own = [{"name": "a", "colour": "#123456"}, {"name": "b", "colour": "#123457", "code": "200"}]
    merged, faults = merge_classes([], own)
    assert faults == []
    assert [item.code for item in merged] == [201, 200]


def test_more_new_minerals_than_codes_are_told():
    own = [{"name": f"m{number}", "colour": f"#0000{number:02X}"} for number in range(60)]
    merged, faults = merge_classes([], own)
    assert len(merged) == 55 and len(faults) == 5
    assert "m55: no code from 200 on is free; give it one" in faults


def test_the_group_of_a_row_is_kept_filled_in_and_checked():
    known = [MapClass(1, "a", "A", "#000001", group="2um"), MapClass(2, "b", "B", "#000002")]
    own = [{"name": "a", "label": "Alpha"}, {"name": "b", "group": "1um"}]
    own.append({"name": "c", "colour": "#000003", "group": "2um"})
    merged, faults = merge_classes(known, own)
    assert faults == []
    assert [item.group for item in merged] == ["2um", "1um", "2um"]
    _, faults = merge_classes(known, [{"name": "a", "group": "swir"}])
    assert faults == ["a: group 'swir' is not known; write 1um (iron), 2um (OH, CO3) or nothing"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<b>pyrite</b>", "holds markup"),
        ("a &lt;b", "holds markup"),
        ("=cmd|'/c calc'!A1", "begins with =, as formulas"),
        ("+1", "begins with +"),
        ("-a", "begins with -"),
        ("@SUM(A1)", "begins with @"),
        ("pyrite\u202eetirap", "turns the direction"),
        ("py\x1brite", "control character"),
        ("a" * 100_000, "is 100000 letters long; use 120"),
    ],
)
@pytest.mark.parametrize("column", ["name", "label"])
def test_what_no_label_needs_is_refused_at_the_door(tmp_path, column, text, message):
    cells = {"name": "a", "label": "A", column: '"' + text + '"'}
    path = write_table(
        tmp_path, f"code,name,label,colour\n1,{cells['name']},{cells['label']},#123456\n"
    )
    with pytest.raises(InputError) as caught:
        read_classes(path)
    assert f"line 2: {column} " in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_labels_of_any_script_are_fine(tmp_path):
    labels = ["Filito São João", "کانی\u200cها", "Sand & gravel < 2 mm", "d'or {x} 100 %"]
    rows = "".join(f"{n},m{n},{text},#12345{n}\n" for n, text in enumerate(labels, start=1))
    found = read_classes(write_table(tmp_path, f"code,name,label,colour\n{rows}"))
    assert [item.label for item in found] == labels


@pytest.mark.parametrize("content", ["", "<html><body/></html>", "<!DOCTYPE html><p>", "<qgis/>"])
def test_what_is_no_style_of_a_raster_is_refused(tmp_path, content):
    path = tmp_path / "angle.qml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"angle\.qml: is no style of"):
        read_qml(path)
