"""The campaign that tries to make the program lose a row or pay twice: kills, faults, lies, and their judge."""
