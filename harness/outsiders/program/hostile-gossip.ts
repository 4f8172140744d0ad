import { MerkleTree } from '../../../kit/merkle.ts';
import type { Random } from '../../../kit/random.ts';
import { ML_DSA_65 } from '../../../kit/signing.ts';
import { eagerFrame } from '../../../node/pubsub/eager-frame.ts';
import { batchStatement, MAX_BATCH, type MessageBody, messageId } from '../../../node/pubsub/message.ts';
import type { Identity } from '../../../node/transport/hello-exchange.ts';
import { OUTSIDER_TOPIC } from '../../../scenarios/outsiders.ts';

const PAYLOAD_BYTES = 1_024;
const INCARNATION_BYTES = 8;
const HOPS_AND_AGE = { hops: 1, ageMs: 0 } as const; // as straight from the origin

/** Messages of one agent, in the frames of the mesh: valid ones in batches as an honest node would sign them, or forged. */
export class HostileGossip {
  readonly #agent: Identity;
  readonly #random: Random;
  readonly #incarnation: string;
  #seq = 0;

  constructor(agent: Identity, random: Random) {
    this.#agent = agent;
    this.#random = random;
    this.#incarnation = Buffer.from(random.bytes(INCARNATION_BYTES)).toString('hex');
  }

  /** A well-formed message whose signature is random bytes. */
  forged(): Uint8Array {
    const body = this.#body();
    const signature = this.#random.bytes(ML_DSA_65.signatureBytes);
    const proof = { leafIndex: 0, treeSize: 1, path: [], signature };
    return eagerFrame(HOPS_AND_AGE, { ...body, id: messageId(body), proof });
  }

  /** As many valid messages as one signature covers. */
  async valid(): Promise<readonly Uint8Array[]> {
    const bodies = Array.from({ length: MAX_BATCH }, () => this.#body());
    const ids = bodies.map(messageId);
    const tree = new MerkleTree(ids.map((id) => Buffer.from(id, 'hex')));
    const signature = await this.#agent.sign(batchStatement(tree.size, tree.root));
    return bodies.map((body, leafIndex) => {
      const proof = { leafIndex, treeSize: tree.size, path: tree.auditPath(leafIndex), signature };
      return eagerFrame(HOPS_AND_AGE, { ...body, id: ids[leafIndex] ?? messageId(body), proof });
    });
  }

  #body(): MessageBody {
    this.#seq += 1;
    const payload = new Uint8Array(PAYLOAD_BYTES);
    new DataView(payload.buffer).setUint32(0, this.#seq);
    const { id: origin } = this.#agent;
    return { origin, incarnation: this.#incarnation, seq: this.#seq, topic: OUTSIDER_TOPIC, payload };
  }
}
