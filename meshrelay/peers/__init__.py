"""What other relays see: finding each other, speaking to each other, passing bulletins on.

Not here: what a bulletin is and whether it is valid (core), what a relay holds (store, index, relay), what people see
(web). The law of this floor: whatever another relay sends, only PeerUnreachable and PeerFault leave it.
"""
