"""Images: their base, their context, and the programs that can build them."""
