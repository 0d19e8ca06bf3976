/**
 * Asks name servers for the addresses of one full name. `resolver.ts` calls it. A server that does not answer or fails
 * delays the lookup by a second at most: the next server is asked, and the first answer is used. All work ends with the
 * signal.
 */

import { type LookupAddress, Resolver } from 'node:dns';
import { coded } from './network-error.ts';

/** Addresses of a name. */
export interface Answer {
  /** None: the name does not exist, or has no address of this family. */
  readonly addresses: readonly LookupAddress[];
  /** False if the name does not exist. */
  readonly exists: boolean;
  /** For how long the answer holds, in milliseconds; 0 where there are no addresses. */
  readonly ttlMs: number;
}

/** A question to name servers. */
export interface Question {
  /** With a dot at its end. */
  readonly name: string;
  readonly family: 4 | 6;
}

/** If a server has not answered after this time, the next one is asked too. */
const STAGGER_MS = 1_000;
/** How often a silent server is asked. */
const ROUNDS = 2;
/** Longer than any caller waits; the signal ends a question. */
const QUESTION_MS = 60_000;
/** Addresses of one name that are used. */
const MAX_ADDRESSES = 16;

/** Answers about the name. All other answers are about the server. */
const ABOUT_NAME: Readonly<Record<string, Pick<Answer, 'exists'>>> = {
  ENOTFOUND: { exists: false },
  EBADNAME: { exists: false },
  ENODATA: { exists: true },
};
/** Codes of failures, by those of c-ares; the others mean that the server could not answer. */
const FAILURES: Readonly<Record<string, readonly [code: string, text: string]>> = {
  ECONNREFUSED: ['NO_NAME_SERVER', 'the name server cannot be reached'],
  EREFUSED: ['EREFUSED', 'the name server refuses to answer'],
  ETIMEOUT: ['EAI_AGAIN', 'no answer of the name server'],
};

/**
 * Returns the first usable answer of the servers. Throws: `EAI_AGAIN` when the signal aborts before; `NO_NAME_SERVER`,
 * `EREFUSED` or `ESERVFAIL`, the code of the first server, if no server can answer.
 */
export function askServers(question: Question, servers: readonly string[], signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const turns = Array.from({ length: ROUNDS }, () => servers).flat();
    const open = new Set<Resolver>();
    const failed = new Set<string>();
    let failure: Error | undefined;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const end = (settle: () => void) => {
      over = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      settle();
      for (const resolver of open) resolver.cancel();
    };
    const giveUp = () => end(() => reject(failureOf('ETIMEOUT', servers)));
    const next = () => {
      clearTimeout(timer);
      const server = turns.shift();
      if (server === undefined) {
        if (open.size === 0) end(() => reject(failure ?? failureOf('ETIMEOUT', servers)));
        return;
      }
      if (failed.has(server)) {
        next();
        return;
      }
      timer = setTimeout(next, STAGGER_MS);
      const resolver = new Resolver({ timeout: QUESTION_MS, tries: 1 });
      open.add(resolver);
      askOne(question, server, resolver).then(
        (answer) => end(() => resolve(answer)),
        (error: Error & { readonly code?: string }) => {
          if (over) return;
          open.delete(resolver);
          failed.add(server);
          failure ??= failureOf(error.code ?? '', servers);
          next();
        },
      );
    };
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    else next();
  });
}

async function askOne({ name, family }: Question, server: string, resolver: Resolver): Promise<Answer> {
  resolver.setServers([server]);
  const ask = (family === 4 ? resolver.resolve4 : resolver.resolve6).bind(resolver);
  return new Promise((resolve, reject) => {
    ask(name, { ttl: true }, (error, records) => {
      const about = ABOUT_NAME[error?.code ?? ''];
      if (about !== undefined) resolve({ addresses: [], ttlMs: 0, ...about });
      else if (error !== null) reject(error);
      else {
        const used = records.slice(0, MAX_ADDRESSES);
        resolve({
          addresses: used.map(({ address }) => ({ address, family })),
          exists: true,
          ttlMs: 1000 * Math.min(...used.map(({ ttl }) => ttl)),
        });
      }
    });
  });
}

/** Returns the error of a lookup. Its addresses are those of the name servers. */
function failureOf(cause: string, servers: readonly string[]): Error {
  const [code, text] = FAILURES[cause] ?? ['ESERVFAIL', 'the name server could not answer'];
  return Object.assign(coded(code, text), { addresses: [...servers].sort() });
}
