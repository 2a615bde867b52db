"""What people see: the reader's pages and interface for programs, and the operator's local interface."""
