import * as z from 'zod';
import { isSeen, mapSeen, missing, type Observation, seen } from '../observation.ts';
import { figureIn, growthOver, type NodeSpan, type NodeView } from './node-span.ts';

/** A figure of a report: a number, `infinity` for a ratio over nothing, a text or a yes/no, or why there is none. */
export type Figure = Observation<number | string | boolean>;

const PUMP = 'gossip.recv_pump.pubsub';
const STAGES = 'gossip.pubsub_stages';

/** A quotient with its zero rules: nothing over anything is 0, something over nothing is infinite. */
function ratio(part: Observation<number>, whole: Observation<number>): Observation<number | 'infinity'> {
  if (!isSeen(part)) return part;
  if (!isSeen(whole)) return whole;
  if (part.seen === 0) return seen(0);
  return seen(whole.seen === 0 ? 'infinity' : part.seen / whole.seen);
}

/** The larger of two figures; one that is missing hides how large. */
function larger(one: Observation<number>, other: Observation<number>): Observation<number> {
  if (!isSeen(one)) return one;
  return mapSeen(other, (value) => Math.max(one.seen, value));
}

function parsed<T>(
  view: NodeView | undefined,
  name: 'gossip' | 'connectivity',
  schema: z.ZodType<T>,
): Observation<T> {
  const document = view?.documents[name] ?? missing('absent', `no ${name} document was read`);
  if (!isSeen(document)) return document;
  const result = schema.safeParse(document.seen);
  if (result.success) return seen(result.data);
  const issue = result.error.issues[0];
  return missing(
    'unreadable',
    `${[name, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'does not fit'}`,
  );
}

const peersOfTopic = z.union([
  z.int().min(0),
  z.array(z.unknown()).transform((peers) => new Set(peers).size),
]);
const suppression = z.object({
  pubsub_stages: z.object({
    suppressed_peers: z.array(z.object({ peer_id: z.string(), topic: z.string() })),
    suppressed_peers_by_topic: z.record(z.string(), peersOfTopic).optional(),
  }),
});
const scores = z.object({
  pubsub_stages: z.object({
    peer_scores: z.array(z.object({ topic: z.string() })),
    peer_scores_by_topic: z.record(z.string(), z.unknown()).optional(),
  }),
});
const transports = z.object({
  per_peer_transport: z.array(
    z.object({
      peer_id: z.string(),
      connected: z.boolean(),
      rtt_ms: z.number().nullable(),
      packet_loss_rate: z.number().nullable(),
      idle_for_ms: z.number().nullable(),
    }),
  ),
});

type TopicCount = { readonly topic: string; readonly count: number };

/** Topics with suppressed peers, the most crowded first. */
function suppressedTopics(view: NodeView | undefined): Observation<readonly TopicCount[]> {
  return mapSeen(
    parsed(view, 'gossip', suppression),
    ({ pubsub_stages: { suppressed_peers, suppressed_peers_by_topic } }) => {
      const rows = Map.groupBy(suppressed_peers, ({ topic }) => topic);
      const counts = suppressed_peers_by_topic
        ? Object.entries(suppressed_peers_by_topic)
        : [...rows].map(
            ([topic, peers]) => [topic, new Set(peers.map(({ peer_id }) => peer_id)).size] as const,
          );
      return counts
        .map(([topic, count]) => ({ topic, count }))
        .filter(({ count }) => count > 0)
        .toSorted((a, b) => b.count - a.count || (a.topic < b.topic ? -1 : 1));
    },
  );
}

function scoredTopics(view: NodeView | undefined): Observation<number> {
  return mapSeen(
    parsed(view, 'gossip', scores),
    ({ pubsub_stages: { peer_scores, peer_scores_by_topic } }) =>
      peer_scores_by_topic
        ? Object.keys(peer_scores_by_topic).length
        : new Set(peer_scores.map(({ topic }) => topic)).size,
  );
}

type PeerTransport = z.infer<typeof transports>['per_peer_transport'][number];

const peersSeen = (view: NodeView | undefined) =>
  mapSeen(parsed(view, 'connectivity', transports), ({ per_peer_transport }) => per_peer_transport);

/** The greatest value that any peer has; peers that cannot say are passed over, and with none left it is absent. */
function greatest(view: NodeView | undefined, field: 'rtt_ms' | 'packet_loss_rate'): Observation<number> {
  const peers = peersSeen(view);
  if (!isSeen(peers)) return peers;
  const values = peers.seen.flatMap((peer) => peer[field] ?? []);
  return values.length === 0 ? missing('absent', `no peer has a ${field}`) : seen(Math.max(...values));
}

const ppm = (rate: number) => Math.max(0, Math.trunc(rate * 1e6));

