"""A desk in the browser: approve an order, add a card, add an address.

What a person types here is a secret from the line that reads the form, goes through the doors of checkout and wallet,
and is never rendered back. No page needs a script, and none loads anything from elsewhere.
"""
