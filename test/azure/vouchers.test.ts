/** Holds who is vouched for by what an earlier process left, and what that process is told to leave. */
import { describe, expect, it } from 'vitest';
import type { Proof } from '../../src/azure/login/identity-mode.ts';
import type { OfflineProof } from '../../src/azure/login/offline-proof.ts';
import { Vouchers } from '../../src/azure/login/vouchers.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import type { Identity } from '../../src/spc/model.ts';
import { manualClock } from '../support/clocks.ts';

const STALE = 60_000;
const NOW = 1_700_000_000_000;
const identity: Identity = { kind: 'managed-identity', clientId: '' };
const claim = (principal: string, proof: Proof) => ({ identity, principal, proof, owner: 'prod' });
const byKey = (principal: string) => claim(principal, { by: 'key' });
const byNode = (principal: string) => claim(principal, { by: 'node' });
const byToken = (principal: string) => claim(principal, { by: 'token', digest: 'd', expiresAt: undefined });

function vouchers(genuine = false, maxStaleMs = STALE) {
  const clock = manualClock();
  const told: string[] = [];
  const offlineProof: OfflineProof = { accepted() {}, verify: async () => genuine };
  const witness = {
    accepted: (principal: string) => void told.push(`accepted ${principal}`),
    refused: (principal: string) => void told.push(`refused ${principal}`),
  };
  return { clock, told, all: new Vouchers({ sweeper: new Sweeper(clock), offlineProof, maxStaleMs, witness }) };
}

describe('a principal of an earlier process', () => {
  it('vouches for the same credential and for the node, until --max-stale after it was accepted', async () => {
    const { all, clock } = vouchers();
    all.load('p', STALE - 1000);
    expect(await all.vouchFor(byKey('p'), NOW)).toBe(true);
    expect(await all.vouchFor(byNode('p'), NOW)).toBe(true);
    expect(await all.vouchFor(byKey('q'), NOW)).toBe(false);
    clock.time += 1000;
    expect(await all.vouchFor(byKey('p'), NOW)).toBe(false);
    all.load('old', STALE);
    expect(await all.vouchFor(byKey('old'), NOW)).toBe(false);
  });

  it('vouches for no token', async () => {
    const { all } = vouchers();
    all.load('p', 0);
    expect(await all.vouchFor(byToken('p'), NOW)).toBe(false);
  });

  it('that was refused since stays refused', async () => {
    const { all } = vouchers();
    all.refused(byKey('p'), NOW);
    all.load('p', 0);
    expect(await all.vouchFor(byKey('p'), NOW)).toBe(false);
  });
});

describe('a vault that gives a value', () => {
  it.each([
    ['a credential', byKey('p')],
    ['the node', byNode('p')],
    ['a token', byToken('p')],
  ])('confirms %s: it counts for --max-stale from then on', async (_, one) => {
    const { all, clock } = vouchers();
    all.accepted(one, NOW);
    clock.time += STALE - 1;
    all.confirmed(one, NOW);
    clock.time += STALE - 1;
    expect(await all.vouchFor(one, NOW)).toBe(true);
    clock.time += 1;
    expect(await all.vouchFor(one, NOW)).toBe(false);
  });

  it('confirms a token until its end only', async () => {
    const { all, clock } = vouchers();
    const one = claim('p', { by: 'token', digest: 'd', expiresAt: NOW + 1000 });
    all.confirmed(one, NOW);
    expect(await all.vouchFor(one, NOW)).toBe(true);
    clock.time += 1000;
    expect(await all.vouchFor(one, NOW)).toBe(false);
  });

  it('confirms nothing that was refused since the login', async () => {
    const { all, told } = vouchers();
    for (const one of [byKey('k'), byToken('t')]) {
      all.accepted(one, NOW);
      all.refused(one, NOW);
      all.confirmed(one, NOW);
      expect(await all.vouchFor(one, NOW)).toBe(false);
    }
    expect(told).toEqual(['accepted k', 'refused k']);
  });

  it('confirms no token of a principal of which another genuine token was refused', async () => {
    const { all, told } = vouchers(true);
    all.accepted(byToken('t'), NOW);
    all.refused(claim('t', { by: 'token', digest: 'other', expiresAt: undefined }), NOW);
    await expect.poll(() => told).toEqual(['refused t']);
    all.confirmed(byToken('t'), NOW);
    expect(await all.vouchFor(byToken('t'), NOW)).toBe(false);
  });

  it('confirms it for the next process too', () => {
    const { all, told } = vouchers();
    all.confirmed(byKey('k'), NOW);
    all.confirmed(byToken('t'), NOW);
    expect(told).toEqual(['accepted k']);
  });
});

describe('refused proofs', () => {
  const MANY = 12_000;
  const token = (principal: string, digest: string) => claim(principal, { by: 'token', digest, expiresAt: undefined });

  it.each<[string, (at: number) => ReturnType<typeof claim>]>([
    ['many client secrets', (at) => byKey(`wrong ${at}`)],
    ['many tokens that name the same subject', (at) => token('p', `forged ${at}`)],
    ['many tokens that name other subjects', (at) => token(`other ${at}`, 'forged')],
  ])('take the place of none that was accepted: %s', async (_, forged) => {
    const { all } = vouchers();
    all.accepted(token('p', 'genuine'), NOW);
    all.accepted(byKey('k'), NOW);
    for (let at = 0; at < MANY; at++) all.refused(forged(at), NOW);
    expect(await all.vouchFor(token('p', 'genuine'), NOW)).toBe(true);
    expect(await all.vouchFor(byKey('k'), NOW)).toBe(true);
  });
});

describe('the witness', () => {
  it('is told of principals that are accepted and refused, and of no token', async () => {
    const { all, told } = vouchers();
    all.accepted(byKey('k'), NOW);
    all.accepted(byNode('n'), NOW);
    all.accepted(byToken('t'), NOW);
    all.refused(byKey('k'), NOW);
    all.refused(byNode('n'), NOW);
    // A forged token says nothing of the principal that it names.
    all.refused(byToken('t'), NOW);
    await Promise.resolve();
    expect(told).toEqual(['accepted k', 'accepted n', 'refused k', 'refused n']);
  });

  it('is told of a genuine token that is refused, since its principal was', async () => {
    const { all, told } = vouchers(true);
    all.refused(byToken('t'), NOW);
    await expect.poll(() => told).toEqual(['refused t']);
  });

  it('is told nothing with --max-stale=0', () => {
    const { all, told } = vouchers(true, 0);
    all.accepted(byKey('k'), NOW);
    expect(told).toEqual([]);
  });
});
