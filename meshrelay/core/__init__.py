"""The pure rules of meshrelay, on immutable values.

Nothing in here opens a socket or a file, reads a clock, throws dice or writes a log: time, seeds and salts
are arguments. Bytes and values go in, values come out, and errors say whose fault it is.
"""