function worstPeers(peers: readonly PeerTransport[]): string {
  const figure = (value: number | null) => value ?? 'null';
  return peers
    .toSorted(
      (a, b) =>
        (b.packet_loss_rate ?? -1) - (a.packet_loss_rate ?? -1) ||
        (b.rtt_ms ?? -1) - (a.rtt_ms ?? -1) ||
        (a.peer_id < b.peer_id ? -1 : 1),
    )
    .slice(0, 3)
    .map((peer) => {
      const loss = peer.packet_loss_rate === null ? 'null' : ppm(peer.packet_loss_rate);
      return `${peer.peer_id.slice(0, 12)}:rtt_ms=${figure(peer.rtt_ms)},loss_ppm=${loss},idle_ms=${figure(peer.idle_for_ms)}`;
    })
    .join(';');
}

const wasFetched = (view: NodeView | undefined) => {
  const document = view?.documents.connectivity;
  return seen(document !== undefined && isSeen(document));
};

/**
 * What the per-node tables show, by column name. The names are those that operators of the nearest system know; each
 * entry reads raw documents before and after a scenario, and says so when it cannot.
 */
export const NODE_FIGURES = {
  dispatcher_timed_out_delta: (span) => growthOver(span, 'gossip.dispatcher.pubsub.timed_out'),
  recv_pump_dropped_full_delta: (span) => growthOver(span, `${PUMP}.dropped_full`),
  per_peer_timeout_delta: (span) => growthOver(span, `${STAGES}.republish_per_peer_timeout`),
  dispatcher_completed_delta: (span) => growthOver(span, 'gossip.dispatcher.pubsub.completed'),
  suppressed_peers_post: ({ post }) => figureIn(post, `${STAGES}.suppressed_peers.length`),
  pubsub_workers_post: ({ post }) => figureIn(post, 'gossip.dispatcher.pubsub_workers'),
  per_peer_timeout_to_completed_ratio: (span) =>
    ratio(
      growthOver(span, `${STAGES}.republish_per_peer_timeout`),
      growthOver(span, 'gossip.dispatcher.pubsub.completed'),
    ),
  recv_pump_drop_full_ratio: (span) =>
    ratio(growthOver(span, `${PUMP}.dropped_full`), growthOver(span, `${PUMP}.produced_total`)),
  recv_pump_latest_depth_post: ({ post }) => figureIn(post, `${PUMP}.latest_depth`),
  suppressed_peers_to_known_ratio: (span) =>
    ratio(figureIn(span.post, `${STAGES}.suppressed_peers.length`), knownPairs(span)),
  known_peer_topic_pairs_post: (span) => knownPairs(span),
  suppressed_topics_post: ({ post }) => mapSeen(suppressedTopics(post), (topics) => topics.length),
  suppressed_topic_top_count_post: ({ post }) =>
    mapSeen(suppressedTopics(post), (topics) => topics[0]?.count ?? 0),
  suppressed_topics_top3_post: ({ post }) =>
    mapSeen(suppressedTopics(post), (topics) =>
      topics
        .slice(0, 3)
        .map(({ topic, count }) => `${topic}:${count}`)
        .join(';'),
    ),
  peer_score_topics_post: ({ post }) => scoredTopics(post),
  diagnostics_connectivity_pre_fetched: ({ pre }) => wasFetched(pre),
  diagnostics_connectivity_post_fetched: ({ post }) => wasFetched(post),
  data_tx_depth_post: ({ post }) => figureIn(post, 'connectivity.data_tx.data_tx_depth'),
  data_tx_capacity_post: ({ post }) => figureIn(post, 'connectivity.data_tx.data_tx_capacity'),
  data_tx_high_water_count_delta: (span) => growthOver(span, 'connectivity.data_tx.data_tx_high_water_count'),
  gso_bundle_send_total_delta: (span) => growthOver(span, 'connectivity.gso.bundle_send_total'),
  gso_bundle_partial_send_delta: (span) => growthOver(span, 'connectivity.gso.bundle_partial_send'),
  transport_peer_count_post: ({ post }) => mapSeen(peersSeen(post), (peers) => peers.length),
  transport_connected_count_post: ({ post }) =>
    mapSeen(peersSeen(post), (peers) => peers.filter(({ connected }) => connected).length),
  transport_rtt_ms_max_post: ({ post }) => greatest(post, 'rtt_ms'),
  transport_packet_loss_ppm_max_post: ({ post }) => mapSeen(greatest(post, 'packet_loss_rate'), ppm),
  transport_peers_top3_post: ({ post }) => mapSeen(peersSeen(post), worstPeers),
} satisfies Record<string, (span: NodeSpan) => Figure>;

export type FigureName = keyof typeof NODE_FIGURES;
export type NodeFigures = Readonly<Record<FigureName, Figure>>;

/** The list of scored peers is empty for a moment while a node rebuilds it, so the larger of the two ends counts. */
function knownPairs({ pre, post }: NodeSpan): Observation<number> {
  const path = `${STAGES}.peer_scores.length`;
  return larger(figureIn(pre, path), figureIn(post, path));
}

/** Every figure of one node over one span. */
export function nodeFigures(span: NodeSpan): NodeFigures {
  const figures = Object.entries(NODE_FIGURES).map(([name, read]) => [name, read(span)] as const);
  return Object.fromEntries(figures) as Record<FigureName, Figure>;
}
