"""How dates and times are written where nobody says otherwise: as the console's own columns write them."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y H:i:s"
