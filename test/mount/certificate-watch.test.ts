import { describe, expect, it } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { CertificateWatch, DATE_REASONS } from '../../src/mount/convert/certificate-watch.ts';
import { LogOnce } from '../../src/mount/log-once.ts';
import { buildChain } from '../../src/pki/chain.ts';
import { examine } from '../../src/pki/findings.ts';
import type { Validity } from '../../src/spc/model.ts';
import { convertContext, failureOf, keptLog, manualClock } from '../support/mount.ts';
import { issue, issueChain, newKey } from '../support/pki.ts';

const YEAR = 365 * 24 * 3_600_000;
const { leaf, certificates } = await issueChain();
const chain = await buildChain(certificates, { key: leaf.key });
const whole = [examine(chain, leaf.key)];
const alone = [
  examine(await buildChain([(await issue({ name: 'lone.example', issuer: leaf })).certificate]), undefined),
];

/** Returns a watch whose clock is some years ahead, with its log lines and counts. */
function watchIn(years: number, certificatePolicy: 'warn' | 'enforce' = 'warn', validity?: Validity) {
  const counted: string[] = [];
  const { log, lines } = keptLog();
  const context = convertContext({
    certificatePolicy,
    clock: manualClock(Date.now() + years * YEAR),
    telemetry: { ...silentTelemetry, certificateWarning: (reason) => counted.push(reason) },
    log,
    noted: new LogOnce(),
  });
  return { watch: new CertificateWatch(context, validity), counted, lines };
}

describe('a certificate on its way into a volume', () => {
  it('that is in order is nothing to talk about', () => {
    const { watch, counted, lines } = watchIn(0);
    watch.look('c', whole);
    expect([counted, lines]).toEqual([[], []]);
  });

  it('that has expired is said once a certificate of the chain, and counted each time', () => {
    const { watch, counted, lines } = watchIn(30);
    watch.look('c', whole);
    watch.look('c', whole);
    expect(counted).toEqual(Array.from({ length: 6 }, () => 'expired'));
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({
      level: 'warn',
      message: 'Certificate warning',
      fields: {
        certificate: 'c',
        reason: 'expired',
        detail: expect.stringMatching(
          /^Certificate "c": the certificate of "CN=broker\.example, O=Test" expired on 2040-01-01/,
        ),
      },
    });
  });

  it.each([
    [30, 'expired on 2040-01-01'],
    [-10, 'not valid before 2020-01-01'],
  ])('is refused for its date where the policy is to enforce (%i years)', async (years, words) => {
    const { watch, lines } = watchIn(years, 'enforce');
    const { code, message } = await failureOf(() => watch.look('c', whole));
    expect(code).toBe('ERR_BAD_CONTENT');
    expect(message).toContain(words);
    expect(message).toContain('--certificate-policy enforce');
    expect(lines).toEqual([]);
  });

  it('is never refused for anything else', async () => {
    const { watch, counted } = watchIn(0, 'enforce');
    watch.look('c', [examine(await buildChain([leaf.certificate]), newKey('p-256'))]);
    expect(counted).toEqual(['key_mismatch', 'chain_incomplete']);
  });

  it('that comes alone by design is not blamed for it', async () => {
    const { watch, counted } = watchIn(0);
    watch.look('c', alone, DATE_REASONS);
    expect(counted).toEqual([]);
  });

  it('that comes alone and has expired is said', async () => {
    const { watch, counted } = watchIn(30);
    watch.look('c', alone, DATE_REASONS);
    expect(counted).toEqual(['expired']);
  });
});

describe('a certificate of an object with validity', () => {
  it.each<[Validity, 'warn' | 'enforce', number, string | undefined]>([
    ['ignore', 'enforce', 0, undefined],
    ['warn', 'enforce', 3, undefined],
    ['enforce', 'warn', 0, '(validity: enforce)'],
    ['previous', 'warn', 0, '(validity: previous)'],
  ])('%s goes before --certificate-policy %s', async (validity, policy, count, refusal) => {
    const { watch, counted } = watchIn(30, policy, validity);
    if (refusal === undefined) watch.look('c', whole);
    else expect((await failureOf(() => watch.look('c', whole))).message).toContain(refusal);
    expect(counted).toHaveLength(count);
  });
});
