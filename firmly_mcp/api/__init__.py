"""Firmly's REST API, typed. Knows nothing of MCP, cards or rules.

hosts        the fixed pairs of addresses
names        store names and path segments, checked before they enter an address
fields       how tolerant the reading is; amounts, with what contradicts in them
models       carts and orders; products: the catalog and discovery; orders: an order's status, dates to deliver on
bodies       what requests hold, checked before it is sent
ref          one string that names a variant
refusals     answers to errors: the only maker of StoreErrors, and the closed table of proven refusals
transport    requests out, bounded answers in: the only importer of httpx2
locks        what may run side by side, across processes
session      the device's token
calls        reads that repeat, changes that do not; payments: orders, sent at most once; events: their stream
catalog      discovery and the catalog, which take no lock
client       FirmlyClient: one coroutine per endpoint
"""
