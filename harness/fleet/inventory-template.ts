/** What `fleet init` writes: a file that explains itself. The addresses are reserved for documentation (RFC 5737). */
export const INVENTORY_TEMPLATE = `# The machines of a mesh. "meshproof fleet check FILE" looks at all of them.
format = "meshproof.inventory.v1"

# Nodes talk only to nodes of the same network. Commands ask before they touch one called prod, live or main.
network = "test"
# Where these machines stand. A run that breaks things must name the same.
environment = "staging"

[[host]]
name = "alpha"               # letters, digits, ".", "_", "-"
region = "ams"
address = "192.0.2.10"       # where sshd listens
user = "root"                # another user needs sudo without a password
key = "~/.ssh/id_ed25519"    # or: agent = true
# host_key = "SHA256:…"      # the machine's own; "meshproof fleet trust FILE alpha" records it
# port = 22
# mesh_address = "192.0.2.10"  # where the other nodes reach this one (default: address)
# udp_port = 5483              # QUIC
# api_port = 12700             # on the host's loopback only, as is runner_port
# runner_port = 12701
roles = ["node", "anchor"]   # node, anchor (publishes and relays control; one of them), spare (no node)

[[host]]
name = "beta"
region = "nyc"
address = "198.51.100.20"
user = "mesh"
agent = true
jump = "bastion"             # the name of a [[jump]] or of another [[host]]

[[host]]
name = "gamma"
region = "sgp"
address = "203.0.113.30"
key = "~/.ssh/id_ed25519"
# A program whose standard streams lead to sshd, in place of a jump:
# proxy_command = ["nc", "{host}", "{port}"]

# A machine that is passed through, and is no part of the mesh.
[[jump]]
name = "bastion"
address = "198.51.100.2"
user = "mesh"
agent = true
`;
