"""Files that would make a reader open other files, call servers, run code or eat the memory."""

import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from injections import damage as damages
from injections.damage import NOTICED, Damage, NotPossibleError, pick, put

# Where a member with an absolute name would go.
SLIPPED = Path(tempfile.gettempdir()) / "gossan-slipped"


def make(
    path: Path, generator: np.random.Generator, secrets: Path, port: int, origin: Path
) -> Damage:
    """Put a hostile file in the place of an input; `origin` is what the tool was pointed to."""
    name = path.name.lower()
    if name.endswith((".tif", ".img", ".jp2")):
        makers: tuple[Callable, ...] = (raster_vrt, raster_vrt, wms, gti, vrt_http)
    elif name.endswith(".gpkg"):
        makers = (vector_vrt, geojson_crs, wfs, vector_vrt)
    elif name.endswith((".zip", ".tar", ".gz")):
        makers = (slip, links, bomb)
    elif name.endswith(".xml"):
        makers = (entities,)
    elif name == "item.json":
        makers = (assets,)
    elif name.endswith(".npz"):
        makers = (pickled,)
    elif name.endswith(".onnx"):
        makers = (damages.onnx_network,)
    elif name.endswith((".nc", ".he5", ".h5")):
        makers = (external_storage, many_lines)
    elif name.endswith(".csv"):
        makers = (long_line,)
    elif name.endswith(".json"):
        makers = (deep_json,)
    else:
        raise NotPossibleError
    maker = pick(generator, makers)
    return (
        maker(path, generator, secrets, port)
        if maker is not damages.onnx_network
        else maker(path, generator)
    )


def _secret(path: Path, secrets: Path) -> tuple[Path, dict]:
    """A raster of the same kind that nobody gave, upside down; and its profile."""
    import rasterio

    with rasterio.open(path) as source:
        values, profile = source.read()[:, ::-1], dict(source.profile)
        told = [source.tags(number, ns="IMAGERY") for number in source.indexes]
    secret = secrets / "secret.tif"
    profile.update(driver="GTiff", tiled=False, compress=None)
    for key in ("blockxsize", "blockysize", "interleave"):
        profile.pop(key, None)
    with rasterio.open(secret, "w", **profile) as target:
        target.write(values)
        for number, tags in enumerate(told, 1):
            target.update_tags(number, ns="IMAGERY", **tags)
    return secret, profile


def _vrt(path: Path, generator, secrets: Path, source: Callable[[Path], str]) -> None:
    import rasterio
    from rasterio.shutil import copy

    secret, _ = _secret(path, secrets)
    made = secrets / "made.vrt"
    with rasterio.open(secret) as dataset:
        copy(dataset, made, driver="VRT")
    text = made.read_text().replace('relativeToVRT="1"', 'relativeToVRT="0"')
    put(path, text.replace(">secret.tif<", f">{source(secret)}<"))


def raster_vrt(path, generator, secrets, port) -> Damage:
    """A GDAL VRT that shows another raster."""
    _vrt(path, generator, secrets, str)
    return Damage("a VRT of a secret raster in its place", NOTICED)


def vrt_http(path, generator, secrets, port) -> Damage:
    """A GDAL VRT that shows a raster on a server."""
    _vrt(path, generator, secrets, lambda secret: f"/vsicurl/http://127.0.0.1:{port}/secret.tif")
    return Damage("a VRT of a server's raster in its place", NOTICED)


def wms(path, generator, secrets, port) -> Damage:
    """A description of a web map service."""
    put(
        path,
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:{port}/${{z}}/${{x}}/${{y}}.png'
        "</ServerUrl></Service><DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>64</UpperLeftY>"
        "<LowerRightX>64</LowerRightX><LowerRightY>0</LowerRightY><TileLevel>0</TileLevel>"
        "<YOrigin>top</YOrigin></DataWindow><Projection>EPSG:32643</Projection><BlockSizeX>64"
        "</BlockSizeX><BlockSizeY>64</BlockSizeY><BandsCount>1</BandsCount><Timeout>5</Timeout>"
        "</GDAL_WMS>\n",
    )
    return Damage("a description of a web map service in its place", NOTICED)


