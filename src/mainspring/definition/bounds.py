"""The bounds on a document, by name: each message that refuses one says which it was."""

document_bytes_max = 16 << 20
document_depth_max = 100
document_nodes_max = 1_000_000
findings_max = 500
