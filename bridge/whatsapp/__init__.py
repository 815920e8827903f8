"""The room that knows GREEN-API's wire format, and the only one that does.

::

    client       one method per GREEN-API method; implements ``ports.WhatsApp``
    transport    one request: address, proxy, TLS, times, size, what may be told
    connection   when a connection may be used again, and whether a request left
    answers      a reply -> a value, or the error that says what to do next
    records      the JSON objects GREEN-API answers with, of all its eras
"""
