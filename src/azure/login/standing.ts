/**
 * Proves the identity of a Mount: by a token, or if the login service is away, by what is known about its proof.
 * `TokenPool` calls it. Without either, it throws, and the Mount gets no value.
 */

import type { Clock, SteadyTime } from '../../base/clock.ts';
import { ProviderError, withReason } from '../../base/errors.ts';
import { hostHint, hostInWords } from '../../base/phases.ts';
import type { Secret } from '../../base/secret.ts';
import type { Span } from '../../base/trace.ts';
import { isAway, mayStandIn, type Outages, type Trial, unsentError } from '../http/outages.ts';
import { beginShortWait } from '../http/short-wait.ts';
import { describeIdentity, type LoginPlace } from './identity-modes.ts';
import type { Claim, Vouchers } from './vouchers.ts';

/** The result of a proof, which decides what the identity may get. */
export type Standing =
  /** The login service has accepted its proof, or does so now. */
  | { readonly standing: 'proven'; readonly token: Secret }
  /**
   * The login service is away or asks to wait, and accepted this very proof a short time ago, or the proof is verified
   * offline. It gives access to last known values only. The cause is the reason why there is no token.
   */
  | { readonly standing: 'vouched'; readonly cause: ProviderError };

/** The circumstances of a proof. */
export interface ProofUse {
  readonly resource: string;
  readonly signal: AbortSignal;
  readonly deadlineAt: SteadyTime;
  /** See `FetchContext`. */
  readonly hasty: boolean;
  readonly span?: Span | undefined;
}

/** An identity that is to be proven. */
export interface Prover extends Claim {
  readonly place: LoginPlace;
  /** True if it is proven and its token is pooled, so that no request is needed. */
  ready(resource: string): boolean;
  /** See `Login`. */
  token(use: Omit<ProofUse, 'deadlineAt'>): Promise<Secret>;
}

/** Parts of {@link prove}. */
export interface ProofParts {
  readonly outages: Outages;
  readonly vouchers: Vouchers;
  readonly clock: Clock;
}

/** Proves an identity. Returns the result. Throws: see `Login.token`. */
export async function prove(prover: Prover, use: ProofUse, parts: ProofParts): Promise<Standing> {
  const { outages, vouchers, clock } = parts;
  const { host } = prover.place;
  if (prover.ready(use.resource)) {
    use.span?.set({ 'akv_csi.source': 'memory' });
    return { standing: 'proven', token: await prover.token(use) };
  }
  const vouched = () => vouchers.vouchFor(prover, clock.wall());
  const request = requestOf(prover, use);
  const away = outages.causeOf(host, request);
  if (away !== undefined && (await vouched())) {
    if (outages.isDue(host, request)) tryAgain(prover, use, outages);
    use.span?.set({ 'akv_csi.source': 'last_known' });
    return { standing: 'vouched', cause: unsentError(away, { ...prover.place, failed: failureOf(prover) }) };
  }
  const trial = outages.begin({ host, request });
  const wait = beginShortWait(use, clock, (abort) => {
    void vouched().then((known) => known && abort(lateError(prover)));
  });
  try {
    const token = await prover.token({ ...use, signal: wait.signal });
    trial.answered();
    return { standing: 'proven', token };
  } catch (error) {
    if (use.signal.aborted) throw error;
    const isVouched = mayStandIn(error) && (await vouched());
    report(trial, error, isVouched ? prover.principal : undefined);
    if (!isVouched) throw unvouched(error, vouchers.whyNot(prover));
    use.span?.set({ 'akv_csi.source': 'last_known' });
    return { standing: 'vouched', cause: error };
  } finally {
    wait.end();
  }
}

/** Returns the error of an identity that gets no last known value. If its login service is away, it says why. */
function unvouched(error: unknown, why: string | undefined): unknown {
  return why !== undefined && mayStandIn(error) ? withReason(error, why) : error;
}

/** Reports how a try ended that gave no token. `owner`: see {@link Trial}. */
function report(trial: Trial, error: unknown, owner: string | undefined): void {
  if (isAway(error)) trial.failed(error, owner);
  else trial.answered();
}

/** Asks a login service that is away again, in the background. */
function tryAgain(prover: Prover, use: ProofUse, outages: Outages): void {
  const trial = outages.begin({ host: prover.place.host, request: requestOf(prover, use) });
  const { signal } = new AbortController();
  prover.token({ resource: use.resource, signal, hasty: false }).then(
    () => trial.answered(),
    (error: unknown) => report(trial, error, prover.principal),
  );
}

/** Returns the error of a login that takes too long for a Mount that can go on without it. */
function lateError({ identity, place: { phase, host } }: Prover): ProviderError {
  const text = `${failureOf({ identity })}: ${hostInWords(phase, host)} does not answer; ${hostHint(phase)}`;
  return new ProviderError('ERR_TIMEOUT', text, { details: { phase, host } });
}

function failureOf({ identity }: Pick<Prover, 'identity'>): string {
  return `Cannot log in as ${describeIdentity(identity)}`;
}

function requestOf({ principal, proof }: Prover, { resource }: ProofUse): string {
  return JSON.stringify([principal, proof.by === 'token' ? proof.digest : '', resource]);
}
