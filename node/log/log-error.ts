import { MeshproofError } from '../../kit/errors.ts';

/**
 * An append that could not be done. `code` is stable and has a status in the API: `LOG_FULL`, `LOG_QUEUE_FULL`,
 * `LOG_STOPPED`, `LOG_NOT_SIGNED`, `PAYLOAD_TOO_LARGE`, `TOPIC_INVALID`.
 */
export class LogError extends MeshproofError {}
