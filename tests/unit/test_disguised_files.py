"""A file of the user's is what it is called; nothing in it makes a tool read another file.

A secret file, and a server on loopback that must not be called.
"""

import json
import re
import sqlite3
import zipfile
from contextlib import suppress

import geopandas
import numpy as np
import pytest
import rasterio
from range_server import serve
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import from_origin
from shapely.geometry import Point, box

from gossan.errors import InputError
from gossan.raster import open_raster, read_info
from gossan.vector_files import read_vector

CRS = "EPSG:32643"
TRANSFORM = from_origin(430_000, 3_990_000, 30, 30)
SECRET = 77


@pytest.fixture
def server(tmp_path):
    """A server of the folder `served`, which holds what must not be read."""
    folder = tmp_path / "served"
    folder.mkdir()
    image(folder / "secret.tif", SECRET)
    polygons(folder / "secret.gpkg")
    (folder / "crs").write_text('GEOGCS["x"]')
    with serve(folder) as running:
        yield running
        assert running.log == []


def image(path, value, count=1, **more):
    options = {"driver": "GTiff", "width": 40, "height": 40, "count": count, "dtype": "uint8"}
    with rasterio.open(
        path, "w", **{**options, "crs": CRS, "transform": TRANSFORM, **more}
    ) as target:
        target.write(np.full((count, 40, 40), value, "uint8"))
    return path


def polygons(path, **columns):
    shape = box(430_100, 3_989_000, 430_500, 3_989_800)
    columns = columns or {"class": ["calcite"]}
    geopandas.GeoDataFrame(columns, geometry=[shape], crs=CRS).to_file(path)
    return path


def vrt(source):
    return (
        '<VRTDataset rasterXSize="40" rasterYSize="40"><SRS>EPSG:32643</SRS><GeoTransform>430000,'
        '30,0,3990000,0,-30</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )


def rasters_in_disguise(folder, server):
    yield vrt(folder / "served/secret.tif")
    yield vrt(f"/vsicurl/{server.url('secret.tif')}")
    wms = f"<Service name='WMS'><ServerUrl>{server.url('wms?')}</ServerUrl></Service>"
    yield f"<GDAL_WMS>{wms}</GDAL_WMS>"
    yield f"<WCS_GDAL><ServiceURL>{server.url('wcs?')}</ServiceURL></WCS_GDAL>"
    yield json.dumps(
        {"stac_version": "1.0.0", "stac_extensions": ["tiled-assets"], "type": "Feature"}
    )


@pytest.mark.parametrize("name", ["truth.tif", "dem.vrt", "cube.dat", "map.asc", "a.img"])
def test_a_raster_in_disguise_is_refused(tmp_path, server, name):
    for text in rasters_in_disguise(tmp_path, server):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=f"{name}: (not a readable|is a virtual) raster"):
            read_info(tmp_path / name)


@pytest.mark.parametrize("path", ["/vsicurl/{}", "{}", "GTIFF_DIR:1:{}", "vrt://{}"])
def test_a_path_is_that_of_a_file_alone(server, path):
    with pytest.raises(InputError, match="no such raster file"):
        read_info(path.format(server.url("secret.tif")))


@pytest.mark.parametrize("side", ["truth.tif.ovr", "truth.ovr", "truth.tif.msk", "truth.tif.OVR"])
def test_overviews_and_masks_that_point_elsewhere_are_refused(tmp_path, server, side):
    path = image(tmp_path / "truth.tif", 1)
    for source in (tmp_path / "served/secret.tif", f"/vsicurl/{server.url('secret.tif')}"):
        (tmp_path / side).write_text(vrt(source))
        with pytest.raises(InputError, match=f"{re.escape(side)}: is no GeoTIFF"):
            read_info(path)


@pytest.mark.parametrize(
    "domain, key", [("OVERVIEWS", "OVERVIEW_FILE"), ("GEOLOCATION", "X_DATASET")]
)
@pytest.mark.parametrize("inside", [True, False])
def test_metadata_that_name_another_file_are_refused(tmp_path, server, domain, key, inside):
    path = image(tmp_path / "truth.tif", 1)
    target = f"/vsicurl/{server.url('secret.tif')}"
    if inside:
        with rasterio.open(path, "r+") as opened:
            opened.update_tags(ns=domain, **{key: target})
    else:
        (tmp_path / "truth.tif.aux.xml").write_text(
            f'<PAMDataset><SRS>{server.url("crs")}</SRS><Metadata domain="{domain}">'
            f'<MDI key="{key}">{target}</MDI></Metadata></PAMDataset>'
        )
    with pytest.raises(InputError, match=rf"truth\.tif: names another file \({domain}"):
        read_info(path)


