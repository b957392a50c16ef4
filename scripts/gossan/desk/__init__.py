"""What a geologist opens of a scene: its page, map, QGIS project and sheet."""
