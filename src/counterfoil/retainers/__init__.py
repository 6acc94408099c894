"""Hours and money that customers buy ahead by the period; time and expenses that are billed as they come."""
