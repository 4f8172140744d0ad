import type { Logger } from 'pino';
import { BoundedMap } from '../../kit/bounded.ts';
import type { Clock } from '../../kit/clock.ts';
import { withinBudget } from '../../kit/deadline.ts';
import { codeOf } from '../../kit/errors.ts';
import type { Random } from '../../kit/random.ts';
import { RateAllowance } from '../../kit/rate-allowance.ts';
import type { Signing } from '../../kit/signing.ts';
import type { PeerId, PeerLink, Transport } from '../transport/transport.ts';
import type { LogStore } from './log-store.ts';
import type { Segment } from './segment.ts';
import { type Intake, takeSegment } from './segment-intake.ts';
import type { StreamHead } from './stream.ts';
import { decodeSyncFrame, encodeSyncFrame, MAX_HEADS, type SyncFrame } from './sync-frame.ts';

/** Frames about heads and vectors: two for each of 256 topics; the work of one is a sort of at most 256 streams. */
const SYNC_RATE = { windowMs: 5_000, perWindow: 512, maxKeys: 4_096 } as const;

const SYNC_EVERY_MS = 5_000;
const SEND_BUDGET_MS = 10_000;
const FRAME_BYTES = 256 * 1024; // segments that travel in one frame, about
const ANSWER_BYTES = 4 * 1024 * 1024; // what one vector may make us send; the peer asks again for the rest
const ASK_GAP_MS = 500;
const MAX_UNDER_WAY = 32; // frames to one peer

interface LogSyncModules {
  readonly transport: Pick<Transport, 'links' | 'send' | 'onLink'>;
  readonly store: LogStore;
  readonly signing: Pick<Signing, 'verify'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, 'warn' | 'debug'>;
}

/**
 * Keeps the logs of linked nodes the same. An own segment goes to every link at once. Heads (one hash per topic) go to a
 * new link, and every 5 s to one peer; who sees other heads than its own asks for what it lacks by its version vector, and
 * gets exactly that. What a frame lost, the next heads repair: nothing here depends on the cache of gossip. A node
 * without logs sends nothing.
 */
