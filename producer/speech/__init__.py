"""From the text of a paragraph to what an engine is given: sentences, and their spoken forms."""
