"""Where a person types a card or an address in a terminal, and sees what there is."""
