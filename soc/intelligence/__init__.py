"""What others know of wallets, addresses, names and files: lists, and their history here."""
