"""Campaigns with other people's tests, schemas and clients against the local batch service; each is a command of its own."""
