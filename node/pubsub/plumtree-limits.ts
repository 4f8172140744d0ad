import { type CacheLimits, DEFAULT_CACHE_LIMITS } from './message-cache.ts';
import { MAX_SEEN } from './seen-ids.ts';

/** Bounds of the gossip core; the counts and times of the defaults are those of saorsa-gossip's node. */
export interface PlumTreeLimits {
  readonly cache: CacheLimits;
  readonly maxSeen: number;
  readonly maxTopics: number;
  readonly topicIdleTtlMs: number;
}

export const DEFAULT_PLUMTREE_LIMITS: PlumTreeLimits = {
  cache: DEFAULT_CACHE_LIMITS,
  maxSeen: MAX_SEEN,
  maxTopics: 4_096,
  topicIdleTtlMs: 600_000,
};