def gti(path, generator, secrets, port) -> Damage:
    """A GDAL tile index and other small texts that open files."""
    secret, profile = _secret(path, secrets)
    put(
        path,
        f'<VRTDataset rasterXSize="{profile["width"]}" rasterYSize="{profile["height"]}">'
        f'<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename '
        f'relativetoVRT="0">{secret}</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1'
        f"</PixelOffset><LineOffset>{profile['width']}</LineOffset></VRTRasterBand></VRTDataset>",
    )
    return Damage("a VRT of a secret file's raw bytes in its place", NOTICED)


def vector_vrt(path, generator, secrets, port) -> Damage:
    """An OGR VRT that shows another vector file."""
    secret = secrets / "secret.gpkg"
    secret.write_bytes(path.read_bytes())
    import pyogrio

    layer = pyogrio.list_layers(secret)[0, 0]
    import sqlite3

    with sqlite3.connect(secret) as file:
        count = file.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0]
    if count > 1:
        damages_keep_half(secret, layer)
    put(
        path,
        f'<OGRVRTDataSource><OGRVRTLayer name="{layer}"><SrcDataSource relativeToVRT="0">{secret}'
        f"</SrcDataSource><SrcLayer>{layer}</SrcLayer></OGRVRTLayer></OGRVRTDataSource>",
    )
    return Damage("an OGR VRT of a secret file in its place", NOTICED)


def damages_keep_half(path: Path, layer: str) -> None:
    """Leave every second feature of a GeoPackage."""
    import pyogrio

    table = pyogrio.raw.read(path, layer=layer)
    meta, _, geometry, fields = table
    path.unlink()
    keep = slice(None, None, 2)
    pyogrio.raw.write(
        path,
        geometry[keep],
        [values[keep] for values in fields],
        list(meta["fields"]),
        layer=layer,
        crs=meta["crs"],
        geometry_type=meta["geometry_type"],
        driver="GPKG",
    )


def geojson_crs(path, generator, secrets, port) -> Damage:
    """GeoJSON whose reference system lies on a server."""
    put(
        path,
        json.dumps(
            {
                "type": "FeatureCollection",
                "crs": {
                    "type": "link",
                    "properties": {"href": f"http://127.0.0.1:{port}/crs", "type": "esriwkt"},
                },
                "features": [
                    {
                        "type": "Feature",
                        "properties": {"class": "alunite", "name": "a", "code": 1},
                        "geometry": {"type": "Point", "coordinates": [430_500, 3_989_500]},
                    }
                ],
            }
        ),
    )
    return Damage("GeoJSON with a linked reference system in its place", NOTICED)


def wfs(path, generator, secrets, port) -> Damage:
    """A description of a web feature service."""
    put(
        path,
        f"<OGRWFSDataSource><URL>http://127.0.0.1:{port}/wfs</URL></OGRWFSDataSource>",
    )
    return Damage("a description of a web feature service in its place", NOTICED)


def slip(path, generator, secrets, port) -> Damage:
    """A member that points out of the archive."""
    target = pick(generator, ("../../outside/slipped", str(SLIPPED), "..\\..\\slipped"))
    _add(path, target, b"slipped")
    return Damage(f"member {target} added", NOTICED, ["outside", "member", target])


def links(path, generator, secrets, port) -> Damage:
    """A member that is a link to a secret file."""
    secret = secrets / "secret"
    secret.write_bytes(b"secret")
    if zipfile.is_zipfile(path):
        content = path.read_bytes()
        put(path, content)
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo("link_B1.TIF")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, str(secret))
        return Damage("a link added to the archive", NOTICED, ["link"])
    members = damages.members_of(path, False)
    path.unlink()
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        damages.add_members(archive, members)
        entry = tarfile.TarInfo("link_B1.TIF")
        entry.type = pick(generator, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
        entry.linkname = str(secret)
        archive.addfile(entry)
    return Damage("a link added to the archive", NOTICED, ["link"])


def bomb(path, generator, secrets, port) -> Damage:
    """Very many members, or one that unpacks to very much."""
    if zipfile.is_zipfile(path):
        put(path, path.read_bytes())
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            for number in range(1500):
                archive.writestr(f"many/{number}.txt", b"")
        return Damage("1500 members added", NOTICED, ["files", "members"])
    members = damages.members_of(path, False)
    damages.pack(path, members + [(f"many/{number}.txt", b"") for number in range(1500)], False)
    return Damage("1500 members added", NOTICED, ["files", "members"])


def _add(path: Path, name: str, content: bytes) -> None:
    is_zip = zipfile.is_zipfile(path)
    damages.pack(path, [*damages.members_of(path, is_zip), (name, content)], is_zip)


def entities(path, generator, secrets, port) -> Damage:
    """Entities that grow, or that hold another file."""
    secret = secrets / "secret"
    secret.write_text("secret")
    text = path.read_text(encoding="utf-8")
    body = text[text.index("?>") + 2 :] if text.startswith("<?xml") else text
    how = pick(generator, ("laughs", "external", "server"))
    if how == "laughs":
        told = '<!ENTITY a "ha">' + "".join(
            f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10)
        )
        entity = "&k;"
    else:
        where = f"file://{secret}" if how == "external" else f"http://127.0.0.1:{port}/x"
        told, entity = f'<!ENTITY x SYSTEM "{where}">', "&x;"
    place = body.rindex("</")
    put(
        path,
        f'<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE x [{told}]>'
        f"{body[:place]}{entity}{body[place:]}",
    )
    return Damage(f"XML entities: {how}", NOTICED, ["entit"])


