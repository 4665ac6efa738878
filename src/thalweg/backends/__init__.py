"""What the text of a rule becomes: source code for another machine. Nothing is compiled or run here."""
