"""What a person sees and types: components, tags, lists, forms, exports and their styles. Knows no business word."""
