import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type * as z from 'zod';
import { badBody, parseBody } from './body.ts';

/** One event: its name and its parsed data. `Events` maps names to data. */
export type NodeEvent<Events> = {
  [Name in keyof Events & string]: { readonly event: Name; readonly data: Events[Name] };
}[keyof Events & string];

/** The schema for the data of each event name that a stream carries. */
export type EventSchemas<Events> = { readonly [Name in keyof Events]: z.ZodType<Events[Name]> };

const MAX_EVENT_CHARS = 64 * 1024 * 1024;

/**
 * Turns the bytes of an event stream into parsed events. Names that are not in `schemas` are passed over: a newer
 * node may tell more.
 * @throws NodeError `NODE_BAD_BODY` for a known event whose data does not fit, or bytes that are not an event stream
 */
export async function* readEvents<Events extends object>(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  schemas: EventSchemas<Events>,
): AsyncGenerator<NodeEvent<Events>> {
  const waiting: EventSourceMessage[] = [];
  let broken: unknown;
  const parser = createParser({
    onEvent: (event) => waiting.push(event),
    onError: (error) => {
      broken ??= error;
    },
    maxBufferSize: MAX_EVENT_CHARS,
  });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for await (const chunk of chunks) {
    try {
      parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      broken ??= error;
    }
    for (const { event = 'message', data } of waiting.splice(0)) {
      if (isKnown(schemas, event)) yield eventOf(path, event, data, schemas);
    }
    if (broken !== undefined) throw badBody(`GET ${path}`, '(stream)', 'is not an event stream', broken);
  }
}

function isKnown<Events extends object>(
  schemas: EventSchemas<Events>,
  name: string,
): name is keyof Events & string {
  return Object.hasOwn(schemas, name);
}

function eventOf<Events, Name extends keyof Events & string>(
  path: string,
  event: Name,
  data: string,
  schemas: EventSchemas<Events>,
): NodeEvent<Pick<Events, Name>> {
  return { event, data: parseBody<Events[Name]>(`GET ${path} ${event}`, data, schemas[event]) };
}
