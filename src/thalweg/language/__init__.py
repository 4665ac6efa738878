"""The language of rules: from the text of a function to its meaning, its facts and its order of work. Pure Python."""
