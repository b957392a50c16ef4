# Which spectra a method looks for.


def reference_flags(settings, method):
    """The minerals that a method looks for and, of spectral angles, their largest angles."""
    chosen = {"references": CONFIG.minerals_named(settings, method)}
    if method == "minerals":
        own = settings[method]["max_angle_rad_of"]
        chosen["max_angle_rad"] = CONFIG.largest_angle(settings[method])
        chosen["max_angle_rad_of"] = [f"{name}={angle}" for name, angle in own.items()]
    return chosen