def assets(path, generator, secrets, port) -> Damage:
    """A STAC item whose assets lie where nobody may read."""
    secret = secrets / "B04.tif"
    secret.write_bytes((path.parent / "B04.tif").read_bytes())
    href = pick(
        generator,
        (
            f"/vsicurl/http://127.0.0.1:{port}/B04.tif",
            f"/vsizip/{{/vsicurl/http://127.0.0.1:{port}/a.zip}}/B04.tif",
            f"gdal://http://127.0.0.1:{port}/B04.tif",
            "/vsistdin/",
            f"/vsisubfile/0_1000,{secret}",
            '{"driver": "VRT"}',
        ),
    )
    item = json.loads(path.read_text())
    item["assets"]["B04"]["href"] = href
    put(path, json.dumps(item))
    return Damage(f"asset at {href[:30]}", NOTICED, ["B04", "asset", "href", href])


def pickled(path, generator, secrets, port) -> Damage:
    """Arrays that run code when they are unpickled."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    np.save(stream, np.array([damages.Evil()], object), allow_pickle=True)
    name = pick(generator, members)
    members[name] = stream.getvalue()
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return Damage(f"array {name} pickled", NOTICED, [name.removesuffix(".npy")])


def _variable(file, generator) -> str:
    """The name of one of the variables of an HDF5 file that have two dimensions or more."""
    import h5py

    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return pick(generator, [n for n in names if file[n].ndim > 1])


def external_storage(path, generator, secrets, port) -> Damage:
    """An HDF5 variable whose numbers lie in another file."""
    import h5py

    secret = secrets / "secret.raw"
    damages.own(path)
    with h5py.File(path, "r+") as file:
        name = _variable(file, generator)
        values, told = file[name][()], dict(file[name].attrs)
        secret.write_bytes(np.ascontiguousarray(values[::-1]).tobytes())
        del file[name]
        made = file.create_dataset(
            name, values.shape, values.dtype, external=[(str(secret), 0, values.nbytes)]
        )
        made.attrs.update(told)
    return Damage(f"numbers of {name} lie in another file", NOTICED, [name, name.split("/")[-1]])


def many_lines(path, generator, secrets, port) -> Damage:
    """An HDF5 variable that says it is enormous."""
    import h5py

    damages.own(path)
    with h5py.File(path, "r+") as file:
        name = _variable(file, generator)
        shape, kind, told = file[name].shape, file[name].dtype, dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(
            name, (1_000_000, *shape[1:]), kind, chunks=(1000, *shape[1:]), compression="gzip"
        )
        made.attrs.update(told)
    return Damage(f"{name} has a million lines", NOTICED, [name, name.split("/")[-1]])


def long_line(path, generator, secrets, port) -> Damage:
    """A table with a cell of ten million letters, or a million rows."""
    text = path.read_text(encoding="utf-8")
    put(path, text + "x" * 10_000_000 + "\n")
    return Damage("a line of ten million letters at the end", NOTICED)


def deep_json(path, generator, secrets, port) -> Damage:
    """JSON of a depth that no reader bears."""
    put(path, '{"a":' * 200_000)
    return Damage("JSON 200 000 deep", NOTICED)
