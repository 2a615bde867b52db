"""Other formats into values and back: CAP, Atom, GeoJSON and carry files.

Nothing in here fetches anything, reads a clock or decides who is believed.
"""
