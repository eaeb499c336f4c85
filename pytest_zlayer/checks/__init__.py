"""What can be said about an image: assertions, differences, packages, waste, structure files.

This room stands below ``builder``: it knows no image and no container but only what
``subjects`` asks of them, so that ``Image``, ``Container`` and ``Service`` share one set of
assertions (``assertions.py`` has the classes they inherit), and imports still go one way.
"""
