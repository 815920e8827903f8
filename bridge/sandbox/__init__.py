"""Slack and GREEN-API played on loopback, for the demo and the tests.

Nothing here is part of the product: the product reaches it over HTTP only, and
nothing here imports the product.
"""
