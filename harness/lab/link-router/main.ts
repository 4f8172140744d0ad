// The link router: carries the packets of a lab's hosts over their links, from a TUN device and back into it. Arguments:
// the SHA-256 of its configuration, by which others know what it does, whose it is, for who reads a list of processes,
// and the descriptor of the device. Reads the configuration on stdin, says so on stdout, and runs until it is killed; the
// device ends with it.
import { read, readFileSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { text } from 'node:stream/consumers';
import { messageOf } from '../../../kit/errors.ts';
import { sha256Hex } from '../../../kit/hash.ts';
import { LinkRouter } from './link-router.ts';
import { routerConfigSchema } from './router-config.ts';

const EXIT_INTERNAL = 70;
const PACKET_MAX_BYTES = 2_048; // the device takes 1500
/** Timers fire up to 1 ms late, so what is due within half of one goes now. */
const EARLY_MS = 0.5;
const TELL_EVERY_MS = 60_000;

try {
  setPriority(constants.priority.PRIORITY_HIGH); // a link must not become slow because its nodes are busy
} catch {} // which only root may ask for

process.on('uncaughtException', (error: unknown) => end(messageOf(error)));
const [digest = '', , descriptor] = process.argv.slice(2);
const device = Number(descriptor);
const config = await text(process.stdin);
if (sha256Hex(config) !== digest) end(`the configuration is not that of ${digest}`);
const router = new LinkRouter(
  routerConfigSchema.parse(JSON.parse(config)),
  Number.parseInt(digest.slice(0, 8), 16),
);

let timer: NodeJS.Timeout | undefined;
let timerAtMs = Number.POSITIVE_INFINITY;
let refused = 0;
let told = dropped();

receive();
setInterval(tellDropped, TELL_EVERY_MS).unref();
process.stdout.on('error', () => {}); // nobody listens any more
process.stdout.write('listening\n');

/** A read waits in a thread of its own until there is a packet: the device cannot be polled by Node. */
function receive(): void {
  const buffer = Buffer.allocUnsafe(PACKET_MAX_BYTES);
  read(device, buffer, 0, PACKET_MAX_BYTES, null, (error, bytes) => {
    if (error !== null) return end(`the device cannot be read: ${messageOf(error)}`);
    router.enter(buffer.subarray(0, bytes), performance.now());
    deliverDue();
    receive();
  });
}

function deliverDue(): void {
  const untilMs = performance.now() + EARLY_MS;
  for (let due = router.takeDue(untilMs); due !== undefined; due = router.takeDue(untilMs)) {
    try {
      writeSync(device, due);
    } catch {
      refused += 1; // told below: one packet that the kernel does not take is one that is lost
    }
  }
  const nextAtMs = router.nextAtMs;
  if (nextAtMs === undefined || nextAtMs >= timerAtMs) return;
  clearTimeout(timer);
  timerAtMs = nextAtMs;
  timer = setTimeout(
    () => {
      timerAtMs = Number.POSITIVE_INFINITY;
      deliverDue();
    },
    Math.max(0, nextAtMs - performance.now()),
  );
}

function tellDropped(): void {
  const now = dropped();
  if (now !== told) process.stderr.write(`dropped since the start: ${now}\n`);
  told = now;
}

function dropped(): string {
  return JSON.stringify({ ...router.dropped(), refused, queue_full: queueFull() });
}

/** What the kernel dropped because we were behind: of the counters in `/proc/net/dev`, the fourth of those for sending. */
function queueFull(): number {
  const name = /^iff:\s+(\S+)/m.exec(readFileSync(`/proc/self/fdinfo/${device}`, 'utf8'))?.[1];
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n');
  const counters = lines.find((line) => line.trimStart().startsWith(`${name}:`))?.split(':')[1];
  return Number(counters?.trim().split(/\s+/)[8 + 3]);
}

/** By a signal: to exit in order, Node would wait for the read, which may never return. */
function end(why: string): never {
  process.stderr.write(`link router: ${why}\n`);
  process.kill(process.pid, 'SIGKILL');
  process.exit(EXIT_INTERNAL);
}
