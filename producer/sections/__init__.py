"""What of a book is read: documents to blocks of text, blocks to sections, and what is in none of them."""
