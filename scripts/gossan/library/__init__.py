"""Reference spectra: their files, their shapes, their resampling to a sensor's bands."""
