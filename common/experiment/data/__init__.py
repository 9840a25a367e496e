"""A person's data file, of whatever kind, as rows of text: read anew at each pass, so that its size takes no memory."""
