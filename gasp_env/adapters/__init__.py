"""One module for each trainer; each imports its trainer when it is imported itself, and knows no other adapter."""
