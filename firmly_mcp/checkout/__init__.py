"""The only room where money is spent. It knows nothing of MCP or of HTTP frameworks.

Life of a purchase. Read three files, top to bottom: `server/tools/orders.py`, `checkout/flow.py`,
`checkout/execution.py`.

1. Ask. `place_order` or `complete_order` turns its arguments into an `OrderIntent`, calls `Checkout.place` and waits at
   most 40 seconds.
2. Find. Is an attempt for this purchase in flight, in doubt, or recently placed? Then that attempt is the answer. An
   order is never sent to find out.
3. Quote. Read the cart, or build one for the items on a throwaway device. Every term that an approval binds becomes a
   `Term`; their digest names the quote.
4. Decide. `policy/evaluate.py` is pure: refuse, ask or allow, with the rule that decided.
5. Ask the person, unless the rules allow it: an `Approval`, open for ten minutes. `server/person.py` brings it to them
   by URL elicitation, a browser or a printed command. Pages and terminal show the same `Review` and call
   `Checkout.approve`. The approval places the order, in the process that took it. No tool can approve.
6. Execute, as a task of the process: lock the cart, fetch the payment key, read the keyring, read the cart again,
   compare with what was authorized (amounts may only fall). Then, in one `BEGIN IMMEDIATE` transaction: find again,
   decide again, use the approval, write the attempt as `sending`. After the commit: encrypt card and security code
   (JWE), send once.
7. Record. Only a confirmation with an order number is `placed`. Only a known refusal at the end of a whole answer, or a
   connection that never opened, is `not_placed`. Everything else is `unknown`; `settlement.py` ends it by reading the
   cart, or a person ends it. Nothing here sends twice.
"""
