import { ByteReader, BytesError, ByteWriter } from '../../kit/bytes.ts';
import type { PeerId, SocketAddress } from '../transport/transport.ts';

/** Membership owns control frames whose first byte is in 0x01–0x0f. */
const KIND_PEERS = 0x01;
const LAST_OWN_KIND = 0x0f;
const VERSION = 1;
const ID_BYTES = 32;
const MAX_HOST_BYTES = 64; // an IP literal with a zone has at most 63

/** Entries in one frame; a larger mesh is learnt over several. */
export const MAX_PEERS_PER_FRAME = 64;
/** The largest frame that can be well formed. */
const MAX_FRAME_BYTES = 4 + MAX_PEERS_PER_FRAME * (ID_BYTES + 4 + MAX_HOST_BYTES + 2);

/** A peer as one node tells another of it: who, and where it listens. */
export interface PeerAddress {
  readonly peerId: PeerId;
  readonly address: SocketAddress;
}

export function isMembershipFrame(frame: Uint8Array): boolean {
  const kind = frame[0];
  return kind !== undefined && kind >= KIND_PEERS && kind <= LAST_OWN_KIND;
}

/**
 * Wire form: kind 0x01 · version 1 · u16 count · count × (32-byte id · u32 length and host, UTF-8 · u16 port).
 * Takes at most 64 entries.
 */
export function encodePeers(peers: readonly PeerAddress[]): Uint8Array {
  if (peers.length > MAX_PEERS_PER_FRAME)
    throw new BytesError('count', `${peers.length} peers do not fit a frame`);
  const writer = new ByteWriter(4 + peers.length * 64).u8(KIND_PEERS).u8(VERSION).u16(peers.length);
  for (const { peerId, address } of peers) {
    writer.bytes(Buffer.from(peerId, 'hex')).text(address.host).u16(address.port);
  }
  return writer.finish();
}

/** @throws BytesError `MALFORMED_BYTES` for anything but one whole, bounded frame of version 1 */
export function decodePeers(frame: Uint8Array): readonly PeerAddress[] {
  if (frame.length > MAX_FRAME_BYTES)
    throw new BytesError('frame', `${frame.length} bytes exceed ${MAX_FRAME_BYTES}`);
  const reader = new ByteReader(frame);
  const kind = reader.u8('kind');
  if (kind !== KIND_PEERS) throw new BytesError('kind', `${kind} is not known`);
  const version = reader.u8('version');
  if (version !== VERSION) throw new BytesError('version', `${version} is not known`);
  const count = reader.u16('count');
  if (count > MAX_PEERS_PER_FRAME) throw new BytesError('count', `${count} exceeds ${MAX_PEERS_PER_FRAME}`);
  const peers: PeerAddress[] = [];
  for (let index = 0; index < count; index += 1) {
    const peerId = Buffer.from(reader.bytes('peer id', ID_BYTES)).toString('hex');
    const host = reader.text('host', MAX_HOST_BYTES);
    peers.push({ peerId, address: { host, port: reader.u16('port') } });
  }
  reader.end('peers frame');
  return peers;
}
