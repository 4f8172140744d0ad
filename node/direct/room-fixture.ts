import { pino } from 'pino';
import { VirtualClock } from '../../kit/clock.ts';
import { type AckOutcome, ackDocumentSchema } from '../api/schema/ack.ts';
import { dmDocumentSchema } from '../api/schema/dm.ts';
import type { DirectMessage } from './direct-message.ts';
import { DirectMessages, type DirectMessagesModules, type DirectMessagesOptions } from './direct-messages.ts';
import type { DirectSendOptions } from './send-options.ts';
import { FakeTransport } from './transport-fake.ts';

/** Rooms of direct messages over a transport in memory and a clock that moves only when told to, for tests. */

export const OPTIONS: DirectSendOptions = {
  deadlineMs: 12_000,
  ackMs: 8_000,
  preferRawQuic: true,
  stopFallbackOnRawError: true,
};
export const PAYLOAD = Buffer.from('hello');
export const live = new AbortController().signal;

type Extras = { readonly options?: DirectMessagesOptions; readonly modules?: Partial<DirectMessagesModules> };

export function room(name: string, clock: VirtualClock, { options = {}, modules = {} }: Extras = {}) {
  const transport = new FakeTransport(name, clock);
  const direct = new DirectMessages(options, {
    transport,
    agentId: transport.agentId,
    machineId: transport.peerId,
    clock,
    log: pino({ level: 'silent' }),
    ...modules,
  });
  direct.start();
  const inbox: DirectMessage[] = [];
  return {
    name,
    transport,
    direct,
    inbox,
    listen: () => direct.subscribe((message) => void inbox.push(message)),
  };
}
type Room = ReturnType<typeof room>;

export function pair(bob: Extras = {}, alice: Extras = {}) {
  const clock = new VirtualClock();
  const a = room('alice', clock, alice);
  const b = room('bob', clock, bob);
  a.transport.connect(b.transport);
  return { clock, a, b };
}

/** Sends and moves time until the send is over; gives what came of it and how long it took. */
export async function sendAndWait(
  clock: VirtualClock,
  from: Room,
  to: Room,
  options: Partial<DirectSendOptions> = {},
  payload: Uint8Array = PAYLOAD,
) {
  const startMs = clock.nowMs();
  let endMs: number | undefined;
  const sent = from.direct.send(to.transport.agentId, payload, { ...OPTIONS, ...options }, live).then(
    (receipt) => ({ receipt, error: null }),
    (error: unknown) => ({ receipt: null, error }),
  );
  void sent.then(() => {
    endMs = clock.nowMs();
  });
  await settled();
  for (let at = 0; endMs === undefined && at < 4_000; at += 1) await clock.advance(10);
  return { ...(await sent), tookMs: (endMs ?? Number.NaN) - startMs };
}

export const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
};

export function outcome({ direct }: Room, name: AckOutcome): number {
  return ackDocumentSchema
    .parse(direct.ackDiagnostics())
    .ack.peers.reduce((sum, row) => sum + row.outcomes[name], 0);
}

export const statsOf = ({ direct }: Room) => dmDocumentSchema.parse(direct.diagnostics()).stats;
