"""What the consoles of all apps share."""
