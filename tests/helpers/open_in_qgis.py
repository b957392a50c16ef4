"""Open a project or a layer in a real QGIS without a screen, and say what it sees (JSON).

Run by the system's Python, which has QGIS's: `python3 open_in_qgis.py project FILE [PICTURE]`,
`layer SOURCE` of vectors or `raster FILE X Y`.
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPointXY,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
    QgsRenderContext,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

SIDE_PX = 600


def tell_vector(layer):
    """What is drawn of a vector layer, how it is labelled, and what its fields are called."""
    renderer = layer.renderer()
    categories = renderer.categories() if renderer.type() == "categorizedSymbol" else []
    return {
        "renderer": renderer.type(),
        "colours": [symbol.color().name() for symbol in renderer.symbols(QgsRenderContext())],
        "categories": {str(item.value() or ""): item.label() for item in categories},
        "label": layer.labeling().settings().fieldName if layer.labelsEnabled() else "",
        "aliases": {
            field.name(): layer.attributeAlias(place) for place, field in enumerate(layer.fields())
        },
        "features": layer.featureCount(),
    }


def tell_raster(layer):
    """What is drawn of a raster layer, and what its bands are called."""
    renderer = layer.renderer()
    items = renderer.legendSymbologyItems()
    return {
        "renderer": renderer.type(),
        "bands": [layer.bandName(number + 1) for number in range(layer.bandCount())],
        "uses": renderer.usesBands(),
        "legend": {text: colour.name() for text, colour in items},
    }


def tell_layer(node):
    """A layer of the tree: its name, where it stands, whether it is drawn, and its look."""
    layer, groups = node.layer(), []
    parent = node.parent()
    while parent.parent() is not None:
        groups.insert(0, parent.name())
        parent = parent.parent()
    told = {
        "name": node.name(),
        "group": "/".join(groups),
        "visible": node.isVisible(),
        "valid": layer is not None and layer.isValid(),
    }
    if not told["valid"]:
        return told
    own = tell_vector(layer) if isinstance(layer, QgsVectorLayer) else tell_raster(layer)
    return {
        **told,
        **own,
        "source": layer.source(),
        "crs": layer.crs().authid() or layer.crs().toWkt(),
        "title": layer.title(),
        "abstract": layer.abstract(),
    }


def draw(project, path):
    """Draw what is visible of a project, from its own extent; the extent drawn."""
    settings = QgsMapSettings()
    root = project.layerTreeRoot()
    shown = {layer.id() for layer in root.checkedLayers() if layer}
    settings.setLayers([layer for layer in root.layerOrder() if layer.id() in shown])
    settings.setDestinationCrs(project.crs())
    settings.setTransformContext(project.transformContext())
    settings.setExtent(project.viewSettings().defaultViewExtent())
    settings.setOutputSize(QSize(SIDE_PX, SIDE_PX))
    settings.setBackgroundColor(QColor("#ffffff"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(path)
    shown = settings.visibleExtent()
    faults = [fault.message for fault in job.errors()]
    box = [shown.xMinimum(), shown.yMinimum(), shown.xMaximum(), shown.yMaximum()]
    return {"box": box, "faults": faults}


def tell_project(path, picture=""):
    """A project: title, reference system, layers from the top down, and what it draws."""
    project = QgsProject.instance()
    read = project.read(path)
    root = project.layerTreeRoot()
    told = {
        "read": read,
        "fault": project.error(),
        "title": project.title(),
        "crs": project.crs().authid() or project.crs().toWkt(),
        "groups": [group.name() for group in root.findGroups()],
        "layers": [tell_layer(node) for node in root.findLayers()],
    }
    return {**told, "drawn": draw(project, picture)} if picture else told


def tell_source(source):
    """A vector layer opened on its own, with the style that it brings."""
    layer = QgsVectorLayer(source, "layer", "ogr")
    return {"valid": layer.isValid(), **(tell_vector(layer) if layer.isValid() else {})}


def tell_file(path, x, y):
    """A raster with the style beside it: its first band's number at a place, and at half size."""
    layer = QgsRasterLayer(path, "layer")
    provider, place = layer.dataProvider(), QgsPointXY(float(x), float(y))
    (value, *_) = provider.identify(place, QgsRaster.IdentifyFormatValue).results().values()
    rows, columns = layer.height() // 2, layer.width() // 2
    half = provider.block(1, layer.extent(), columns, rows)
    return {
        **tell_raster(layer),
        "value": value,
        "half": [
            None if half.isNoData(row, column) else half.value(row, column)
            for row, column in ((0, 0), (rows - 1, columns - 1))
        ],
    }


def main(what, *words):
    """Do what the command line says and print it."""
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    told = {"project": tell_project, "layer": tell_source, "raster": tell_file}[what](*words)
    print(json.dumps(told))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