def test_overviews_of_its_own_beside_a_raster_are_read(tmp_path):
    path = image(tmp_path / "truth.tif", 1)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as opened:
        opened.build_overviews([2, 4], Resampling.nearest)
    assert (tmp_path / "truth.tif.ovr").exists()
    with open_raster(path) as opened:
        assert opened.overviews(1) == [2, 4]


def test_a_file_of_several_images_is_refused_with_what_to_do(tmp_path):
    path = image(tmp_path / "pages.tif", 1)
    image(path, 2, APPEND_SUBDATASET=True)
    with pytest.raises(InputError, match=r"pages\.tif: holds 2 images; .*GTIFF_DIR:1"):
        read_info(path)


def test_a_side_file_of_an_archive_is_not_looked_at(tmp_path, server):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(image(tmp_path / "b.tif", 1), "b.tif")
        archive.writestr("b.tif.ovr", vrt(f"/vsicurl/{server.url('secret.tif')}"))
    with open_raster(f"/vsizip/{path}/b.tif", "GTiff") as opened:
        assert opened.overviews(1) == []
    with pytest.raises(RasterioError):
        open_raster(f"/vsizip/{path}/b.tif.ovr", "GTiff")


# ---- vectors -------------------------------------------------------------------------------------


def vectors_in_disguise(folder, server):
    named = "<SrcDataSource>{}</SrcDataSource><SrcLayer>secret</SrcLayer>"
    layer = f"<OGRVRTLayer name='a'>{named}</OGRVRTLayer>"
    for source in (folder / "served/secret.gpkg", f"/vsicurl/{server.url('secret.gpkg')}"):
        yield f"<OGRVRTDataSource>{layer.format(source)}</OGRVRTDataSource>"
    yield f"<OGRWFSDataSource><URL>{server.url('wfs')}</URL></OGRWFSDataSource>"
    yield f"<OGRCSWDataSource><URL>{server.url('csw')}</URL></OGRCSWDataSource>"
    place = f"<OnlineResource>{server.url('wfs')}</OnlineResource>"
    yield f"<WFS_Capabilities><Service>{place}</Service></WFS_Capabilities>"
    yield json.dumps(
        {"type": "gdal_streamed_alg", "command_line": f"read {folder}/served/secret.gpkg"}
    )
    yield vrt(folder / "served/secret.tif")


@pytest.mark.parametrize(
    "ending",
    [
        "gpkg",
        "shp",
        "geojson",
        "json",
        "kml",
        "gpx",
        "fgb",
        "tab",
        "mif",
        "zip",
        "gdb",
        "csv",
        "gml",
    ],
)
def test_a_vector_file_in_disguise_is_refused(tmp_path, server, ending):
    path = tmp_path / f"zones.{ending}"
    for text in vectors_in_disguise(tmp_path, server):
        for before in ("", "Version 300\n", '{"type": "FeatureCollection", "features": [], "x": "'):
            path.write_text(before + text)
            with pytest.raises(InputError, match=rf"zones\.{ending}(, line \d+)?: "):
                read_vector(path, "zones")


@pytest.mark.parametrize("place", ["collection", "geometry", "odd capitals"])
def test_a_linked_reference_system_is_not_fetched(tmp_path, server, place):
    crs = {"type": "link", "properties": {"href": server.url("crs"), "type": "esriwkt"}}
    shape = json.loads(geopandas.GeoSeries([Point(1, 2)]).to_json())["features"][0]["geometry"]
    if place == "geometry":
        shape["crs"] = crs
    found = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {"class": "a"}, "geometry": shape}],
    }
    if place != "geometry":
        key, crs["type"] = ("CRS", "URL") if place == "odd capitals" else ("crs", "link")
        found[key] = crs
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"a\.geojson: links its coordinate system"):
        read_vector(path, "zones")


def test_network_links_and_entities_of_kml_are_not_followed(tmp_path, server):
    path = tmp_path / "a.kml"
    link = f"<NetworkLink><Link><href>{server.url('more.kml')}</href></Link></NetworkLink>"
    style = f"<styleUrl>{server.url('style.kml')}#a</styleUrl>"
    point = (
        f"<Placemark><name>a</name>{style}<Point><coordinates>1,2</coordinates></Point></Placemark>"
    )
    body = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{link}{point}</Document></kml>'
    path.write_text(body)
    assert len(read_vector(path, "zones")[0]) == 1
    entity = f'<!DOCTYPE kml [<!ENTITY x SYSTEM "{server.url("x")}">]>'
    path.write_text(entity + body.replace("<name>a", "<name>&x;"))
    with pytest.raises(InputError, match="declares a document type"):
        read_vector(path, "zones")


