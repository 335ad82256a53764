"""What there is to say of one account: pure functions from what is known to what is drawn and said.

No HTML is made here, and nothing is read: `pages.person` reads, the templates write.
"""
