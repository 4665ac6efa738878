"""Records to pictures: SVG, one offline HTML page, and the table in the terminal."""
