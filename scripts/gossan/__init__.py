"""The science of gossan: pure functions on arrays, and the readers and writers of its files."""
