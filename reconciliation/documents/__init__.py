"""A settlement as a document for people: content.py says what is in it, pdf.py and sheets.py how it looks."""
