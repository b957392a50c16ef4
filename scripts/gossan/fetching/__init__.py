"""Products from archives, searched for and brought whole; the one room that uses the network."""
