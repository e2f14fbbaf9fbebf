"""The demo: a small broadband company's chats and help centre, made on the spot, with things to find planted in it."""
