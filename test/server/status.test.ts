import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { finalStatus, fitMessage, goName, STATUS_OF, statusOf } from '../../src/server/status.ts';

const FORBIDDEN = [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNAVAILABLE,
];
const codes = Object.values(status).filter((code): code is status => typeof code === 'number');

describe('an error code', () => {
  test.each(Object.entries(STATUS_OF))('%s has a gRPC code the kubelet does not wait on', (_code, grpc) => {
    expect(FORBIDDEN).not.toContain(grpc);
    expect(grpc).not.toBe(status.OK);
  });

  test('becomes a status with the whole message', () => {
    const { code, details } = statusOf(new ProviderError('ERR_FORBIDDEN', 'Cannot read secret "a"'));
    expect([code, details]).toEqual([status.PERMISSION_DENIED, 'Cannot read secret "a"']);
  });
});

describe('a status', () => {
  test.each(codes)('with code %i leaves with a final one', (code) => {
    const final = finalStatus({ code, details: 'why', metadata: null });
    expect(FORBIDDEN).not.toContain(final.code);
    expect(final.details).toContain('why');
    if (!FORBIDDEN.includes(code)) expect(final).toEqual({ code, details: 'why', metadata: null });
  });

  test.each([
    [status.OK, 'OK'],
    [status.UNKNOWN, 'Unknown'],
    [status.INVALID_ARGUMENT, 'InvalidArgument'],
    [status.UNAUTHENTICATED, 'Unauthenticated'],
  ])('%i is called %s in metrics', (code, name) => {
    expect(goName(code)).toBe(name);
  });
});

describe('a message', () => {
  test('of usual length is kept, with its newlines and all of Unicode', () => {
    const text = 'Cannot mount:\n\t1. "ключ" – 50 % 🔑\r\n';
    expect(fitMessage(text)).toBe(text);
  });

  test('has no other control characters, marks of direction or half surrogate pairs', () => {
    expect(fitMessage('a\u001b[31m\u0085\u2028\u202e\ufeff\u0000b\ud800')).toBe(
      'a\\x1b[31m\\x85\\u2028\\u202e\\ufeff\\x00b\ufffd',
    );
  });

  test('that is too long says that it was shortened', () => {
    const text = fitMessage('secret "x": 403; '.repeat(2000));
    expect(text).toMatch(/^secret "x": 403; .*… \(shortened; the log of the provider has the whole message\)$/);
  });

  test('always fits into 6 KiB of trailer and can be encoded', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 9000 }),
      fc.string({ unit: fc.constantFrom('\ud800', '\udc00', 'a', '🔑', '\n'), maxLength: 5000 }),
    );
    fc.assert(
      fc.property(anything, (text) => {
        const fitted = fitMessage(text);
        expect(encodeURI(fitted).length).toBeLessThanOrEqual(6144);
        expect(decodeURI(encodeURI(fitted))).toBe(fitted);
      }),
    );
  });
});
