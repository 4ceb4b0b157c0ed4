"""Models of what is usual: rows of numbers in, how strange each is out, with reasons."""
