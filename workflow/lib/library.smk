# Which spectra a method looks for.


def reference_flags(settings, method):
    """The minerals that a method looks for and, of spectral angles, their largest angles."""
    chosen = {"references": CONFIG.minerals_named(settings, method)}
    if method == "minerals":
        own = settings[method]["max_angle_rad_of"]
        chosen["max_angle_rad"] = CONFIG.largest_angle(settings[method])
        chosen["max_angle_rad_of"] = [f"{name}={angle}" for name, angle in own.items()]
    return chosen


def points_named(wildcards):
    """What the key tells of the pixels that give a scene's minerals their spectra; "" for none."""
    return settings_of(wildcards).get("minerals", {"from_scene": ""})["from_scene"]


def reference_points(wildcards):
    """The vector file of those pixels, or an empty list."""
    named = points_named(wildcards)
    return given(named) if named else []


def points_flag(name):
    """A function of the wildcards and the input: that file with the layer to read, as a flag."""

    def find(wildcards, input):
        return flags(**{name: as_named(input.get("points"), points_named(wildcards))})

    return find


def scene_spectra(wildcards):
    """The table of the spectra that the scene itself gives, or an empty list."""
    return "<minerals>/library/scene.csv" if points_named(wildcards) else []
