"""Rating: usage becomes money. CloudKitty's APIs v1 and v2 over one core."""
