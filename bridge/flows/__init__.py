"""The journeys: they use nouns, the store and the two ports, and know no HTTP."""
