/**
 * Reads events of both APIs of Kubernetes, which have different fields. `status` and `why` use it.
 */

import { type KubeObject, numberAt, textAt, timeOf } from './objects.ts';

/** Returns when an event was seen last, in milliseconds since 1970. */
export function eventTimeOf(event: KubeObject): number | undefined {
  const texts = [
    textAt(event, 'series', 'lastObservedTime'),
    textAt(event, 'lastTimestamp'),
    textAt(event, 'eventTime'),
    textAt(event, 'firstTimestamp'),
    textAt(event, 'metadata', 'creationTimestamp'),
  ];
  return texts.map(timeOf).find((time) => time !== undefined);
}

/** Returns how often an event was seen. */
export function eventCountOf(event: KubeObject): number {
  return numberAt(event, 'series', 'count') ?? numberAt(event, 'count') ?? 1;
}
