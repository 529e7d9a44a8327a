"""The providers' side of the wire, as a process of its own: real protocols, own keys, own durable books.

Nothing here knows how Counterfoil works, and only `common.money` is shared with it: the sandbox is the independent record that
our books are compared with, so a mistake must not be able to hide by being made in both.
"""
