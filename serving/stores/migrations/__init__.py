"""How the tables of a SQL store came to be: each version out of the one before, with what it holds."""
