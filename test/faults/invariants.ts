/** What holds for every Mount that a fault meets, whatever the fault is. */
import { status } from '@grpc/grpc-js';
import type { Cell } from './calls.ts';

/** Codes after which the kubelet assumes that a Mount may still run. */
export const NOT_FINAL: readonly number[] = [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNAVAILABLE,
];

/** Words by which a message begins its remedy. */
const REMEDY =
  /(; |: |, or )(if |check|except|see|grant|give|raise|correct|add|put|set|use|enable|allow|assign|mount|restart|create|connect|it is (asked|tried) again|its successor|the next mount)/;

/** Every host that a message can name. */
const HOSTS = [
  /the vault at |from vault "/,
  /Entra ID at /,
  /the managed identity endpoint/,
  /pod identity's NMI at /,
  /the cluster's token proxy at /,
  /the API server at /,
];

/** Returns what a message lacks: the host that failed, and no other, and the remedy. */
export function messageProblems(message: string, named: readonly string[]): readonly string[] {
  const found = named.some((text) => message.includes(text));
  const others = HOSTS.filter((host) => host.test(message) && !named.some((text) => host.test(text)));
  return [
    ...(found ? [] : [`the message does not name ${named.join(' or ')}`]),
    ...others.map((host) => `the message names another host, ${host}`),
    ...(REMEDY.test(message) ? [] : ['the message has no remedy']),
    ...(message.includes('failed unexpectedly') ? ['the message blames the provider'] : []),
  ];
}

/** Returns the texts that no message and no log may show: values, credentials and tokens, also in base64. */
export function confidentialTexts(cells: readonly Cell[], tokens: readonly string[]): readonly string[] {
  const secrets = cells.flatMap(({ value, clientSecret }) => [value, clientSecret]);
  const encoded = secrets.map((text) => Buffer.from(text).toString('base64').replace(/=+$/, ''));
  // The signature of a token is its confidential part.
  const signatures = tokens.map((token) => token.split('.').at(-1) ?? token).filter((text) => text.length >= 8);
  return [...secrets, ...encoded, ...signatures];
}
