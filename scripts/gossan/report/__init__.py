"""What a reader of the results sees: figures, sections, pages."""
