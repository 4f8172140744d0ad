export type Priority = 'critical' | 'normal' | 'bulk';

/** Topics that hold a mesh together, by prefix: few, small, and worthless when late. */
const CRITICAL = [
  'meshproof.control.',
  'meshproof.discover.',
  'x0x/dm/v1/',
  'x0x.identity.announce.v2',
  'x0x.test.discover.v1',
  'x0x.test.control.v1',
  'x0x/caps/v1/request/targeted-v2',
  'x0x/caps/v1/response/targeted-v2',
];
/** Topics that say again later what is lost now. `x0x/caps/v1` comes after its critical kin. */
const BULK = [
  'meshproof.bulk.',
  'x0x.machine.announce.v2',
  'x0x.user.announce.v2',
  'x0x.identity.shard.v2.',
  'x0x.machine.shard.v2.',
  'x0x.user.shard.v2.',
  'x0x.rendezvous.shard.',
  'x0x.discovery.groups',
  'x0x.directory.',
  'x0x/release',
  'x0x/caps/v1',
];

/** How urgent the messages of a topic are. The names are x0x's, so that its tests find the classes they expect. */
export function priorityOf(topic: string): Priority {
  if (CRITICAL.some((prefix) => topic.startsWith(prefix))) return 'critical';
  return BULK.some((prefix) => topic.startsWith(prefix)) ? 'bulk' : 'normal';
}
