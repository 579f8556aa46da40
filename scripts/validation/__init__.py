"""The proof that learners do what they should, in cells that are measured one by one."""