export class LogSync {
  readonly #modules: LogSyncModules;
  readonly #allowance = new RateAllowance(SYNC_RATE);
  readonly #underWay = new Map<PeerId, number>();
  readonly #answering = new Set<string>();
  readonly #askedAtMs = new BoundedMap<string, number>({ max: 4_096 });
  readonly #counts = {
    framesSentTotal: 0,
    framesNotSentTotal: 0,
    framesMalformedTotal: 0,
    framesOverLimitTotal: 0,
  };
  readonly #segments: Record<Intake, number> = {
    added: 0,
    known: 0,
    gap: 0,
    conflict: 0,
    full: 0,
    forged: 0,
  };
  #stopper: AbortController | undefined;
  #stopListening = () => {};

  constructor(modules: LogSyncModules) {
    this.#modules = modules;
  }

  start(): void {
    const stopper = new AbortController();
    this.#stopper = stopper;
    this.#stopListening = this.#modules.transport.onLink(({ event, link }) => {
      if (event === 'Established') this.#sendHeads(link.peerId, { isAnswer: false });
    });
    void this.#run(stopper.signal);
  }

  stop(): void {
    this.#stopListening();
    this.#stopper?.abort();
    this.#stopper = undefined;
  }

  counts() {
    return { ...this.#counts, segments: { ...this.#segments } };
  }

  /** Sends a segment of ours to everyone. */
  push(topic: string, segment: Segment): void {
    const frame = encodeSyncFrame({ kind: 'segments', topic, hasMore: false, segments: [segment] });
    for (const { peerId } of this.#modules.transport.links()) void this.#send(peerId, 'bulk', frame);
  }

  /** Takes a frame of a kind of the log's. A malformed one is counted and dropped. */
  async receive({ peerId }: PeerLink, bytes: Uint8Array): Promise<void> {
    const { clock, log } = this.#modules;
    let frame: SyncFrame;
    try {
      frame = decodeSyncFrame(bytes);
    } catch (err) {
      this.#counts.framesMalformedTotal += 1;
      log.warn({ peerId, err }, 'a malformed frame of the log was dropped');
      return;
    }
    if (frame.kind === 'segments') return await this.#takeSegments(peerId, frame);
    if (!this.#allowance.admits(peerId, clock.nowMs())) {
      this.#counts.framesOverLimitTotal += 1;
      return;
    }
    if (frame.kind === 'heads') this.#compareHeads(peerId, frame);
    else void this.#answer(peerId, frame.topic, frame.vector);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, transport } = this.#modules;
    while (!signal.aborted) {
      await clock.sleep(random.jitter(SYNC_EVERY_MS, 0.2), signal).catch(() => {}); // only its signal ends it early
      const links = transport.links();
      const one = links[random.int(0, Math.max(0, links.length - 1))];
      if (one !== undefined && !signal.aborted) this.#sendHeads(one.peerId, { isAnswer: false });
    }
  }

  #sendHeads(peerId: PeerId, { isAnswer }: { readonly isAnswer: boolean }): void {
    const { store } = this.#modules;
    const heads = store.topics().map((topic) => store.headOf(topic));
    for (let at = 0; at < heads.length; at += MAX_HEADS) {
      const frame = encodeSyncFrame({ kind: 'heads', isAnswer, heads: heads.slice(at, at + MAX_HEADS) });
      void this.#send(peerId, 'control', frame);
    }
  }

  #compareHeads(peerId: PeerId, { isAnswer, heads }: SyncFrame & { readonly kind: 'heads' }): void {
    const { store } = this.#modules;
    const isSame = ({ topic, headHash }: (typeof heads)[number]) =>
      Buffer.compare(store.headOf(topic).headHash, headHash) === 0;
    const differing = heads.filter((head) => !isSame(head));
    for (const { topic } of differing) this.#ask(peerId, topic);
    const told = new Set(heads.map(({ topic }) => topic));
    const knowsMore = store.topics().some((topic) => !told.has(topic));
    if (!isAnswer && (differing.length > 0 || knowsMore)) this.#sendHeads(peerId, { isAnswer: true });
  }

  #ask(peerId: PeerId, topic: string): void {
    const vector = this.#modules.store.vectorOf(topic);
    void this.#send(peerId, 'control', encodeSyncFrame({ kind: 'vector', topic, vector }));
  }

  /** Own segments of a peer that come while it sends us its past leave a gap each: asking once is enough. */
  #askOnce(peerId: PeerId, topic: string): void {
    const [key, nowMs] = [`${peerId} ${topic}`, this.#modules.clock.nowMs()];
    const askedMs = this.#askedAtMs.get(key);
    if (askedMs !== undefined && nowMs - askedMs < ASK_GAP_MS) return;
    this.#askedAtMs.set(key, nowMs);
    this.#ask(peerId, topic);
  }

  /** One answer per peer and topic at a time: who asks again meanwhile gets what is on its way. */
  async #answer(peerId: PeerId, topic: string, vector: readonly StreamHead[]): Promise<void> {
    const key = `${peerId} ${topic}`;
    if (this.#answering.has(key)) return;
    this.#answering.add(key);
    try {
      const { segments, hasMore, conflicts } = this.#modules.store.missing(topic, vector, ANSWER_BYTES);
      this.#segments.conflict += conflicts;
      const frames = inFrames(segments);
      for (const [at, some] of frames.entries()) {
        const isLast = at === frames.length - 1;
        const frame = { kind: 'segments', topic, hasMore: isLast && hasMore, segments: some } as const;
        if (!(await this.#send(peerId, 'bulk', encodeSyncFrame(frame)))) return;
      }
    } finally {
      this.#answering.delete(key);
    }
  }

  async #takeSegments(
    peerId: PeerId,
    { topic, hasMore, segments }: SyncFrame & { readonly kind: 'segments' },
  ): Promise<void> {
    let [isGap, isProgress] = [false, false];
    for (const segment of segments) {
      const intake = await takeSegment(this.#modules, topic, segment);
      this.#segments[intake] += 1;
      isGap ||= intake === 'gap';
      isProgress ||= intake === 'added';
      if (intake === 'forged' || intake === 'conflict') {
        const { origin, incarnation, firstSeq } = segment;
        this.#modules.log.warn(
          { peerId, topic, origin, incarnation, firstSeq, intake },
          'a log segment was refused',
        );
      }
    }
    if (hasMore && isProgress) this.#ask(peerId, topic);
    else if (isGap) this.#askOnce(peerId, topic);
  }

  async #send(peerId: PeerId, trafficClass: 'control' | 'bulk', frame: Uint8Array): Promise<boolean> {
    const { transport, log } = this.#modules;
    const underWay = this.#underWay.get(peerId) ?? 0;
    const signal = this.#stopper?.signal;
    if (signal === undefined) return false;
    if (underWay >= MAX_UNDER_WAY) {
      this.#counts.framesNotSentTotal += 1; // the next heads make good for it
      return false;
    }
    this.#underWay.set(peerId, underWay + 1);
    try {
      await withinBudget(
        'sending a frame of the log',
        SEND_BUDGET_MS,
        (within) => transport.send(peerId, trafficClass, frame, within),
        signal,
      );
      this.#counts.framesSentTotal += 1;
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.#counts.framesNotSentTotal += 1;
        log.debug({ peerId, code: codeOf(error) }, 'a frame of the log could not be sent');
      }
      return false;
    } finally {
      const left = (this.#underWay.get(peerId) ?? 1) - 1;
      if (left > 0) this.#underWay.set(peerId, left);
      else this.#underWay.delete(peerId);
    }
  }
}

function inFrames(segments: readonly Segment[]): readonly (readonly Segment[])[] {
  const frames: Segment[][] = [];
  let room = 0;
  for (const segment of segments) {
    const bytes = segment.payloads.reduce((sum, { length }) => sum + length, segment.signature.length);
    if (room < bytes || frames.length === 0) {
      frames.push([]);
      room = FRAME_BYTES;
    }
    frames.at(-1)?.push(segment);
    room -= bytes;
  }
  return frames;
}
