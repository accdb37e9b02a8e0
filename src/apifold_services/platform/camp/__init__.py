"""The CAMP 1.1 facade."""
