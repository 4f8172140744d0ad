import { MeshproofError } from '../../kit/errors.ts';
import { MAX_TOPIC_BYTES } from './message.ts';

const LOCAL_PREFIX = 'local:';

/** Whether messages of this topic stay in this process. */
export function isLocal(topic: string): boolean {
  return topic.startsWith(LOCAL_PREFIX);
}

/** @throws MeshproofError `TOPIC_INVALID` for what is not 1 to 256 bytes of UTF-8 */
export function checkTopic(topic: string): void {
  const bytes = Buffer.byteLength(topic);
  if (bytes >= 1 && bytes <= MAX_TOPIC_BYTES && topic.isWellFormed()) return;
  throw new MeshproofError(
    'TOPIC_INVALID',
    `a topic is 1 to ${MAX_TOPIC_BYTES} bytes of UTF-8, this one has ${bytes}`,
    {
      details: { topic_bytes: bytes, max_topic_bytes: MAX_TOPIC_BYTES },
    },
  );
}
