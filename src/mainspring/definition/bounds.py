"""The bounds on a document, by name: each message that refuses one says which it was.

They are what one second and 200 MB can hold (measured on two shared cores): YAML costs eight times what JSON does.
"""

document_bytes_max = 16 << 20
document_depth_max = 100
document_nodes_max = 1_000_000
object_keys_max = 100_000
text_length_max = 1 << 20
template_parts_max = 1_000
yaml_bytes_max = 8 << 20
yaml_nodes_max = 300_000
findings_max = 500
missing_listed_max = 200
message_length_max = 500
hints_max = 50
"""How many findings get a `did you mean`: each costs a comparison with all that is known."""
names_compared_max = 200
keys_listed_max = 8
scalar_placed_max = 20_000
"""Up to this length a text is gone through for the one character that a finding points at."""
