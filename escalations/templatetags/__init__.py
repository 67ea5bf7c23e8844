"""What other screens may show of the inbox."""
