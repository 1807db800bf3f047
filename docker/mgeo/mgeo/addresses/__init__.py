"""Chinese addresses as values: one spelling, official divisions, elements."""

from mgeo.addresses.divisions import Division, Divisions
from mgeo.addresses.normalise import canonical, normalise
from mgeo.addresses.parser import Address, ParsedAddress, parse, parse_normalised

__all__ = ["Address", "Division", "Divisions", "ParsedAddress", "canonical", "normalise", "parse", "parse_normalised"]
