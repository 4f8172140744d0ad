const V4_HEADER_BYTES = 20;
const V6_HEADER_BYTES = 40;

/** Between whom an IP packet goes, each as `addressKey` of the address. */
export interface PacketEnds {
  readonly from: string;
  readonly to: string;
}

/** `undefined` for what is no whole IP packet: its header says how long it is. */
export function packetEnds(packet: Buffer): PacketEnds | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= V4_HEADER_BYTES && packet.readUInt16BE(2) === packet.length) {
    return { from: packet.toString('latin1', 12, 16), to: packet.toString('latin1', 16, 20) };
  }
  if (
    version === 6 &&
    packet.length >= V6_HEADER_BYTES &&
    packet.readUInt16BE(4) + V6_HEADER_BYTES === packet.length
  ) {
    return { from: packet.toString('latin1', 8, 24), to: packet.toString('latin1', 24, 40) };
  }
  return undefined;
}

/** An IPv4 or IPv6 address as the bytes that a packet has of it, one character each: made without a copy per packet. */
export function addressKey(address: string): string {
  const bytes = address.includes(':') ? v6Bytes(address) : address.split('.').map(Number);
  return String.fromCharCode(...bytes);
}

function v6Bytes(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