@pytest.mark.parametrize(
    "statement, fault",
    [
        ("CREATE VIEW draft AS SELECT * FROM zones", "its layer draft is a view"),
        ("DROP TABLE gpkg_ogr_contents; CREATE VIEW gpkg_ogr_contents AS SELECT 1", "is a view"),
        ("CREATE TABLE IF NOT EXISTS a(b); DROP TABLE gpkg_contents", "is a SQLite file but no"),
    ],
)
def test_what_a_geopackage_computes_is_refused(tmp_path, statement, fault):
    path = polygons(tmp_path / "zones.gpkg")
    with sqlite3.connect(path) as opened:
        opened.create_function("ST_IsEmpty", 1, lambda shape: 0)
        for name in ("MinX", "MaxX", "MinY", "MaxY"):
            opened.create_function(f"ST_{name}", 1, lambda shape: 0)
        opened.executescript(statement)
        if "draft" in statement:
            opened.execute(
                "INSERT INTO gpkg_contents(table_name, data_type, srs_id) "
                "VALUES ('draft', 'features', 32643)"
            )
            opened.execute(
                "INSERT INTO gpkg_geometry_columns SELECT 'draft', column_name, "
                "geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns"
            )
    with pytest.raises(InputError, match=fault):
        read_vector(f"{path}|layername=draft" if "draft" in statement else path, "zones")


def test_a_virtual_table_of_a_geopackage_is_refused(tmp_path):
    path = polygons(tmp_path / "zones.gpkg")
    with sqlite3.connect(path) as opened:
        opened.execute("PRAGMA writable_schema=ON")
        opened.execute(
            "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, "
            "'CREATE VIRTUAL TABLE v USING VirtualOGR(''/etc/passwd'')')"
        )
    with pytest.raises(InputError, match=r"its table v is a virtual one \(VirtualOGR\)"):
        read_vector(path, "zones")


def test_a_header_of_which_a_part_is_zeros_is_refused(tmp_path):
    with rasterio.open(
        tmp_path / "a.img", "w", driver="ENVI", width=8, height=8, count=1, dtype="uint8"
    ) as target:
        target.write(np.ones((1, 8, 8), "uint8"))
    header = tmp_path / "a.hdr"
    header.write_text(header.read_text() + "\0" * 60)
    with pytest.raises(InputError, match=r"a\.hdr: is damaged, a part of its text is zeros"):
        read_info(tmp_path / "a.img")


def test_an_address_in_place_of_a_reference_system_is_not_fetched(tmp_path, server):
    address = server.url("crs")
    with rasterio.open(
        tmp_path / "a.img", "w", driver="ENVI", width=8, height=8, count=1, dtype="uint8"
    ) as target:
        target.write(np.ones((1, 8, 8), "uint8"))
    with (tmp_path / "a.hdr").open("a") as header:
        header.write(f"coordinate system string = {{{address}}}\n")
    read_info(tmp_path / "a.img")
    (tmp_path / "b.asc").write_text(
        "ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n"
    )
    (tmp_path / "b.prj").write_text(address)
    read_info(tmp_path / "b.asc")
    polygons(tmp_path / "zones.shp")
    (tmp_path / "zones.prj").write_text(address)
    read_vector(tmp_path / "zones.shp", "zones")
    polygons(tmp_path / "zones.gpkg")
    with sqlite3.connect(tmp_path / "zones.gpkg") as opened:
        change = "UPDATE gpkg_spatial_ref_sys SET definition = ?, organization = 'x'"
        opened.execute(change, [address])
    read_vector(tmp_path / "zones.gpkg", "zones")
    crs = {"type": "name", "properties": {"name": address}}
    polygons(tmp_path / "zones.geojson")
    found = json.loads((tmp_path / "zones.geojson").read_text()) | {"crs": crs}
    (tmp_path / "zones.geojson").write_text(json.dumps(found))
    # Whether such a file is read or refused, nobody is called, as the fixture makes sure.
    with suppress(InputError):
        read_vector(tmp_path / "zones.geojson", "zones")


def test_tools_open_rasters_and_vectors_in_one_place_each(root):
    """What the tests above hold for these two functions holds for every tool."""
    opening = re.compile(r"rasterio\.open\(|read_file\(|pyogrio\.read_data|fiona")
    # What the project has written itself is looked at there, and by the simulator; an image of an
    # archive, of which only a part is fetched, is read where it lies.
    own = ("raster.py", "vector_files.py", "whole.py", "windows.py")
    for path in (root / "scripts").rglob("*.py"):
        if path.name not in own and path.parent.name != "twin":
            lines = [line for line in path.read_text().splitlines() if "_read_file(" not in line]
            assert not [line for line in lines if opening.search(line)], path
